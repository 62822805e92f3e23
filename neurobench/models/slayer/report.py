"""What a core reports of a network: saturated weights, states at their limits, spikes, operations, silence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from neurobench.metrics.operations import Operations, Population, membrane_updates, synapses
from neurobench.models.slayer.engine import EventEngine
from neurobench.models.slayer.neuron import GRID, POINT
from neurobench.models.slayer.parameters import Held
from neurobench.models.slayer.spikes import arrivals
from neurobench.models.slayer.synapse import HIGH, LOW

if TYPE_CHECKING:
    from neurobench.data.dataset import Split
    from neurobench.models.slayer.learner import SlayerLearner

SAMPLES = 100  # that the report is made on
BLOCK = 32  # samples whose states are kept at once
_A16 = 32767  # lava declares sums of 16 bits and enforces none


def figures(learner: SlayerLearner, shown: Split) -> dict[str, float]:
    """By layer, counted from 1; spikes and operations are means over samples."""
    told: dict[str, float] = {}
    act = learner.engine.run(learner.inputs(shown.x), learner.held, counted=True)
    for k, (layer, there, tally) in enumerate(zip(learner.layers, learner.held, act.tally, strict=True), 1):
        own = {
            "spikes_a_sample": tally["spikes"] / len(shown),
            "operations_a_sample": tally["operations"] / len(shown),
            "rate": tally["spikes"] / (len(shown) * learner.recipe.steps * there.W.shape[1]),
            "silent_neurons": int((act.fired[k - 1].sum(0) == 0).sum()),
            "current_decay": float(layer.D[0]) / POINT,
            "voltage_decay": float(layer.D[1]) / POINT,
        }
        if learner.core.arithmetic == "fixed":
            own["saturated_weights"] = float(((there.W == LOW) | (there.W == HIGH)).float().mean())
        if learner.core.arithmetic == "fixed" and "wraps" in tally:
            own |= {name: tally[name] for name in ("wraps", "clips")}
            own |= {"most_u": tally["most_u"] / POINT, "most_v": tally["most_v"] / POINT}
            own |= {"most_a": tally["most_a"] / GRID, "a_beyond_16_bits": int(tally["most_a"] > _A16)}
            own["states_beyond_24_bits"] = tally["beyond"]
        if layer.delay is not None:
            own["longest_delay"] = int(there.delay.max())
            own["delays_at_limit"] = int((there.delay == learner.recipe.max_delay).sum())
        told |= {f"layer{k}_{name}": float(value) for name, value in own.items()}
    return told


def operations(learner: SlayerLearner, x: Any) -> Operations:
    """Synapses as the core holds them; every product is an accumulation of a spike."""
    engine, layers = EventEngine(), [on_cpu(layer) for layer in learner.held]
    n, steps = len(x), learner.recipe.steps
    arrived = [torch.zeros(len(layer.W), dtype=torch.int64) for layer in layers]
    active, updates = [0] * len(layers), [0] * len(layers)
    for index in torch.arange(n).split(BLOCK):
        inputs = learner.inputs(x[index])
        act = engine.run(inputs, layers, learns=True)
        coming = [inputs, *engine.arrivals()[:-1]]
        for k, (layer, v) in enumerate(zip(layers, engine.voltages(), strict=True)):
            arrived[k] += torch.from_numpy(arrivals(coming[k]))
            active[k] += int(act.fired[k].sum())
            updates[k] += membrane_updates(torch.where(v > layer.cuba.threshold, 0, v).transpose(0, 1))
    held = {f"{k}.{name}": part for k, layer in enumerate(layers) for name, part in _stored(layer).items()}
    return Operations(
        samples=n,
        steps=n * steps,
        connections=[
            synapses(f"layer{k + 1}", layer.W.t(), arrived[k], n * steps, spikes=True) for k, layer in enumerate(layers)
        ],
        populations=[
            Population(f"layer{k + 1}", active[k], n * steps * layer.W.shape[1], updates[k])
            for k, layer in enumerate(layers)
        ],
        parameters=held,
    )


def on_cpu(layer: Held) -> Held:
    return layer._replace(W=layer.W.cpu(), w=layer.w.cpu(), delay=layer.delay.cpu(), scale=layer.scale.cpu())


def _stored(layer: Held) -> dict[str, torch.Tensor]:
    """Weights of 8 bits, delays of 6 bits in a byte, two decays and a threshold; in floats as they are."""
    if layer.unit == 1:
        return {"W": layer.W, "delay": layer.delay, "neuron": torch.zeros(3)}
    return {"W": layer.W, "delay": layer.delay.to(torch.uint8), "neuron": torch.zeros(3, dtype=torch.int32)}
