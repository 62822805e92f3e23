"""What a prediction costs on the array."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from neurobench.metrics.operations import Connection, Operations, linear, population
from neurobench.models.hxtorch.layers import Layer
from neurobench.models.hxtorch.learner import HXTorchMLPLearner


def operations(learner: HXTorchMLPLearner, x: Any) -> Operations:
    """Synapses as they lie on the array: rounded, a column for each copy that is averaged. Inputs are graded (5 bits),
    so each product is a MAC, however often the input is sent. With `exact` nothing is rounded, nothing is copied.
    """
    net, act, exact = learner.net, learner.respond(x), learner.spec.exact
    return Operations(
        samples=len(act.x),
        steps=len(act.x),
        connections=[_on_array("first", net.first, act.x, exact), _on_array("second", net.second, act.hidden, exact)],
        populations=[population("hidden", act.hidden)],
        parameters={str(number): part for number, part in enumerate(net.parameters())},
    )


def _on_array(name: str, layer: Layer, x: Tensor, exact: bool) -> Connection:
    if exact:
        return linear(name, layer.weight, x, spikes=False)
    return linear(name, layer.weight.round().repeat_interleave(layer.avg, dim=0), x.round(), spikes=False)
