"""The tutorial's figures of a run, as data for `drawings`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from neurobench.data.dataset import Split
from neurobench.figures.drawing import Drawing
from neurobench.kernels.eprop.forward import Numbers
from neurobench.kernels.eprop.records import Constants
from neurobench.models.eprop.evaluation import run_test_phase
from neurobench.models.eprop.inputs import Spikes
from neurobench.models.eprop.learner import KINDS, EpropLearner
from neurobench.models.eprop.minibatch import BsshslmEngine, output_error, recorded
from neurobench.models.eprop.network import Recording, Weights
from neurobench.models.eprop.stream import ExactEngine
from neurobench.models.learner import TrainingRecord

PANELS = {"readout": ("readout_v", "target", "readout")}  # of a recorded variable, if not just one of its own name
_DRAWINGS = "neurobench.models.eprop.drawings"


def figures(learner: EpropLearner, test: Split, record: TrainingRecord) -> Mapping[str, Drawing]:
    """Figures by file name without suffix."""
    spec, c, trained = learner.spec, learner.c, learner.weights()
    sizes, times, tau = (c.inputs, c.N, c.K), (c.T, c.W), (spec.tau_m, spec.tau_out)
    matrices = tuple(learner.initial[:3]), tuple(trained[:3])
    known = {
        "architecture": Drawing(
            "neurobench.models.eprop.architecture.architecture", (sizes, spec.neuron, spec.sparsity, times, tau)
        ),
        "weight_matrices": Drawing(f"{_DRAWINGS}.weight_matrices", matrices),
    }
    if record.updates:
        courses = {name: record.updates[name] for name in ("loss", "accuracy")}
        tested = [tuple(one) for one in run_test_phase(learner, test)]
        known["learning_performance"] = Drawing(f"{_DRAWINGS}.learning_performance", (courses, record.epochs, tested))
    if taken := {label: weights for label, weights in record.snapshots.items() if label.startswith("weights/")}:
        updates = len(record.updates.get("loss", ()))
        known["weight_time_courses"] = Drawing(
            f"{_DRAWINGS}.weight_time_courses", _time_courses(learner, taken, updates)
        )
    if spec.record and len(test):
        spikes, label = learner.inputs.encode(test.batch(slice(1)).x, c.T), int(test.y[0])  # type: ignore[arg-type]
        numbers = learner.engine.numbers if isinstance(learner.engine, BsshslmEngine) else None
        for when, weights in (("before", learner.with_feedback(learner.initial)), ("after", trained)):
            rows = run_sample(c, weights, spikes, label, numbers)
            sample = (label, test.classes, f"{when} training", c.T, _variables(spikes, rows, label, spec.record))
            name = f"dynamic_variables_{when}_training"
            known[name] = Drawing(f"{_DRAWINGS}.dynamic_variables", sample)
    return known


def run_sample(c: Constants, weights: Weights, spikes: Spikes, label: int, numbers: Numbers | None = None) -> Recording:
    """Run one sample from rest, at learning rate 0, in NEST's arithmetic whatever the engine, so that recording does
    not slow training. `numbers` are those of iaf_bsshslm_2020."""
    if numbers is not None:
        return recorded(c, numbers, weights, spikes, label)
    engine = ExactEngine(c._replace(adam=False, each_step=False, batch=1), weights)
    rows = engine.learn(spikes, np.array([label]), 0.0, record=c.T)[1]
    if c.softmax:  # NEST's neurons have no such error; at learning rate 0 it affects nothing but these rows
        learning = (rows.error != 0).any(1)
        rows.error[learning] = output_error(c, rows.out[learning], label)
        rows.L[1:] = rows.error[:-1] @ weights.feedback.T
    return rows


def _variables(spikes: Spikes, rows: Recording, label: int, variables: Sequence[str]) -> dict[str, Any]:
    """Values of each panel of `drawings.dynamic_variables`, of a sample whose first event is in step 2."""
    target = (rows.error != 0).any(1, keepdims=True) * np.eye(rows.out.shape[1])[label]
    values = {
        "inputs": (spikes.steps() + 2, spikes.source),
        "spikes": np.nonzero(rows.z),
        "v": rows.v,
        "psi": rows.psi,
        "learning_signal": rows.L,
        "readout_v": rows.out,
        "target": target,
        "readout": rows.error + target,
        "error": rows.error,
    }
    return {name: values[name] for variable in variables for name in PANELS.get(variable, (variable,))}


def _time_courses(
    learner: EpropLearner, taken: Mapping[str, Mapping[str, Tensor]], updates: int
) -> tuple[np.ndarray, dict[str, np.ndarray], str]:
    """Updates of the snapshots, for a stream their times; weights (snapshots, W) by kind, initial ones first; and what
    the first are."""
    iteration = np.array([0, *(int(label.removeprefix("weights/")) for label in taken)])
    steps = learner.engine.n if isinstance(learner.engine, ExactEngine) else 0  # of 1 ms
    scale = steps / updates / 1000 if steps and updates else 1.0
    weights = {
        kind: np.array([first, *(snapshot[kind].numpy() for snapshot in taken.values())])
        for kind, first in zip(KINDS, learner.initial_recorded(), strict=True)
    }
    return scale * iteration, weights, "time (s)" if steps and updates else "iteration (batch of samples)"
