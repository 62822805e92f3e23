"""What the tutorial prints after some of its epochs, and what a core computes for a prediction."""

from collections.abc import Mapping
from typing import Any

import torch

from neurobench.data.dataset import Splits
from neurobench.devices.core.mesh import Activity
from neurobench.metrics.operations import Operations, Population, membrane_updates, synapses
from neurobench.models.learner import TrainingRecord
from neurobench.models.slayer.convolution import unrolled
from neurobench.models.slayer.engine import EventEngine
from neurobench.models.slayer.learner import BLOCK, SlayerLearner
from neurobench.models.slayer.neuron import FixedNeuron
from neurobench.models.slayer.spikes import arrivals, as_dense


def tutorial_metrics(learner: SlayerLearner, splits: Splits, record: TrainingRecord) -> Mapping[str, float]:
    """Losses as lava-dl prints them, and accuracies, while learning and on the test set. Nothing was chosen by them."""
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
    """Every product is an accumulation of a spike. Parameters as a core stores them: weights of 8 bits, delays of 6
    bits in a byte, two decays and a threshold; in floats as they are."""
    engine, layers = EventEngine(), [unrolled(layer) for layer in learner.quantized]
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
    connections, populations, parameters = [], [], {}
    for k, layer in enumerate(layers):
        delay = learner.quantized[k].delay
        name, fixed = f"layer{k + 1}", isinstance(layer.neuron, FixedNeuron)
        connections.append(synapses(name, layer.W.t(), arrived[k], n * steps, spikes=True))
        populations.append(Population(name, active[k], n * steps * layer.W.shape[1], updates[k]))
        parameters[f"{k}.W"] = learner.quantized[k].W
        parameters[f"{k}.delay"] = delay.to(torch.uint8) if fixed else delay
        parameters[f"{k}.neuron"] = torch.zeros(3, dtype=torch.int32 if fixed else torch.float32)
    return Operations(n, n * steps, connections, populations, parameters)


def activity(learner: SlayerLearner, x: Any) -> Activity:
    """Spikes in the steps in which they arrive, delays passed: those that come too late are not among them."""
    engine, layers = EventEngine(), [unrolled(layer) for layer in learner.quantized]
    inputs = learner.inputs(x)
    engine.run(inputs, layers, learns=True)
    spikes = [as_dense(each).transpose(0, 1) > 0 for each in (inputs, *engine.arrivals())]
    updates = []
    for layer, v in zip(layers, engine.voltages(), strict=True):
        held = torch.where(v > layer.neuron.threshold, 0, v)  # what a step hands to the next
        before = torch.cat([torch.zeros_like(held[:, :1]), held[:, :-1]], 1)
        updates.append(held != before)
    return Activity([layer.W for layer in layers], spikes, updates)
