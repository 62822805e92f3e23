"""All figures of a run as data for `drawings`: inputs and outputs, spikes, training curves, weights and delays."""

from collections.abc import Mapping

from neurobench.data.dataset import Split
from neurobench.figures.drawing import Drawing
from neurobench.models.learner import TrainingRecord
from neurobench.models.slayer.engine import EventEngine
from neurobench.models.slayer.learner import SlayerLearner
from neurobench.models.slayer.network import synaptic
from neurobench.models.slayer.neuron import GRID
from neurobench.models.slayer.spikes import as_dense

SHOWN = 5  # test recordings that are animated, as in the tutorial
_DRAWINGS, _ANIMATION = "neurobench.models.slayer.drawings", "neurobench.models.slayer.animation"


def all_figures(learner: SlayerLearner, test: Split, record: TrainingRecord) -> Mapping[str, Drawing]:
    """Figures by name: the tutorial's animation of inputs and outputs; rasters, learning, gradient flow, delays,
    weights."""
    shown = test.head(SHOWN)
    engine, layers = EventEngine(), [layer.cpu() for layer in learner.quantized]
    spikes = learner.inputs(shown.x)
    engine.run(spikes, layers, learns=True)
    trains = [as_dense(each).transpose(0, 1).bool().numpy() for each in (spikes, *engine.arrivals())]  # (N, T, C) each
    inputs = trains[0].reshape(len(shown), -1, learner.spec.saccades, *learner.task.shape).any(2)
    ms, labels, classes = learner.spec.sampling_time, shown.y.tolist(), shown.classes
    weights = [(GRID * synaptic(layer.w, layer.conv).cpu()).numpy() for layer in learner.quantized]
    sample = [train[0] for train in trains]
    known = {
        "input_and_output": Drawing(f"{_ANIMATION}.input_and_output", (inputs, trains[-1], labels, classes, ms)),
        "rasters": Drawing(f"{_DRAWINGS}.rasters", (sample, labels[0], classes, ms)),
        "weights": Drawing(f"{_DRAWINGS}.weights", (weights,)),
    }
    late = [layer.delay.cpu().numpy() for layer in learner.layers if layer.delay is not None]
    if late:
        known["delays"] = Drawing(f"{_DRAWINGS}.delays", (late,))
    flow = {label.split("/")[1]: sizes for label, sizes in record.snapshots.items() if label.startswith("flow/")}
    if flow:
        learned = [k for k, layer in enumerate(learner.layers, 1) if not layer.pools]
        by_epoch = {int(epoch) + 1: sizes for epoch, sizes in flow.items()}
        known["gradient_flow"] = Drawing(f"{_DRAWINGS}.gradient_flow", (by_epoch, learned))
    if len(record.epochs) > 1:  # a single epoch is covered by the learning curve
        known["learning"] = Drawing(f"{_DRAWINGS}.learning", (record.epochs,))
    return known
