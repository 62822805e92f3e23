"""The figures of `figures.figures`, drawn. A second process may draw them: no torch is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import AsinhNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

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

NEURONS = 5  # neurons plotted of each dynamic variable
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


def learning_performance(
    updates: Mapping[str, Sequence[float]], epochs: Sequence[Mapping[str, Any]], tested: Sequence[tuple[float, float]]
) -> Figure:
    """Loss and error of each batch, before it was learned, with the mean of the last batches; of held-out samples
    after each epoch; of the iterations of the test phase, which follow training. `updates`: loss and accuracy of each;
    `epochs`: rows of metrics.jsonl; `tested`: loss and error of each iteration of the test phase."""
    figure, panels = stack(2, height=1.4)
    phases = _phases(len(updates["loss"]), epochs, tested)
    courses = {
        "loss, half the\nsum of squared errors": np.array(updates["loss"]),
        "error": 1.0 - np.array(updates["accuracy"]),
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
        border = len(updates["loss"]) + 0.5
        for words, side in (("training ", "right"), (" test", "left")):
            look: dict[str, Any] = {"fontsize": 6, "color": LIMIT, "ha": side, "va": "bottom"}
            panels[0].annotate(words, (border, 1.0), xycoords=("data", "axes fraction"), **look)
    in_per_cent(panels[1])
    few_ticks(panels[1], "iteration (batch of samples)")
    align_ylabels(panels)
    legend(figure, panels[0])
    return figure


Points = dict[str, tuple[Sequence[float], Sequence[float], str]]  # phase -> iterations, values, colour


def _phases(
    n: int, epochs: Sequence[Mapping[str, Any]], tested: Sequence[tuple[float, float]]
) -> tuple[Points, Points]:
    """Points of loss and of error in phases other than training, which had n updates."""
    loss: Points = {}
    error: Points = {}
    held_out = [row for row in epochs if "validation_loss" in row]
    if held_out:
        at = [n * row["epoch"] / len(epochs) for row in held_out]
        loss["validation"] = at, [row["validation_loss"] for row in held_out], VALIDATION
        error["validation"] = at, [1 - row["validation_accuracy"] for row in held_out], VALIDATION
    if tested:
        at = [n + k for k in range(1, len(tested) + 1)]
        loss["test"] = at, [loss for loss, _ in tested], TEST
        error["test"] = at, [error for _, error in tested], TEST
    return loss, error


def weight_time_courses(at: np.ndarray, weights: Mapping[str, np.ndarray], what: str) -> Figure:
    """A few weights of each kind, (snapshots, W). `at`: when the snapshots were taken; `what`: its label."""
    figure, panels = stack(len(weights), height=1.2)
    for axes, (kind, values) in zip(panels, weights.items(), strict=True):
        axes.step(at, values, where="post", linewidth=0.9)
        axes.set_ylabel(rf"$W_\mathrm{{{kind}}}$ (pA)")
    panels[-1].set_xlabel(what)
    align_ylabels(panels)
    return figure


def dynamic_variables(
    label: int, classes: Sequence[str], when: str, steps: int, variables: Mapping[str, Any]
) -> Figure:
    """Recorded variables of the first test sample over T steps: all inputs and spikes, by their steps and neurons; of
    the others, (T, neurons), a few neurons, but all readouts."""
    figure, panels = stack(len(variables), height=0.8)
    name = class_label(classes, label)
    for axes, (variable, values) in zip(panels, variables.items(), strict=True):
        if variable == "inputs":
            axes.plot(*values, ".", color=LIMIT, markersize=0.8)
        elif variable == "spikes":
            axes.plot(*values, ".", color=series(0), markersize=1)
        elif variable in ("readout_v", "target", "readout", "error"):
            axes.plot(values, linewidth=0.6)
            axes.plot(values[:, label], color="black", linewidth=1.2, label=f"readout of class {name}")
        else:
            axes.plot(values[:, :NEURONS], linewidth=0.6)
        axes.set_ylabel(LABELS[variable])
    panels[-1].set(xlabel="time (ms)", xlim=(0, steps))
    panels[0].set_title(f"first test sample, class {name}, {when}")
    align_ylabels(panels)
    legend(figure, *panels)
    return figure


def weight_matrices(before: Sequence[np.ndarray], after: Sequence[np.ndarray]) -> Figure:
    """Matrices from inputs, recurrent and to readouts, before and after training. White: no synapse, or a weight of 0.
    Each row has one scale to its largest weight, linear up to the median one and logarithmic above, so that small
    weights are visible too."""
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
