"""Plots of a figure of merit against the keys in which settings differ: lines with bands over seeds, or a heat map.

The best setting by its validation figure is marked: with a ring on a line, with a frame in a heat map of two keys.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from neurobench.config.errors import UserError
from neurobench.figures.style import COLUMN, ORDERED, PAGE, in_per_cent, legend, literal, paper, rendered, series
from neurobench.metrics.catalog import metric as about
from neurobench.report.results import Results, Setting, Spread, order
from neurobench.report.results_table import short_names, value_text

MOST_LINES = 10
LETTER = 0.06  # inches: width of a letter of a tick label or of the legend, with room to spare
LOG_RATIO = 9.9  # an axis is logarithmic if its largest / smallest value is at least this


def drawn(results: Results, kind: str) -> bytes:
    """The plot as a PNG, PDF or SVG file. Raises UserError if nothing can be drawn."""
    with paper():
        figure = plot(results)
    return rendered(figure, kind)


def plot(results: Results) -> Figure:
    """Draw a heat map for two keys with three or more values each; otherwise lines, with the first key on the x axis
    and one line for each combination of the others."""
    keys = results.keys
    if len(results.settings) < 2:
        raise UserError("there is only one setting, nothing to plot it against. Filter less, or sweep over a key")
    if len(keys) == 2 and all(len(_axis(results, key)) >= 3 for key in keys):
        return heat_map(results)
    lines = _lines(results)
    if len(lines) > MOST_LINES:
        others = ", ".join(keys[1:])
        raise UserError(
            f"that would be {len(lines)} lines, one for each of {others}; at most {MOST_LINES} are drawn. Filter some"
        )
    return lines_plot(results, lines)


def lines_plot(results: Results, lines: dict[tuple[str, ...], list[Setting]]) -> Figure:
    key, metric = results.keys[0], results.metric
    places, numeric = _places(results, key)
    labels = [literal(", ".join(name)) for name in lines]
    entry = LETTER * max(map(len, labels)) + 0.4  # inches, with its marker
    height = 2.6 + (0.0 if numeric or not _upright(places) else _length(places))
    figure = Figure(figsize=(COLUMN if entry < COLUMN else PAGE, height), layout="constrained")
    axes = figure.subplots()
    apart = 0.0 if numeric else 0.5 / len(lines)  # so that no line hides another's point
    for number, (label, settings) in enumerate(zip(labels, lines.values(), strict=True)):
        colour, shift = series(number), apart * (number - (len(lines) - 1) / 2)
        x = [places[value_text(each.values[key])] + shift for each in settings]
        spreads = [each.spread(metric) for each in settings]
        points = [(at, spread) for at, spread in zip(x, spreads, strict=True) if spread is not None]
        means = [spread.mean for _, spread in points]
        axes.plot([at for at, _ in points], means, "-o" if numeric else "o", color=colour, label=label, zorder=3)
        _draw_intervals(axes, points, numeric, colour)
        _ring(
            axes, [(at, spread) for at, spread, each in zip(x, spreads, settings, strict=True) if each is results.best]
        )
    _label_x(axes, results, key, places, numeric)
    axes.set_ylabel(metric.replace("_", " "))
    if about(metric).unit == "proportion":
        in_per_cent(axes)
    axes.grid()
    if len(results.keys) > 1 or results.best is not None:
        title = literal(", ".join(short_names(results.keys[1:]).values())) or None
        legend(figure, axes, title=title, columns=max(1, min(3, int(figure.get_figwidth() / entry))))
    return figure


def _length(names: Collection[str]) -> float:
    """Length in inches of the longest name, as a tick label."""
    return LETTER * max(map(len, names))


def _upright(names: Collection[str]) -> bool:
    """Whether names below an axis as wide as a column would overlap, and so are turned."""
    return len(names) * _length(names) > 0.7 * COLUMN or max(map(len, names)) > 10


def _draw_intervals(axes: Axes, points: Sequence[tuple[float, Any]], numeric: bool, colour: str) -> None:
    """Draw a line's bands over seeds; bars on an axis of names, or for single runs, whose interval is another one."""
    banded = [(at, *spread.interval) for at, spread in points if spread.interval and spread.n > 1]
    if numeric and len(banded) == len(points) > 1:
        x, low, high = zip(*banded, strict=True)
        axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
        return
    for at, spread in points:
        if spread.interval:
            axes.plot([at, at], spread.interval, color=colour, linewidth=1, alpha=0.7)


def _ring(axes: Axes, points: Sequence[tuple[float, Spread | None]]) -> None:
    """Mark the best setting, if it is among these and has the figure."""
    places = [(at, spread.mean) for at, spread in points if spread is not None]
    if not places:
        return
    style: dict[str, Any] = {
        "linestyle": "",
        "marker": "o",
        "markersize": 8,
        "markerfacecolor": "none",
        "markeredgecolor": "black",
    }
    axes.plot(*zip(*places, strict=True), label="best by validation", **style)


def _label_x(axes: Axes, results: Results, key: str, places: dict[str, float], numeric: bool) -> None:
    axes.set_xlabel(literal(key))
    values = list(places.values())
    if not numeric:
        axes.set_xticks(values, list(places), rotation=90 if _upright(places) else 0, parse_math=False)
        axes.set_xlim(-0.5, len(values) - 0.5)
    elif min(values) > 0 and max(values) / min(values) >= LOG_RATIO:
        axes.set_xscale("log")
        if len(values) <= 8:
            axes.set_xticks(values)
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.xaxis.set_minor_formatter(NullFormatter())


def heat_map(results: Results) -> Figure:
    """Draw the mean for each pair of values, printed in its cell; pairs that were not run stay empty."""
    first, second = (_axis(results, key) for key in results.keys)
    share = about(results.metric).unit == "proportion"
    turned = max(map(len, first)) > 9  # wider than a cell
    width = min(PAGE, 1.4 + 0.62 * len(first) + _length(second))
    height = 1.1 + 0.42 * len(second) + (_length(first) if turned else 0.0)
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    grid = [[float("nan")] * len(first) for _ in second]
    for each in results.settings:
        spread = each.spread(results.metric)
        column, row = (
            axis.index(value_text(each.values[key])) for key, axis in zip(results.keys, (first, second), strict=True)
        )
        if spread is not None:
            grid[row][column] = 100 * spread.mean if share else spread.mean
            if each is results.best:
                box = {"linewidth": 1.6, "fill": False, "edgecolor": "black"}
                axes.add_patch(_square(column, row, box))
    image = axes.imshow(grid, cmap=ORDERED, aspect="auto", origin="lower")
    _write_cells(axes, grid, image)
    axes.set_xticks(range(len(first)), first, rotation=90 if turned else 0, parse_math=False)
    axes.set_yticks(range(len(second)), second, parse_math=False)
    axes.set(xlabel=literal(results.keys[0]), ylabel=literal(results.keys[1]))
    name = results.metric.replace("_", " ") + (" in %" if share else "")
    figure.colorbar(image, ax=axes, label=name)
    if results.best is not None:
        axes.set_title("framed: best by validation")
    return figure


def _square(column: int, row: int, look: dict[str, Any]) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, zorder=3, **look)


def _write_cells(axes: Axes, grid: Sequence[Sequence[float]], image: Any) -> None:
    for row, line in enumerate(grid):
        for column, value in enumerate(line):
            if value == value:  # not a gap
                colour = "white" if image.norm(value) < 0.5 else "black"
                axes.text(column, row, f"{value:.4g}", ha="center", va="center", color=colour, fontsize=6)


def _axis(results: Results, key: str) -> list[str]:
    values = {value_text(each.values[key]): each.values[key] for each in results.settings}
    return sorted(values, key=lambda text: order(values[text]))


def _places(results: Results, key: str) -> tuple[dict[str, float], bool]:
    """Position of each value on the axis: itself if all are finite numbers, else its index; and whether all are
    numbers. Text that reads like a number, such as a hash, is none."""
    values = {value_text(value): value for each in results.settings for value in [each.values[key]]}
    names = _axis(results, key)
    if all(type(value) in (int, float) and math.isfinite(value) for value in values.values()):
        return {name: float(values[name]) for name in names}, True
    return {name: float(number) for number, name in enumerate(names)}, False


def _lines(results: Results) -> dict[tuple[str, ...], list[Setting]]:
    """Settings of each line, by the values of all keys but the first, in the order of the first."""
    lines: dict[tuple[str, ...], list[Setting]] = {}
    names = list(short_names(results.keys).values())[1:]
    for each in sorted(results.settings, key=lambda each: [order(each.values[key]) for key in results.keys[1:]]):
        values = [value_text(each.values[key]) for key in results.keys[1:]]
        line = values if len(values) == 1 else [f"{name} {value}" for name, value in zip(names, values, strict=True)]
        lines.setdefault(tuple(line), []).append(each)
    return {name: sorted(each, key=lambda one: order(one.values[results.keys[0]])) for name, each in lines.items()}
