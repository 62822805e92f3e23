"""The tutorial's figures of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from neurobench.data.dataset import Split
from neurobench.figures.style import COLUMN, LIMIT, SIGNED, TRAIN, class_name, in_per_cent, legend, series, stack
from neurobench.kernels.eprop.forward import Numbers
from neurobench.kernels.eprop.records import Constants
from neurobench.models.eprop.inputs import Spikes
from neurobench.models.eprop.learner import KINDS, EpropLearner
from neurobench.models.eprop.minibatch import BsshslmEngine, recorded
from neurobench.models.eprop.network import Matrices, Recording, Weights
from neurobench.models.eprop.stream import ExactEngine
from neurobench.models.learner import TrainingRecord

NEURONS = 5  # drawn of each dynamic variable
LABELS = {
    "inputs": r"$z_i$ (input)",
    "spikes": r"$z_j$ (recur.)",
    "v": r"$v_j$ (mV)",
    "psi": r"$\psi_j$",
    "learning_signal": r"$L_j$ (pA)",
    "readout": r"$y_k$",
    "error": r"$y_k - y_k^*$",
}


class Sample(NamedTuple):
    """One sample through the network, every step of it recorded."""

    title: str
    spikes: Spikes
    label: int
    name: str  # of its class
    recording: Recording  # T steps, the first event in step 2


def figures(learner: EpropLearner, test: Split, record: TrainingRecord) -> Mapping[str, Figure | bytes]:
    """By file name without suffix."""
    trained = learner.weights()
    drawn: dict[str, Figure | bytes] = {"weight_matrices": weight_matrices(learner.initial[:3], trained[:3])}
    if record.updates:
        drawn["learning_performance"] = learning_performance(record)
    if taken := {label: weights for label, weights in record.snapshots.items() if label.startswith("weights/")}:
        drawn["weight_time_courses"] = weight_time_courses(taken)
    if learner.spec.record and len(test):
        spikes, label = learner.inputs.encode(test.batch(slice(1)).x, learner.c.T), int(test.y[0])  # type: ignore[arg-type]
        numbers = learner.engine.numbers if isinstance(learner.engine, BsshslmEngine) else None
        for when, weights in (("before", learner.initial), ("after", trained)):
            rows = run_sample(learner.c, weights, spikes, label, numbers)
            sample = Sample(f"{when} training", spikes, label, class_name(test.classes, label), rows)
            drawn[f"dynamic_variables_{when}_training"] = dynamic_variables(sample, learner.spec.record)
    return drawn


def run_sample(c: Constants, weights: Weights, spikes: Spikes, label: int, numbers: Numbers | None = None) -> Recording:
    """One sample from rest, at learning rate 0, in NEST's arithmetic whatever the engine: recording costs training
    nothing. `numbers` are those of iaf_bsshslm_2020."""
    if numbers is not None:
        return recorded(c, numbers, weights, spikes, label)
    engine = ExactEngine(c._replace(adam=False, each_step=False, batch=1), weights)
    return engine.learn(spikes, np.array([label]), 0.0, record=c.T)[1]


def learning_performance(record: TrainingRecord) -> Figure:
    """Loss and error of each batch, before it was learned, and the mean of the batches around it."""
    figure, panels = stack(2, height=1.4)
    courses = {
        "loss, half the\nsum of squared errors": np.array(record.updates["loss"]),
        "error": 1.0 - np.array(record.updates["accuracy"]),
    }
    for axes, (label, values) in zip(panels, courses.items(), strict=True):
        iteration = np.arange(1, len(values) + 1)
        width = max(1, len(values) // 40)
        faint = 0.35 if width > 1 else 1  # behind their mean
        axes.plot(iteration, values, ".", color=TRAIN, alpha=faint, markeredgewidth=0, label="each batch")
        if width > 1:
            windows = np.lib.stride_tricks.sliding_window_view(values, width)
            mean, sd, end = windows.mean(1), windows.std(1), iteration[width - 1 :]
            axes.plot(end, mean, color=TRAIN, label=f"mean of the last {width} ± sd")
            axes.fill_between(end, mean - sd, mean + sd, color=TRAIN, alpha=0.15, linewidth=0)
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
    in_per_cent(panels[1])
    panels[1].set_xlabel("iteration (batch of samples)")
    figure.align_ylabels()
    legend(figure, panels[0])
    return figure


def weight_time_courses(taken: Mapping[str, Mapping[str, Tensor]]) -> Figure:
    """A few weights of each kind over the batches, by the label of their snapshot."""
    iteration = [int(label.removeprefix("weights/")) for label in taken]
    figure, panels = stack(len(KINDS), height=1.2)
    for axes, kind in zip(panels, KINDS, strict=True):
        axes.step(iteration, np.array([weights[kind] for weights in taken.values()]), where="post", linewidth=0.9)
        axes.set_ylabel(rf"$W_\mathrm{{{kind}}}$ (pA)")
    panels[-1].set_xlabel("iteration (batch of samples)")
    figure.align_ylabels()
    return figure


def dynamic_variables(sample: Sample, variables: Sequence[str]) -> Figure:
    """The recorded variables of the first test sample: all spikes, a few neurons' traces, all readouts."""
    figure, panels = stack(len(variables), height=0.8)
    for axes, name in zip(panels, variables, strict=True):
        _draw(axes, sample, name)
    panels[-1].set(xlabel="time (ms)", xlim=(0, len(sample.recording.v)))
    panels[0].set_title(f"first test sample, class {sample.name}, {sample.title}")
    figure.align_ylabels()
    legend(figure, *panels)
    return figure


def _draw(axes: Axes, sample: Sample, name: str) -> None:
    rows = sample.recording
    if name == "inputs":
        axes.plot(sample.spikes.steps() + 2, sample.spikes.source, ".", color=LIMIT, markersize=0.8)
    elif name == "spikes":
        axes.plot(*np.nonzero(rows.z), ".", color=series(0), markersize=1)
    elif name in ("readout", "error"):
        values = rows.out if name == "readout" else rows.error
        axes.plot(values, linewidth=0.6)
        axes.plot(values[:, sample.label], color="black", linewidth=1.2, label=f"readout of class {sample.name}")
    else:
        values = {"v": rows.v, "psi": rows.psi, "learning_signal": rows.L}[name]
        axes.plot(values[:, :NEURONS], linewidth=0.6)
    axes.set_ylabel(LABELS[name])


def weight_matrices(before: Matrices, after: Matrices) -> Figure:
    """White: no synapse, or a weight of 0. Each row has one scale, that of its 99.9th percentile."""
    figure = Figure(figsize=(COLUMN, 4.4), layout="constrained")
    panels = figure.subplots(3, 2, height_ratios=(3, 2, 1))
    for row, (name, *pair) in enumerate(zip(("input", "recurrent", "readout"), before, after, strict=True)):
        limit = max(float(np.quantile(np.abs(matrix), 0.999)) for matrix in pair)
        for axes, matrix, when in zip(panels[row], pair, ("before", "after"), strict=True):
            shown = matrix.T if row == 0 else matrix
            mesh = axes.imshow(shown, cmap=SIGNED, vmin=-limit, vmax=limit, aspect="auto", interpolation="none")
            axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
            if row == 0:
                axes.set_title(f"{when} training")
        panels[row][0].set_ylabel(f"{name}\nneuron")
        panels[row][1].set_yticklabels([])
        figure.colorbar(mesh, ax=list(panels[row]), label="weight (pA)", shrink=0.9)
    for axes in panels[-1]:
        axes.set_xlabel("recurrent neuron")
    figure.align_ylabels()
    return figure
