"""Effect of a chip as a distribution: metrics of one trained model over many layouts, or copies, of each chip."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from neurobench.figures.style import DEVICE, IDEAL, PAGE, align_ylabels, in_per_cent, legend, paper, rendered
from neurobench.metrics.catalog import metric, printed
from neurobench.storage.atomic import make_folder, write_bytes

QUANTILES = (0.05, 0.5, 0.95)


class Draw(NamedTuple):
    """One layout on a chip, or one copy of a chip whose faults are drawn."""

    chip: str
    what: str  # description of the chip: "Heron r2, 2025-02-26"
    draw: str  # which one: "layout_seed=7"
    metrics: Mapping[str, float]


class Spread(NamedTuple):
    """A metric over the draws of a chip."""

    n: int
    quantiles: tuple[float, float, float]  # see QUANTILES
    best: float
    worst: float


def spreads(draws: Sequence[Draw], name: str) -> dict[str, Spread]:
    """Spread of a metric for each chip, in order of first appearance."""
    return {chip: spread([one.metrics[name] for one in draws_of], name) for chip, draws_of in _by_chip(draws).items()}


def spread(values: Sequence[float], name: str) -> Spread:
    low, middle, high = np.quantile(values, QUANTILES).tolist()
    ends = (max(values), min(values)) if metric(name).better == "larger" else (min(values), max(values))
    return Spread(len(values), (low, middle, high), *ends)


def markdown(
    draws: Sequence[Draw], titles: Mapping[str, str], unit: str, singles: Sequence[Draw], groups: str = "chip"
) -> str:
    """Markdown table, one row per chip: for each metric the median, the 5 and 95 % quantiles of draws, and the worst.

    `titles`: metric -> title of its column. `unit`: what is drawn ("layouts"). `singles`: rows of a single value each,
    below the others: without a chip, or on a chosen layout. `groups`: title of the first column, if rows differ in
    something other than the chip.
    """
    lines = [[groups, "", unit, *titles.values()], ["-"] * (3 + len(titles))]
    whole = {name: spreads(draws, name) for name in titles}
    for chip, draws_of in _by_chip(draws).items():
        lines.append([chip, draws_of[0].what, str(len(draws_of)), *(_cell(whole[name][chip], name) for name in titles)])
    for one in singles:
        lines.append([one.chip, one.what, one.draw, *(printed(name, one.metrics[name], digits=3) for name in titles)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(one: Spread, name: str) -> str:
    low, middle, high = (printed(name, value, digits=3) for value in one.quantiles)
    return f"{middle} ({low} to {high}), worst {printed(name, one.worst, digits=3)}"


def table_csv(draws: Sequence[Draw]) -> str:
    """CSV of every draw as measured."""
    names = list(dict.fromkeys(name for draw in draws for name in draw.metrics))
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["chip", "what", "draw", *names])
    writer.writerows([one.chip, one.what, one.draw, *(one.metrics.get(name, "") for name in names)] for one in draws)
    return file.getvalue()


def violins(
    draws: Sequence[Draw], titles: Mapping[str, str], ideal: Mapping[str, float], label: str = "without a chip"
) -> Figure:
    """Draw a panel per metric, with a violin per chip, its median and both extremes; `ideal`: metric -> position of the
    line that `label` names."""
    with paper():
        chips = _by_chip(draws)
        figure = Figure(figsize=(PAGE, 0.7 + 1.4 * len(titles)), layout="constrained")
        panels = list(figure.subplots(len(titles), 1, sharex=True, squeeze=False)[:, 0])
        for axes, (name, title) in zip(panels, titles.items(), strict=True):
            values = [[one.metrics[name] for one in draws_of] for draws_of in chips.values()]
            parts = axes.violinplot(values, positions=range(len(chips)), showmedians=True, widths=0.8)
            for body in (*parts.pop("bodies"), *parts.values()):
                body.set_color(DEVICE)
                body.set_linewidth(0.7)
            if name in ideal:
                axes.axhline(ideal[name], color=IDEAL, linewidth=0.8, label=label)
            axes.set_ylabel(title)
            axes.grid(axis="y")
            if metric(name).unit == "proportion":
                in_per_cent(axes)
        slanted: Any = {"rotation": 30, "ha": "right"} if len(chips) > 5 else {}
        panels[-1].set_xticks(range(len(chips)), list(chips), **slanted)
        align_ylabels(panels)
        legend(figure, *panels)
        return figure


def write(folder: Path, name: str, draws: Sequence[Draw], text: str, figure: Figure) -> Iterator[Path]:
    """Write NAME.csv, NAME.md and NAME.png; yield each path once written."""
    files = {"csv": table_csv(draws).encode(), "md": text.encode(), "png": rendered(figure, "png")}
    make_folder(folder)
    for ending, content in files.items():
        write_bytes(folder / f"{name}.{ending}", content)
        yield folder / f"{name}.{ending}"


def _by_chip(draws: Sequence[Draw]) -> dict[str, list[Draw]]:
    chips: dict[str, list[Draw]] = {}
    for one in draws:
        chips.setdefault(one.chip, []).append(one)
    return chips
