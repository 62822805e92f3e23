"""The tutorial's figures of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from neurobench.models.eprop.bsshslm import BsshslmEngine
from neurobench.models.eprop.history import KINDS, History
from neurobench.models.eprop.initial import Weights
from neurobench.models.eprop.snapshot import Snapshot, snapshot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neurobench.data.dataset import Split
    from neurobench.models.eprop.learner import EpropLearner

BLUE, RED = "#2854c5", "#e04b40"  # told apart by colour-blind readers
SHADES = LinearSegmentedColormap.from_list("weights", (BLUE, "white", RED))
NEURONS = 5  # drawn of each dynamic variable

Matrices = tuple[np.ndarray, ...]


def all_figures(learner: EpropLearner, test: Split) -> dict[str, Figure | bytes]:
    after = learner.engine.weights()
    found: dict[str, Figure | bytes] = {"weight_matrices": weight_matrices(learner.initial[:3], after)}
    if learner.history.loss:
        found["learning_performance"] = learning_performance(learner.history)
    if learner.recipe.record_weights and learner.history.courses:
        found["weight_time_courses"] = weight_time_courses(learner.history)
    if learner.recipe.record and len(test):
        spikes = learner.wiring.encode(test.x[:1], learner.c.T)  # type: ignore[arg-type]
        trained = Weights(*after, *learner.initial[3:])
        rule = learner.engine.rule if isinstance(learner.engine, BsshslmEngine) else None
        for name, weights in (("before", learner.initial), ("after", trained)):
            taken = snapshot(f"{name} training", learner.c, weights, spikes, int(test.y[0]), rule)
            found[f"dynamic_variables_{name}_training"] = dynamic_variables(taken, learner.recipe.record)
    return found


def learning_performance(history: History) -> Figure:
    """Loss and error of each group of samples, before it was learned, and the mean of the groups around it."""
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    panels = figure.subplots(2, 1, sharex=True)
    error = 1.0 - np.array(history.accuracy)
    labels = (r"$\frac{1}{2}\,\langle\sum_t (y_k^t - y_k^{*,t})^2\rangle$", "error")
    for axes, values, label in zip(panels, (np.array(history.loss), error), labels, strict=True):
        iteration = np.arange(1, len(values) + 1)
        axes.plot(iteration, values, ".", color=BLUE, markersize=3, alpha=0.4, label="each group")
        width = max(1, len(values) // 40)
        if width > 1:
            mean = np.convolve(values, np.ones(width) / width, "valid")
            axes.plot(iteration[width - 1 :], mean, color=RED, label=f"mean of the last {width}")
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    panels[0].legend(frameon=False)
    panels[1].set_xlabel("iteration (group of samples)")
    return figure


def dynamic_variables(taken: Snapshot, record: tuple[str, ...]) -> Figure:
    """The recorded variables of the first test sample: all spikes, a few neurons' traces, all readouts."""
    rec = taken.recorded
    drawings = {
        "v": (rec.v[:, :NEURONS], r"$v_j$ (mV)"),
        "psi": (rec.psi[:, :NEURONS], r"$\psi_j$"),
        "learning_signal": (rec.L[:, :NEURONS], r"$L_j$ (pA)"),
        "readout": (rec.out, r"$y_k$"),
        "error": (rec.error, r"$y_k - y_k^*$"),
    }
    figure = Figure(figsize=(7.2, 1.0 + 1.25 * len(record)), layout="constrained")
    panels = np.atleast_1d(figure.subplots(len(record), 1, sharex=True))
    for axes, name in zip(panels, record, strict=True):
        if name in ("inputs", "spikes"):
            _raster(axes, taken, name)
        else:
            values, label = drawings[name]
            axes.plot(values, linewidth=0.8)
            axes.set_ylabel(label)
            if name in ("readout", "error") and values.shape[1] > taken.label:
                axes.plot(values[:, taken.label], color="black", linewidth=1.4, label=f"class {taken.label}")
                axes.legend(frameon=False, fontsize=8, loc="upper left")
        axes.grid(alpha=0.2)
    panels[-1].set_xlabel("step (ms)")
    panels[-1].set_xlim(0, len(rec.v))
    figure.suptitle(f"first test sample, {taken.title}", fontsize=11)
    figure.align_ylabels()
    return figure


def _raster(axes: Axes, taken: Snapshot, name: str) -> None:
    if name == "inputs":
        step = np.repeat(np.arange(len(taken.spikes.start) - 1), np.diff(taken.spikes.start)) + 2
        axes.plot(step, taken.spikes.source, ".", color=BLUE, markersize=0.8)
        axes.set_ylabel(r"$z_i$ (input)")
    else:
        step, unit = np.nonzero(taken.recorded.z)
        axes.plot(step, unit, ".", color=BLUE, markersize=1.2)
        axes.set_ylabel(r"$z_j$ (recurrent)")


def weight_time_courses(history: History) -> Figure:
    """A few weights of each kind over the groups of samples."""
    figure = Figure(figsize=(6.4, 6.0), layout="constrained")
    for axes, kind in zip(figure.subplots(3, 1, sharex=True), KINDS, strict=True):
        course = np.array(history.courses[kind])
        iteration = np.linspace(1, len(history.loss), len(course))
        axes.step(iteration, course, where="post", linewidth=0.9)
        axes.set_ylabel(rf"$W_\mathrm{{{kind}}}$ (pA)")
        axes.grid(alpha=0.3)
    axes.set_xlabel("iteration (group of samples)")
    figure.align_ylabels()
    return figure


def weight_matrices(before: Matrices, after: Matrices) -> Figure:
    """White: no synapse, or a weight of 0. Each row has one scale, that of its 99.9th percentile."""
    figure = Figure(figsize=(8.0, 9.0), layout="constrained")
    panels = figure.subplots(3, 2, height_ratios=(3, 2, 1))
    words = ("input", "recurrent", "readout")
    for row, (name, *pair) in enumerate(zip(words, before, after, strict=True)):
        limit = max(float(np.quantile(np.abs(matrix), 0.999)) for matrix in pair)
        for column, (axes, matrix, when) in enumerate(zip(panels[row], pair, ("before", "after"), strict=True)):
            shown = matrix.T if row == 0 else matrix
            mesh = axes.imshow(shown, cmap=SHADES, vmin=-limit, vmax=limit, aspect="auto", interpolation="none")
            axes.set_xlabel("recurrent neurons")
            if row == 0:
                axes.set_title(f"{when} training")
            if column == 0:
                axes.set_ylabel(f"{name} neurons")
        figure.colorbar(mesh, ax=list(panels[row]), label="weight (pA)", shrink=0.9)
    return figure
