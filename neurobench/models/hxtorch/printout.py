"""The tutorial's printout: the measured constants of the chip, and the network's summary on host and chip."""

from __future__ import annotations

from collections.abc import Iterator

from neurobench.models.hxtorch.learner import HXTorchMLPLearner
from neurobench.models.hxtorch.network import Layer
from neurobench.models.learner import Finished


def printout(learner: HXTorchMLPLearner, finished: Finished) -> Iterator[str]:
    """Lines of the printout. The tutorial prints no accuracy; here each phase's follows its summary."""
    yield f"gain factor: {learner.mac.gain:.5f}"
    yield f"noise std.: {learner.mac.noise_std:.5f}"
    plan, updates = learner.spec.plan, len(finished.record.updates["loss"])
    exact = updates == sum(phase.steps for phase in plan.values())  # otherwise phases are stretched
    for name, phase in plan.items():
        yield ""
        yield from summary(learner, mock=phase.where == "host")
        if (metric := f"{name}_accuracy") in finished.metrics:
            steps = f", {phase.steps} steps" if exact else ""
            yield f"phase {name}{steps}: test accuracy {finished.metrics[metric]:.2%}"


def summary(learner: HXTorchMLPLearner, mock: bool) -> Iterator[str]:
    """The network as hxtorch prints a module; mock: on the host's linear model."""
    net = learner.net
    yield "Model("
    yield "  (classifier): Sequential("
    yield f"    (0): {_linear(net.first, mock)}"
    yield f"    (1): ConvertingReLU(shift={net.shift})"
    yield f"    (2): {_linear(net.second, mock)}"
    yield "  )"
    yield ")"


def _linear(layer: Layer, mock: bool) -> str:
    outputs, inputs = layer.weight.shape
    averaged = f", avg={layer.avg}" if layer.avg > 1 else ""
    bias = "" if layer.bias is not None else ", bias=None"
    sends = f"num_sends={layer.num_sends}{averaged}"
    return f"Linear(in_features={inputs}, out_features={outputs}{bias}, {sends}, mock={mock})"
