"""The tutorial's figures of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import AsinhNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from neurobench.data.dataset import Split
from neurobench.figures.style import (
    COLUMN,
    LIMIT,
    SIGNED,
    TEST,
    TRAIN,
    VALIDATION,
    align_ylabels,
    class_label,
    few_ticks,
    in_per_cent,
    legend,
    series,
    stack,
)
from neurobench.kernels.eprop.forward import Numbers
from neurobench.kernels.eprop.records import Constants
from neurobench.models.eprop.architecture import architecture
from neurobench.models.eprop.evaluation import run_test_phase
from neurobench.models.eprop.inputs import Spikes
from neurobench.models.eprop.learner import KINDS, EpropLearner, Tested
from neurobench.models.eprop.minibatch import BsshslmEngine, recorded
from neurobench.models.eprop.network import Matrices, Recording, Weights
from neurobench.models.eprop.stream import ExactEngine
from neurobench.models.learner import TrainingRecord

NEURONS = 5  # neurons plotted of each dynamic variable
PANELS = {"readout": ("readout_v", "target", "readout")}  # of a recorded variable, if not just one of its own name
PIXELS = 300  # rows of a matrix that a figure of column width can show
SPARSE = 0.05  # share of synapses below which a matrix is drawn as dots: single pixels are hardly visible
LABELS = {
    "inputs": r"$z_i$ (input)",
    "spikes": r"$z_j$ (recur.)",
    "v": r"$v_j$ (mV)",
    "psi": r"$\psi_j$",
    "learning_signal": r"$L_j$ (pA)",
    "readout_v": r"$v_k$ (mV)",
    "target": r"$y_k^*$",
    "readout": r"$y_k$",
    "error": r"$y_k - y_k^*$",
}


class Sample(NamedTuple):
    """A sample that has run through the network, with every step recorded."""

    title: str
    spikes: Spikes
    label: int
    name: str  # name of its class
    recording: Recording  # T steps, the first event in step 2


def figures(learner: EpropLearner, test: Split, record: TrainingRecord) -> Mapping[str, Figure | bytes]:
    """Figures by file name without suffix."""
    trained = learner.weights()
    drawn: dict[str, Figure | bytes] = {
        "architecture": architecture(learner.spec, learner.c),
        "weight_matrices": weight_matrices(learner.initial[:3], trained[:3]),
    }
    if record.updates:
        drawn["learning_performance"] = learning_performance(record, run_test_phase(learner, test))
    if taken := {label: weights for label, weights in record.snapshots.items() if label.startswith("weights/")}:
        updates = len(record.updates.get("loss", ()))
        drawn["weight_time_courses"] = weight_time_courses(learner, taken, updates)
    if learner.spec.record and len(test):
        spikes, label = learner.inputs.encode(test.batch(slice(1)).x, learner.c.T), int(test.y[0])  # type: ignore[arg-type]
        numbers = learner.engine.numbers if isinstance(learner.engine, BsshslmEngine) else None
        for when, weights in (("before", learner.initial), ("after", trained)):
            rows = run_sample(learner.c, weights, spikes, label, numbers)
            sample = Sample(f"{when} training", spikes, label, class_label(test.classes, label), rows)
            drawn[f"dynamic_variables_{when}_training"] = dynamic_variables(sample, learner.spec.record)
    return drawn


def run_sample(c: Constants, weights: Weights, spikes: Spikes, label: int, numbers: Numbers | None = None) -> Recording:
    """Run one sample from rest, at learning rate 0, in NEST's arithmetic whatever the engine, so that recording does
    not slow training. `numbers` are those of iaf_bsshslm_2020."""
    if numbers is not None:
        return recorded(c, numbers, weights, spikes, label)
    engine = ExactEngine(c._replace(adam=False, each_step=False, batch=1), weights)
    return engine.learn(spikes, np.array([label]), 0.0, record=c.T)[1]


def learning_performance(record: TrainingRecord, tested: Sequence[Tested] = ()) -> Figure:
    """Loss and error of each batch, before it was learned, with the mean of the last batches; of held-out samples
    after each epoch; of the iterations of the test phase, which follow training."""
    figure, panels = stack(2, height=1.4)
    phases = _phases(record, tested)
    courses = {
        "loss, half the\nsum of squared errors": np.array(record.updates["loss"]),
        "error": 1.0 - np.array(record.updates["accuracy"]),
    }
    for axes, (label, values), points in zip(panels, courses.items(), phases, strict=True):
        iteration = np.arange(1, len(values) + 1)
        width = max(1, len(values) // 40)
        faint = max(0.02, min(0.35, 400 / len(values))) if width > 1 else 1  # faint behind their mean
        marker = "." if width > 1 else "o"
        axes.plot(iteration, values, marker, color=TRAIN, alpha=faint, markeredgewidth=0, label="each batch")
        if width > 1:
            windows = np.lib.stride_tricks.sliding_window_view(values, width)
            mean, sd, end = windows.mean(1), windows.std(1), iteration[width - 1 :]
            axes.plot(end, mean, color=TRAIN, label=f"mean of the last {width} ± sd")
            axes.fill_between(end, mean - sd, mean + sd, color=TRAIN, alpha=0.15, linewidth=0)
        for phase, (at, measured, colour) in points.items():
            axes.plot(at, measured, "o" if phase == "test" else "s", color=colour, label=phase, clip_on=False)
        if tested:
            axes.axvline(len(values) + 0.5, color=LIMIT, linewidth=0.7, linestyle=":")
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
    if tested:
        border = len(record.updates["loss"]) + 0.5
        for words, side in (("training ", "right"), (" test", "left")):
            look: dict[str, Any] = {"fontsize": 6, "color": LIMIT, "ha": side, "va": "bottom"}
            panels[0].annotate(words, (border, 1.0), xycoords=("data", "axes fraction"), **look)
    in_per_cent(panels[1])
    few_ticks(panels[1], "iteration (batch of samples)")
    align_ylabels(panels)
    legend(figure, panels[0])
    return figure


Points = dict[str, tuple[Sequence[float], Sequence[float], str]]  # phase -> iterations, values, colour


def _phases(record: TrainingRecord, tested: Sequence[Tested]) -> tuple[Points, Points]:
    """Points of loss and of error in phases other than training."""
    n = len(record.updates["loss"])
    loss: Points = {}
    error: Points = {}
    held_out = [row for row in record.epochs if "validation_loss" in row]
    if held_out:
        at = [n * row["epoch"] / len(record.epochs) for row in held_out]
        loss["validation"] = at, [row["validation_loss"] for row in held_out], VALIDATION
        error["validation"] = at, [1 - row["validation_accuracy"] for row in held_out], VALIDATION
    if tested:
        at = [n + k for k in range(1, len(tested) + 1)]
        loss["test"] = at, [one.loss for one in tested], TEST
        error["test"] = at, [one.error for one in tested], TEST
    return loss, error


def weight_time_courses(learner: EpropLearner, taken: Mapping[str, Mapping[str, Tensor]], updates: int) -> Figure:
    """A few weights of each kind, initial ones first, by the update of their snapshot; for a stream by its time."""
    iteration = np.array([0, *(int(label.removeprefix("weights/")) for label in taken)])
    steps = learner.engine.n if isinstance(learner.engine, ExactEngine) else 0  # of 1 ms
    scale = steps / updates / 1000 if steps and updates else 1.0
    figure, panels = stack(len(KINDS), height=1.2)
    for axes, kind, first in zip(panels, KINDS, learner.initial_recorded(), strict=True):
        weights = np.array([first, *(snapshot[kind].numpy() for snapshot in taken.values())])
        axes.step(scale * iteration, weights, where="post", linewidth=0.9)
        axes.set_ylabel(rf"$W_\mathrm{{{kind}}}$ (pA)")
    panels[-1].set_xlabel("time (s)" if steps and updates else "iteration (batch of samples)")
    align_ylabels(panels)
    return figure


def dynamic_variables(sample: Sample, variables: Sequence[str]) -> Figure:
    """Recorded variables of the first test sample: all spikes, a few neurons' traces, all readouts."""
    names = [name for variable in variables for name in PANELS.get(variable, (variable,))]
    figure, panels = stack(len(names), height=0.8)
    for axes, name in zip(panels, names, strict=True):
        _draw(axes, sample, name)
    panels[-1].set(xlabel="time (ms)", xlim=(0, len(sample.recording.v)))
    panels[0].set_title(f"first test sample, class {sample.name}, {sample.title}")
    align_ylabels(panels)
    legend(figure, *panels)
    return figure


def _draw(axes: Axes, sample: Sample, name: str) -> None:
    rows = sample.recording
    if name == "inputs":
        axes.plot(sample.spikes.steps() + 2, sample.spikes.source, ".", color=LIMIT, markersize=0.8)
    elif name == "spikes":
        axes.plot(*np.nonzero(rows.z), ".", color=series(0), markersize=1)
    elif name in ("readout_v", "target", "readout", "error"):
        target = (rows.error != 0).any(1, keepdims=True) * np.eye(rows.out.shape[1])[sample.label]
        by_name = {"readout_v": rows.out, "target": target, "readout": rows.error + target, "error": rows.error}
        values = by_name[name]
        axes.plot(values, linewidth=0.6)
        axes.plot(values[:, sample.label], color="black", linewidth=1.2, label=f"readout of class {sample.name}")
    else:
        values = {"v": rows.v, "psi": rows.psi, "learning_signal": rows.L}[name]
        axes.plot(values[:, :NEURONS], linewidth=0.6)
    axes.set_ylabel(LABELS[name])


def weight_matrices(before: Matrices, after: Matrices) -> Figure:
    """Weight matrices before and after training. White: no synapse, or a weight of 0. Each row has one scale to its
    largest weight, linear up to the median one and logarithmic above, so that small weights are visible too."""
    figure = Figure(figsize=(COLUMN, 4.4), layout="constrained")
    panels = figure.subplots(3, 2, height_ratios=(3, 2, 1))
    for row, (name, *pair) in enumerate(zip(("input", "recurrent", "readout"), before, after, strict=True)):
        sizes = np.abs(np.concatenate([matrix[matrix != 0] for matrix in pair] or [np.ones(1)]))
        limit = float(sizes.max(initial=1e-12))
        norm = AsinhNorm(float(np.median(sizes)) if len(sizes) else limit, -limit, limit)
        for axes, matrix, when in zip(panels[row], pair, ("before", "after"), strict=True):
            shown = matrix.T if row == 0 else matrix
            mesh = _matrix(axes, shown, norm)
            axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
            if row == 0:
                axes.set_title(f"{when} training")
        panels[row][0].set_ylabel(f"{name}\nneuron")
        panels[row][1].set_yticklabels([])
        bar = figure.colorbar(mesh, ax=list(panels[row]), label="weight (pA)", shrink=0.9)
        room = norm(0.1 * limit) - norm(0.0) > 0.15  # share of the bar between labels
        ticks = (-1, -0.1, 0, 0.1, 1) if room else (-1, 0, 1)  # in units of the largest weight
        bar.set_ticks([limit * tick for tick in ticks], labels=[f"{limit * tick:.1g}" for tick in ticks])
        bar.minorticks_off()
    for axes in panels[-1]:
        axes.set_xlabel("recurrent neuron")
    align_ylabels(panels[:, 0])
    return figure


def _matrix(axes: Axes, w: np.ndarray, norm: AsinhNorm) -> Any:
    """Draw w (rows, columns). A pixel shows the strongest of the weights that fall on it."""
    look: dict[str, Any] = {"cmap": SIGNED, "norm": norm}
    rows, columns = w.shape
    extent = (-0.5, columns - 0.5, rows - 0.5, -0.5)
    if np.count_nonzero(w) < SPARSE * w.size:
        axes.set(xlim=extent[:2], ylim=extent[2:])
        row, column = np.nonzero(w)
        return axes.scatter(column, row, c=w[row, column], s=2.5, linewidths=0, **look)
    step = max(1, rows // PIXELS)
    padded = np.pad(w, ((0, -rows % step), (0, 0))).reshape(-1, step, columns)
    strongest = np.take_along_axis(padded, np.abs(padded).argmax(1)[:, None], 1)[:, 0]
    return axes.imshow(strongest, aspect="auto", interpolation="none", extent=extent, **look)
