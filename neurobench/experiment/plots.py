"""Figures of every run: learning curve and confusion matrix. A second process may draw them: no torch is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from neurobench.figures.style import (
    COLUMN,
    PAGE,
    SHARE,
    TEST,
    TRAIN,
    VALIDATION,
    align_ylabels,
    by_epoch,
    in_per_cent,
    legend,
    short,
    stack,
)
from neurobench.metrics.catalog import metric

FIRST = ("loss", "accuracy")  # panels of the learning curve that come before the others
SPLITS = {"train": TRAIN, "validation": VALIDATION, "test": TEST}  # whose figures are drawn by epoch
NUMBERED = 20  # most classes whose counts are readable in a column; for more, only colour shows them


def learning_curve(history: Sequence[Mapping[str, Any]], trace: Sequence[Mapping[str, float]]) -> Figure:
    """Draw one panel per figure of the epochs, which have at least one. `history`: the rows of metrics.jsonl;
    `trace`: means over parts of epochs, "epoch" being where each ends. Epoch 1 ends at 1, so even one has a curve."""
    prefixes = tuple(f"{split}_" for split in SPLITS)
    keys = {key.partition("_")[2] for row in history for key in row if key.startswith(prefixes)}
    names = [*(name for name in FIRST if name in keys), *sorted(keys - set(FIRST))]
    figure, panels = stack(len(names), height=1.9 if len(names) == 1 else 1.2)
    trace = trace if len(trace) > 1 else ()  # a single part is the whole epoch
    for axes, name in zip(panels, names, strict=True):
        points = [(part["epoch"], part[name]) for part in trace if name in part]
        if points:
            style: dict[str, Any] = {"marker": "." if len(points) < 5 else None, "linewidth": 0.7, "alpha": 0.5}
            axes.plot(*zip(*points, strict=True), color=TRAIN, label="train, within an epoch", **style)
        for split, colour in SPLITS.items():
            points = [(row["epoch"], row[f"{split}_{name}"]) for row in history if f"{split}_{name}" in row]
            if points:
                axes.plot(*zip(*points, strict=True), marker="o", color=colour, label=split, clip_on=False)
        axes.set_ylabel(name.replace("_", " "))
        if axes.get_ylim()[0] < 0 <= axes.dataLim.y0:  # no margin below zero for values that are not negative
            axes.set_ylim(bottom=0)
        if metric(name).unit == "proportion":
            in_per_cent(axes)
    by_epoch(panels[-1], len(history))
    if trace:
        panels[-1].set_xlim(0, len(history))
        panels[-1].set_xlabel("epochs trained")
        if len(history) == 1:
            panels[-1].set_xticks([0, 0.25, 0.5, 0.75, 1])
    align_ylabels(panels)
    legend(figure, *panels)
    return figure


def confusion(matrix: np.ndarray, title: str, classes: Sequence[str] = ()) -> Figure:
    """Draw counts of true class (row) against predicted class (column), (C, C) int64; colour is the share of the row.
    `classes`: their names, if the data have any."""
    n = len(matrix)
    share = matrix / matrix.sum(1, keepdims=True).clip(min=1)
    size = COLUMN if n <= NUMBERED else PAGE
    figure = Figure(figsize=(size, 0.9 * size), layout="constrained")
    axes = figure.subplots()
    # Colour by the root of the share, so that the few errors stay visible next to the diagonal.
    mesh = axes.imshow(share, cmap=SHARE, norm=PowerNorm(0.5, 0, 1))
    for row, column in np.argwhere(matrix).tolist() if n <= NUMBERED else ():
        colour = "white" if share[row, column] > 0.4 else "black"
        text = str(int(matrix[row, column]))
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=7 if n <= 12 else 5)
    axes.set(xlabel="predicted class", ylabel="true class")
    if classes or n <= NUMBERED:
        names = [short(name) for name in classes or map(str, range(n))]
        letters: dict[str, Any] = {"fontsize": 7 if n <= NUMBERED else 5, "parse_math": False}
        upright = 90 if n * max(map(len, names)) > 24 else 0
        axes.set_xticks(range(n), names, rotation=upright, **letters)
        axes.set_yticks(range(n), names, **letters)
    per_cent = PercentFormatter(1, symbol=" %")
    figure.colorbar(mesh, ax=axes, label="share of the true class", shrink=0.8, format=per_cent)
    figure.suptitle(title)
    return figure
