"""What a core computes for its predictions: every product is an accumulation of a spike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from neurobench.metrics.operations import Operations, Population, membrane_updates, synapses
from neurobench.models.slayer.engine import EventEngine
from neurobench.models.slayer.learner import BLOCK
from neurobench.models.slayer.network import QuantizedLayer
from neurobench.models.slayer.neuron import FixedNeuron
from neurobench.models.slayer.spikes import arrivals

if TYPE_CHECKING:
    from neurobench.models.slayer.learner import SlayerLearner


def operations(learner: SlayerLearner, x: Any) -> Operations:
    """Synapses as the core holds them."""
    engine, layers = EventEngine(), [layer.cpu() for layer in learner.quantized]
    n, steps = len(x), learner.spec.steps
    arrived = [torch.zeros(len(layer.W), dtype=torch.int64) for layer in layers]
    active, updates = [0] * len(layers), [0] * len(layers)
    for index in torch.arange(n).split(BLOCK):
        inputs = learner.inputs(x[index])
        act = engine.run(inputs, layers, learns=True)
        arriving = [inputs, *engine.arrivals()[:-1]]
        for k, (layer, v) in enumerate(zip(layers, engine.voltages(), strict=True)):
            arrived[k] += torch.from_numpy(arrivals(arriving[k]))
            active[k] += int(act.fired[k].sum())
            updates[k] += membrane_updates(torch.where(v > layer.neuron.threshold, 0, v).transpose(0, 1))
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
        parameters={f"{k}.{name}": part for k, layer in enumerate(layers) for name, part in _stored(layer).items()},
    )


def _stored(layer: QuantizedLayer) -> dict[str, torch.Tensor]:
    """Weights of 8 bits, delays of 6 bits in a byte, two decays and a threshold; in floats as they are."""
    if not isinstance(layer.neuron, FixedNeuron):
        return {"W": layer.W, "delay": layer.delay, "neuron": torch.zeros(3)}
    return {"W": layer.W, "delay": layer.delay.to(torch.uint8), "neuron": torch.zeros(3, dtype=torch.int32)}
