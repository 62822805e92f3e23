"""A table of results for a terminal, a paper, a spreadsheet, and in somebody's own Markdown document.

A document's marked place is what lies between `<!-- table NAME [row ...] -->` and `<!-- end -->`: the rows of that
table, by their ids and in that order, or all that were measured. `<!-- table matrix -->` is a grid of models, data sets
and backends; a cell that was not run at paper scale names its scale.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from neurobench.config.errors import UserError
from neurobench.metrics.catalog import printed
from neurobench.report import latex
from neurobench.report.table import ResultRow

COLUMNS = (
    "figure", "published", "measured", "95 % interval", "difference", "seeds", "band", "verdict",
    "evaluated on", "data", "configuration", "commit", "wall time", "source", "what it means",
)  # fmt: skip
MATRIX_COLUMNS = (
    "cell", "accuracy", "95 % interval", "line", "verdict", "scale", "train", "in all",
    "operations a sample", "device", "evaluated on",
)  # fmt: skip
COLOURS = {
    "in band": "green", "OUT": "bold red", "SMOKE": "yellow", "EMULATED": "cyan", "not run": "dim",
    "reported": "default",
}  # fmt: skip
TEX_COLUMNS = ("figure", "published", "measured", "95 % interval", "band", "seeds", "verdict")
_PLACE = re.compile(r"(<!-- table (?P<name>\S+)(?P<rows>[^>]*?) -->\n)(?P<old>.*?)(?P<end><!-- end -->)", re.DOTALL)


def number(value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.5g}"


def band(row: ResultRow) -> str:
    low, high = row.row.band
    if low is None and high is None:
        return "-"
    if low is None or high is None:
        return f"≤ {number(high)}" if low is None else f"≥ {number(low)}"
    return f"{number(low)} to {number(high)}"


def cells(row: ResultRow) -> dict[str, str]:
    """Column -> text, in the order of COLUMNS."""
    spread = "" if row.sd is None else f" ± {row.sd:.2g}"
    interval = "-" if row.interval is None else f"{row.interval[0]:.4g} to {row.interval[1]:.4g}"
    wall_time = "-" if row.wall_seconds is None else f"{row.wall_seconds:.3g} s"
    texts = (
        row.row.what, number(row.row.published), number(row.mean) + spread, interval, number(row.difference, "+"),
        str(len(row.runs)), band(row), row.verdict, row.evaluated_on, row.data, row.setting_hash,
        " ".join(row.commits), wall_time, row.row.source, row.row.means,
    )  # fmt: skip
    return dict(zip(COLUMNS, texts, strict=True))


def print_table(rows: Sequence[ResultRow], title: str, console: Console) -> None:
    """For a terminal of any width: a figure's name and verdict, its numbers, and what they mean."""
    console.print(f"table {title}", style="bold")
    for row in rows:
        console.print(Padding(_block(row), (1, 0, 0, 0)), highlight=False)


def _block(row: ResultRow) -> RenderableType:
    text = cells(row)
    head = Text(row.row.what, style="bold") + Text(f"  {row.verdict}", style=COLOURS[row.verdict])
    parts = [f"measured {text['measured']}"]
    if row.interval:
        parts.append(f"95 % {text['95 % interval']}")
    if row.runs:
        parts.append("1 seed" if len(row.runs) == 1 else f"{len(row.runs)} seeds")
    parts += [f"{name} {text[name]}" for name in ("published", "difference", "band") if text[name] != "-"]
    where = f"On {row.evaluated_on} ({row.data}). {text['wall time']} a run. " if row.runs else ""
    commit = f" at {text['commit']}" if row.commits else ""
    small = Text(f"{row.row.means} {where}experiment={row.experiment}, {row.setting_hash}{commit}", style="dim")
    return Group(head, Padding(Text("   ".join(parts)), (0, 0, 0, 2)), Padding(small, (0, 0, 0, 2)))


def as_markdown(rows: Sequence[ResultRow]) -> str:
    lines = [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
    for row in rows:
        escaped = (text.replace("|", r"\|") for text in cells(row).values())
        lines.append(f"| {' | '.join(escaped)} |")
    return "\n".join(lines)


def as_csv(rows: Sequence[ResultRow]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([COLUMNS, *(cells(row).values() for row in rows)])
    return text.getvalue().rstrip("\n")


def as_latex(rows: Sequence[ResultRow], name: str = "published") -> str:
    """A floating table of the rows that were run, without the words on their meaning."""
    ran = [row for row in rows if row.runs]
    if not ran:
        return f"% table {name}: nothing was run"
    texts = [[row.row.what, *_printed(row), str(len(row.runs)), row.verdict] for row in ran]
    return latex.table(TEX_COLUMNS, texts, "prrrrrl", f"Published and measured figures: {name}.", f"published-{name}")


def _printed(row: ResultRow) -> Iterator[str]:
    """Published, measured, interval and band, in the unit of the metric."""
    metric, published, mean = row.row.metric, row.row.published, row.mean
    yield "-" if published is None else printed(metric, published)
    yield "-" if mean is None else printed(metric, mean, row.sd)
    for ends in (row.interval or (None, None), row.row.band):
        low, high = ("-" if end is None else printed(metric, end) for end in ends)
        if (low, high) == ("-", "-"):
            yield "-"
        else:
            yield f"≤ {high}" if low == "-" else f"≥ {low}" if high == "-" else f"{low.removesuffix(' %')} to {high}"


FORMATS: dict[str, Callable[[Sequence[ResultRow]], str]] = {"md": as_markdown, "csv": as_csv, "tex": as_latex}


def verdict(row: ResultRow) -> str:
    """ "held", "BELOW" the task's sanity line, or "not run". At any scale: a cell is a comparison, no result."""
    if row.mean is None:
        return "not run"
    low = row.row.band[0]
    return "BELOW" if low is not None and row.mean < low else "held"


def matrix_cells(row: ResultRow) -> tuple[str, ...]:
    """A model on a data set with a backend: what it reached, what it cost, whether it holds its line; in the order of
    MATRIX_COLUMNS."""
    low = row.row.band[0]
    line = "-" if low is None else f"{low:.0%}"
    if row.mean is None:
        return (row.row.what, "-", "-", line, "not run", *["-"] * 6)
    newest = row.runs[-1]
    interval = "-" if row.interval is None else f"{row.interval[0]:.1%} to {row.interval[1]:.1%}"
    training = sum(newest["seconds"].get(phase, 0.0) for phase in ("train", "settle", "finalize"))
    times = (f"{training:.0f} s", f"{row.wall_seconds:.0f} s")
    counts = {unit: newest["metrics"].get(f"effective_{unit.lower()}") for unit in ("MACS", "ACS")}
    operations = ", ".join(f"{value:.3g} {unit}" for unit, value in counts.items() if value)
    operations = operations or newest["undefined"].get("effective_macs", "-")
    evaluated_on = ("emulated data; " if newest["data"].get("emulated") else "") + row.evaluated_on
    return (
        row.row.what, f"{row.mean:.1%}", interval, line, verdict(row), str(row.scale), *times, operations,
        _device(newest), evaluated_on,
    )  # fmt: skip


def matrix_latex(rows: Sequence[ResultRow]) -> str:
    """A floating table of the cells that were run: what they reached, without what it cost."""
    told = MATRIX_COLUMNS.index("scale") + 1
    ran = [matrix_cells(row)[:told] for row in rows if row.runs]
    if not ran:
        return "% matrix: nothing was run"
    caption = "Test accuracy of each model on each data set and backend, and the line that it has to reach."
    return latex.table(MATRIX_COLUMNS[:told], ran, "lrrrll", caption, "matrix")


def _device(result: dict[str, Any]) -> str:
    """What the devices were asked for, training and tests together; joules of a prediction where published."""
    costs = []
    for name, entries in result.get("device_costs", {}).items():
        figures = ", ".join(f"{value:.3g} {key.replace('_', ' ')}" for key, value in entries.items())
        costs.append(f"{name}: {figures}")
    joules = result["metrics"].get("energy_joules")
    if joules is not None:
        costs.append(f"{joules:.3g} J a prediction")
    return "; ".join(costs) or "-"


def tables_named(text: str) -> list[str]:
    """Which tables the document has places for, in the order of their first one."""
    return list(dict.fromkeys(place["name"] for place in _PLACE.finditer(text)))


def refreshed(text: str, tables: Mapping[str, Sequence[ResultRow]]) -> str:
    """The document with every marked place of one of `tables` written anew; all else is left as it is.

    Raises UserError for a row that its table does not have.
    """

    def rewritten(place: re.Match[str]) -> str:
        name = place["name"]
        if name not in tables:
            return place[0]
        lines = _grid(tables[name]) if name == "matrix" else _figures(_selected(name, tables[name], place["rows"]))
        return place[1] + "\n".join(["", *lines, ""]) + "\n" + place["end"]

    return _PLACE.sub(rewritten, text)


def _selected(name: str, rows: Sequence[ResultRow], ids: str) -> list[ResultRow]:
    if not ids.split():
        return [row for row in rows if row.runs]
    by_id = {row.row.id: row for row in rows}
    missing = [id for id in ids.split() if id not in by_id]
    if missing:
        raise UserError(f"table {name} has no row {', '.join(missing)}; it has {', '.join(by_id)}")
    return [by_id[id] for id in ids.split()]


def _figures(rows: Sequence[ResultRow]) -> Iterator[str]:
    yield "| figure | published | measured | seeds |"
    yield "|---|---|---|---|"
    for row in rows:
        metric, published, mean = row.row.metric, row.row.published, row.mean
        texts = (
            "-" if published is None else printed(metric, published),
            "-" if mean is None else printed(metric, mean, row.sd),
        )
        yield f"| {row.row.what} | {' | '.join(texts)} | {len(row.runs) or '-'} |"


def _grid(rows: Sequence[ResultRow]) -> Iterator[str]:
    """Mean accuracy of each cell; a model's line, a column for each data set and backend."""
    grid: dict[str, dict[tuple[str, str], str]] = {}
    for row in rows:
        accuracy = "-" if row.mean is None else f"{100 * row.mean:.1f} %"
        if row.scale not in ("paper", None):
            accuracy += f" ({row.scale})"
        cell = row.row
        grid.setdefault(str(cell.model), {})[str(cell.dataset), str(cell.backend)] = accuracy
    columns = list(dict.fromkeys(column for cells in grid.values() for column in cells))
    columns.sort(key=lambda column: (column[0], column[1] != "sim"))
    yield "| model | " + " | ".join(f"{dataset}, `{backend}`" for dataset, backend in columns) + " |"
    yield "|---" * (len(columns) + 1) + "|"
    for model, cells in grid.items():
        yield f"| {model} | " + " | ".join(cells.get(column, "-") for column in columns) + " |"
