"""Evaluation of a trained perceptron on host and chip: the tutorial's accuracies, and the cost of a prediction."""

from collections.abc import Mapping
from typing import Any

import torch

from neurobench.data.dataset import Split, Splits
from neurobench.devices.mac.protocol import AnalogMac
from neurobench.kernels.random import derive
from neurobench.metrics.operations import Operations, linear, population
from neurobench.models.hxtorch.learner import PASS, HXTorchMLPLearner
from neurobench.models.hxtorch.network import Network
from neurobench.models.learner import TrainingRecord

_BLOCK = 1000  # samples evaluated at once: bounds memory


def tutorial_metrics(learner: HXTorchMLPLearner, splits: Splits, record: TrainingRecord) -> Mapping[str, float]:
    """Accuracy after each phase, mean over `passes` noisy passes over the test set.

    The last phase on the host, or the weights that training started from, are evaluated on the linear model and, as
    `transfer_accuracy`, on the device; phases on the device are evaluated on it.
    """
    plan = learner.spec.plan
    ends = {name: end["weights"] for name in plan if (end := record.snapshots.get(f"end/{name}")) is not None}
    on_host = {name: weights for name, weights in ends.items() if plan[name].where == "host"}
    if learner.initial_weights is not None:
        on_host = {"host": learner.initial_weights}
    stages = {}
    if on_host:
        name, weights = list(on_host.items())[-1]
        stages[name] = (weights, learner.host)
        if learner.host is not learner.mac:
            stages["transfer"] = (weights, learner.mac)
    stages |= {name: (weights, learner.mac) for name, weights in ends.items() if plan[name].where == "device"}
    return {
        f"{stage}_accuracy": accuracy(learner, splits.test, learner.net.with_weights(weights), mac)
        for stage, (weights, mac) in stages.items()
    }


def accuracy(learner: HXTorchMLPLearner, split: Split, net: Network, mac: AnalogMac) -> float:
    """Mean accuracy over `passes`, each with new noise."""
    passes, correct = learner.spec.passes, 0
    for number in range(passes):
        for block, index in enumerate(torch.arange(len(split)).split(_BLOCK)):
            x, y = split.batch(index)
            seed = derive(learner.seeds.training, PASS, number, block)
            logits = learner.forward(learner.inputs(x), mac, seed, net).logits
            correct += int((logits.argmax(1) == y.to(learner.device)).sum())
    return correct / (passes * len(split))


def operations(learner: HXTorchMLPLearner, x: Any) -> Operations:
    """Operations with synapses as on the array: rounded, one column per averaged copy. Inputs are graded (5 bits), so
    each product is one MAC, however often the input is sent. With `exact` nothing is rounded or copied."""
    net, act = learner.net, learner.respond(x)
    connections = []
    for name, layer, inputs in (("first", net.first, act.x), ("second", net.second, act.hidden)):
        weight = layer.weight
        if not learner.spec.exact:
            weight, inputs = weight.round().repeat_interleave(layer.avg, dim=0), inputs.round()
        connections.append(linear(name, weight, inputs, spikes=False))
    parameters = {str(number): part for number, part in enumerate(net.parameters())}
    return Operations(len(act.x), len(act.x), connections, [population("hidden", act.hidden)], parameters)
