"""What it costs to classify an image; the sampler is needed for learning alone."""

from __future__ import annotations

from typing import Any

from neurobench.metrics.operations import Operations, linear, population
from neurobench.models.qrbm.classifier import Classifier, MachineClassifier
from neurobench.problems.rbm import p_hidden


def operations(learner: MachineClassifier, x: Any) -> Operations:
    """v (B, V) -> hidden probabilities (B, H) -> features (B, F) -> classes. Binary pixels count as spikes."""
    rbm, readout, v = learner.rbm, learner.fitted, learner.pixels(x)
    return Operations(
        samples=len(v),
        steps=len(v),
        connections=[
            linear("visible_hidden", rbm.W.t(), v, spikes=learner.threshold is not None),
            linear("readout", readout.weight.t(), learner.features_of(v), spikes=False),
        ],
        populations=[population("hidden", p_hidden(rbm, v))],
        parameters={"W": rbm.W, "b": rbm.b, "weight": readout.weight, "bias": readout.bias},
        buffers={"mean": readout.mean, "scale": readout.scale},
    )


def readout_operations(learner: Classifier, x: Any) -> Operations:
    """Logistic regression alone: pixels (B, V) -> classes."""
    readout, v = learner.fitted, learner.pixels(x)
    return Operations(
        samples=len(v),
        steps=len(v),
        connections=[linear("readout", readout.weight.t(), v, spikes=learner.threshold is not None)],
        populations=[],
        parameters={"weight": readout.weight, "bias": readout.bias},
        buffers={"mean": readout.mean, "scale": readout.scale},
    )
