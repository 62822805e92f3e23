"""Figures that every run has: the learning curve and the confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

LONGEST = 20  # letters of a class's name in a figure
TRAIN, VALIDATION = "#3b6ea8", "#d1752c"  # told apart by colour-blind readers and in grey print


def learning_curve(history: Sequence[Mapping[str, Any]], trace: Sequence[Mapping[str, float]]) -> Figure | None:
    """One panel a figure, or None where epochs have none. `history`: the rows of metrics.jsonl; `trace`: means over
    parts of epochs, "epoch" being where each part ends."""
    names = sorted(
        {key.partition("_")[2] for row in history for key in row if key.startswith(("train_", "validation_"))}
    )
    if not names:
        return None
    figure = Figure(figsize=(4.2 * len(names), 3.2), layout="constrained")
    axes = figure.subplots(1, len(names), squeeze=False)[0]
    for axis, name in zip(axes, names, strict=True):
        parts = [(point["epoch"], point[name]) for point in trace if name in point]
        if parts:
            axis.plot(*zip(*parts, strict=True), color=TRAIN, linewidth=0.8, alpha=0.5, label="train, within epochs")
        for split, colour in (("train", TRAIN), ("validation", VALIDATION)):
            points = [(row["epoch"], row[f"{split}_{name}"]) for row in history if f"{split}_{name}" in row]
            if points:
                axis.plot(*zip(*points, strict=True), marker="o", markersize=4, color=colour, label=split)
        axis.set(xlabel="epochs", ylabel=name.replace("_", " "))
        axis.set_xlim(left=0)
        if len(history) > 4:
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.3)
        axis.legend(frameon=False)
    return figure


def confusion(matrix: Tensor, title: str, classes: Sequence[str] = ()) -> Figure:
    """Counts of true class (row) against predicted class (column); colour is the share of the row. `classes`: their
    names, where the data have any."""
    n = len(matrix)
    share = matrix / matrix.sum(1, keepdim=True).clamp(min=1)
    size = 2.2 + 0.42 * n
    figure = Figure(figsize=(size, size), layout="constrained")
    axis = figure.subplots()
    axis.imshow(share.sqrt(), cmap="Blues", vmin=0, vmax=1)  # root: the few errors stay visible beside the diagonal
    for row in range(n):
        for column in range(n):
            if matrix[row, column]:
                colour = "white" if share[row, column] > 0.4 else "black"
                text = str(int(matrix[row, column]))
                axis.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
    axis.set(xticks=range(n), yticks=range(n), xlabel="predicted class", ylabel="true class")
    if classes:
        short = [name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for name in classes]
        axis.set_xticks(range(n), short, rotation=90 if max(map(len, short)) > 2 else 0, parse_math=False)
        axis.set_yticks(range(n), short, parse_math=False)
    axis.set_title(title, fontsize=10)
    return figure
