"""What it costs to classify with a machine's hidden units."""

from __future__ import annotations

from torch import Tensor

from neurobench.metrics.operations import Operations, linear, population
from neurobench.models.common.readout import Readout
from neurobench.models.qrbm import rbm as equations
from neurobench.problems.rbm import RBM


def of_machine(rbm: RBM, readout: Readout, v: Tensor, features: Tensor, *, binary: bool) -> Operations:
    """v (B, V) -> hidden probabilities (B, H) -> `features` (B, F) -> classes. Binary pixels come as spikes do."""
    return Operations(
        samples=len(v),
        steps=len(v),
        connections=[
            linear("visible_hidden", rbm.W.t(), v, spikes=binary),
            linear("readout", readout.weight.t(), features, spikes=False),
        ],
        populations=[population("hidden", equations.p_hidden(rbm, v))],
        parameters={"W": rbm.W, "b": rbm.b, "weight": readout.weight, "bias": readout.bias},
        buffers={"mean": readout.mean, "scale": readout.scale},
    )


def of_readout(readout: Readout, x: Tensor, *, binary: bool) -> Operations:
    """Logistic regression alone: x (B, F) -> classes."""
    return Operations(
        samples=len(x),
        steps=len(x),
        connections=[linear("readout", readout.weight.t(), x, spikes=binary)],
        populations=[],
        parameters={"weight": readout.weight, "bias": readout.bias},
        buffers={"mean": readout.mean, "scale": readout.scale},
    )
