"""All figures of a run of the SLAYER network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from neurobench.models.slayer import draw_events, draw_network
from neurobench.models.slayer.engine import EventEngine
from neurobench.models.slayer.report import on_cpu
from neurobench.models.slayer.spikes import as_dense

if TYPE_CHECKING:
    from neurobench.data.dataset import Split
    from neurobench.models.slayer.learner import SlayerLearner

SHOWN = 5  # test recordings that are animated, as in the tutorial


def all_figures(learner: SlayerLearner, test: Split) -> dict[str, Figure | bytes]:
    """The tutorial's animations of inputs and outputs; rasters, learning, gradient flow, delays, weights."""
    shown = test.head(SHOWN)
    engine, layers = EventEngine(), [on_cpu(layer) for layer in learner.held]
    inputs = learner.inputs(shown.x)
    engine.run(inputs, layers, learns=True)
    trains = [as_dense(spikes).transpose(0, 1) for spikes in (inputs, *engine.arrivals())]  # (N, T, C) each
    sensor = learner.task.shape
    found: dict[str, Figure | bytes] = {
        "inputs": draw_events.inputs(trains[0].reshape(len(shown), -1, *sensor), shown.y),
        "outputs": draw_events.outputs(trains[-1], shown.y),
        "rasters": draw_network.rasters([train[0] for train in trains], int(shown.y[0]), learner.recipe.sampling_time),
        "weights": draw_network.weights([layer.w for layer in layers]),
    }
    if any(layer.delay is not None for layer in learner.layers):
        found["delays"] = draw_network.delays(
            [layer.delay.cpu() for layer in learner.layers if layer.delay is not None]
        )
    if learner.history.flow:
        found["gradient_flow"] = draw_network.gradient_flow(learner.history.flow)
        found["learning"] = draw_network.learning(learner.history.sums)
    return found
