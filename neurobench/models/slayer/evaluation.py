"""Metrics that the tutorial prints after some of its epochs, and the operations of a core for a prediction."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from neurobench.data.dataset import Splits
from neurobench.devices.core.mesh import Activity
from neurobench.metrics.operations import (
    Connection,
    Operations,
    Population,
    membrane_updates,
    shared_synapses,
    synapses,
)
from neurobench.models.learner import TrainingRecord
from neurobench.models.slayer.convolution import fan_out, sparse_weights
from neurobench.models.slayer.dense import DenseEngine
from neurobench.models.slayer.engine import EventEngine
from neurobench.models.slayer.gpu_engine import GpuEngine
from neurobench.models.slayer.learner import BLOCK, SlayerLearner
from neurobench.models.slayer.network import QuantizedLayer
from neurobench.models.slayer.neuron import FixedNeuron
from neurobench.models.slayer.spikes import as_dense


def tutorial_metrics(learner: SlayerLearner, splits: Splits, record: TrainingRecord) -> Mapping[str, float]:
    """Losses as lava-dl prints them, and accuracies, in training and on the test set. Nothing is selected by them."""
    metrics = {}
    n = len(splits.test)
    for label, network in record.snapshots.items():
        kind, _, epoch = label.partition("/")
        if kind != "epoch":
            continue
        trained = record.epochs[int(epoch)]
        metrics[f"epoch{epoch}_train_loss"] = trained["train_lava_loss"]
        metrics[f"epoch{epoch}_train_accuracy"] = trained["train_accuracy"]
        tested = learner.measure(splits.test.batch(slice(None)), learner.revived(network)).named()
        metrics[f"epoch{epoch}_test_loss"] = tested["lava_loss"] / n
        metrics[f"epoch{epoch}_test_accuracy"] = tested["correct"] / n
    return metrics


def operations(learner: SlayerLearner, x: Any) -> Operations:
    """Count operations, where every product is an accumulation of a spike. Parameters are counted as stored on a core:
    weights of 8 bits, delays of 6 bits in a byte, two decays and a threshold; floats unchanged. A pool's window is
    stored once."""
    n, steps, count = len(x), learner.spec.steps, len(learner.quantized)
    arrived = [torch.zeros(size, dtype=torch.int64) for size in learner.sizes[:-1]]
    active, updates = [0] * count, [0] * count
    for k, came, fired, changed in _counted(learner, x):
        arrived[k] += came
        active[k] += fired
        updates[k] += changed
    connections, populations, parameters = [], [], {}
    for k, layer in enumerate(learner.quantized):
        name, fixed = f"layer{k + 1}", isinstance(layer.neuron, FixedNeuron)
        connections.append(_connection(name, layer, arrived[k], n * steps))
        populations.append(Population(name, active[k], n * steps * learner.sizes[k + 1], updates[k]))
        parameters[f"{k}.W"] = _stored(layer)
        parameters[f"{k}.delay"] = layer.delay.to(torch.uint8) if fixed else layer.delay
        parameters[f"{k}.neuron"] = torch.zeros(3, dtype=torch.int32 if fixed else torch.float32)
    return Operations(n, n * steps, connections, populations, parameters)


def _counted(learner: SlayerLearner, x: Any) -> Iterator[tuple[int, Tensor, int, int]]:
    """For each block of samples and layer: layer number, arrivals of each input (I,), spikes, membrane changes.

    On a GPU convolutions run on the engine that trained them. All else runs on the CPU, from lists of spikes: on the
    engine that trained on the CPU, whose memory has been used before, or on a new one.
    """
    engine: EventEngine | DenseEngine | GpuEngine = learner.engine
    layers, arriving = learner.quantized, learner.arriving
    if not isinstance(engine, EventEngine) and not (learner.spec.convolutions and learner.device.type != "cpu"):
        engine, layers, arriving = EventEngine(), [layer.cpu() for layer in layers], learner.inputs
    for index in torch.arange(len(x)).split(BLOCK):
        act = engine.run(arriving(x[index]), layers, learns=True)
        for k, (layer, v, came) in enumerate(zip(layers, engine.voltages(), engine.arrived(), strict=True)):
            # A sample at a time, in place: it fits the cache, and new memory is slow at first
            held = (one.masked_fill_(one > layer.neuron.threshold, 0) for one in v)
            yield k, came.cpu(), int(act.fired[k].sum()), sum(map(membrane_updates, held))


def _stored(layer: QuantizedLayer) -> Tensor:
    """Weights to store: for a pool those of one window, which all its channels share."""
    conv = layer.conv
    return layer.W[: conv.kernel**2, 0] if conv is not None and conv.pools else layer.W


def _connection(name: str, layer: QuantizedLayer, arrived: Tensor, presented: int) -> Connection:
    weight, conv = layer.W.t(), layer.conv
    if conv is None:
        return synapses(name, weight, arrived, presented, spikes=True)
    if conv.pools:
        window, fans = _stored(layer), fan_out(conv)
        return Connection(name, True, arrived, presented, fans, fans, window.numel(), int((window != 0).sum()))
    kernels, images = weight.reshape(conv.channels, -1, conv.kernel, conv.kernel), arrived.view(conv.inputs)
    how = {"stride": conv.stride, "padding": conv.padding}
    return shared_synapses(name, kernels, images, presented, spikes=True, **how)


def activity(learner: SlayerLearner, x: Any) -> Activity:
    """Weights, spikes and membrane updates; spikes in their steps of arrival, after delays, but for those too late."""
    engine, layers = EventEngine(), [layer.cpu() for layer in learner.quantized]
    inputs = learner.inputs(x)
    engine.run(inputs, layers, learns=True)
    spikes = [as_dense(each).transpose(0, 1) > 0 for each in (inputs, *engine.arrivals())]
    updates = []
    for layer, v in zip(layers, engine.voltages(), strict=True):
        held = torch.where(v > layer.neuron.threshold, 0, v)  # voltage at the beginning of the next step
        before = torch.cat([torch.zeros_like(held[:, :1]), held[:, :-1]], 1)
        updates.append(held != before)
    weights = [layer.W if layer.conv is None else sparse_weights(layer.W, layer.conv) for layer in layers]
    return Activity(weights, spikes, updates)
