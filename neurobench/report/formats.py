"""A table of results for a terminal, a paper and a spreadsheet."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from neurobench.metrics.catalog import metric, plain_mean, printed
from neurobench.report import latex
from neurobench.report.table import ResultRow

COLUMNS = (
    "figure", "published", "reference", "measured", "95 % interval", "difference", "seeds", "band", "set", "verdict",
    "evaluated on", "data", "configuration", "commit", "wall time", "source", "what it means", "again",
)  # fmt: skip
MATRIX_COLUMNS = (
    "cell", "accuracy", "95 % interval", "line", "verdict", "scale", "train", "in all",
    "operations a sample", "device", "evaluated on",
)  # fmt: skip
COLOURS = {
    "in band": "green", "OUT": "bold red", "SMOKE": "yellow", "EMULATED": "cyan", "not run": "dim",
    "reported": "default", "equal": "green", "within": "green", "consistent": "green", "undecided": "yellow",
}  # fmt: skip
TEX_COLUMNS = ("figure", "published", "measured", "95 % interval", "band", "seeds", "verdict")


def number(value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.5g}"


def band(row: ResultRow) -> str:
    """Criterion for the verdict: a band, a comparison, or both."""
    return _joined(_ends([None if end is None else f"{end:.6g}" for end in row.row.band]), held_against(row))


def band_of(row: ResultRow) -> str:
    """Criterion for the verdict, in the unit of the figure."""
    if metric(row.row.metric).unit != "proportion":
        return band(row)
    ends = _ends([None if end is None else f"{100 * end:.4g}" for end in row.row.band])
    return _joined(ends and f"{ends} %", held_against(row))


def held_against(row: ResultRow) -> str:
    """Description of the row or the runs that this row is compared with; "" if there are none."""
    relation, reference = row.row.relation, row.row.reference
    if relation is None:
        return f"compared with {len(reference.values)} runs of the reference" if reference and reference.values else ""
    other = f'"{row.partner.row.what}"' if row.partner else relation.row
    if relation.margin is None:
        return f"equal to {other}"
    share = metric(row.row.metric).unit == "proportion"
    return (
        f"within {100 * relation.margin:.4g} points of {other}" if share else f"within {relation.margin:g} of {other}"
    )


def _ends(ends: Sequence[str | None]) -> str:
    low, high = ends
    if low is None or high is None:
        return f"≥ {low}" if low else f"≤ {high}" if high else ""
    return f"{low} to {high}"


def _joined(*parts: str) -> str:
    return "; ".join(filter(None, parts)) or "-"


def reference(row: ResultRow, value: Callable[[float], str] = number) -> str:
    """Reference figure that no publication states for this row, never without its kind, even if published elsewhere."""
    known = row.row.reference
    return "-" if known is None else f"{value(known.value)} ({known.kind})"


def band_set(row: ResultRow) -> str:
    """When and from what the band was set, with the commit: "declared before, a95273c"."""
    origin = row.row.band_from
    return "-" if origin is None else f"{origin}, {origin.commit}" + (f"; {origin.note}" if origin.note else "")


def cells(row: ResultRow) -> dict[str, str]:
    """Cells of a row by column, in the order of COLUMNS."""
    measured = "-" if row.mean is None else plain_mean(row.mean, row.sd)
    interval = "-" if row.interval is None else " to ".join(map(number, row.interval))
    wall_time = "-" if row.wall_seconds is None else f"{row.wall_seconds:.3g} s"
    texts = (
        row.row.what, number(row.row.published), reference(row), measured, interval,
        number(row.difference, "+"), str(len(row.runs)), band(row), band_set(row), row.verdict, row.evaluated_on,
        row.data, row.setting_hash, " ".join(row.commits), wall_time, row.row.source, row.row.means, row.again,
    )  # fmt: skip
    return dict(zip(COLUMNS, texts, strict=True))


def print_table(rows: Sequence[ResultRow], title: str, console: Console) -> None:
    """Print the table for a terminal of any width: a figure's name and verdict, its numbers, and their meaning."""
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
    named = ("published", "reference", "difference", "band", "set")
    parts += [f"{name} {text[name]}" for name in named if text[name] != "-"]
    parts += [f"compared: {row.comparison}"] if row.comparison and row.runs else []
    where = f"On {row.evaluated_on} ({row.data}). {text['wall time']} per run. " if row.runs else ""
    commit = f" at {text['commit']}" if row.commits else ""
    origin = f"Source: {row.row.source}. experiment={row.experiment}, {row.setting_hash}{commit}"
    small = Text(f"{row.row.means} {where}{origin}", style="dim")
    again = Text(f"again: {row.again}", style="dim", no_wrap=True, overflow="ignore")
    return Group(head, *(Padding(part, (0, 0, 0, 2)) for part in (Text("   ".join(parts)), small, again)))


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
    """A floating LaTeX table of the rows that were run, without the text on their meaning."""
    ran = [row for row in rows if row.runs]
    if not ran:
        return f"% table {name}: nothing was run"
    texts = [[row.row.what, *_printed(row), str(len(row.runs)), row.verdict] for row in ran]
    return latex.table(TEX_COLUMNS, texts, "prrrrrl", f"Published and measured figures: {name}.", f"published-{name}")


def _printed(row: ResultRow) -> Iterator[str]:
    """Yield published and measured figure, interval and band, in the unit of the metric."""
    metric, published, mean = row.row.metric, row.row.published, row.mean
    yield "-" if published is None else printed(metric, published)
    yield "-" if mean is None else printed(metric, mean, row.sd)
    interval, band = (
        _ends([None if end is None else printed(metric, end) for end in ends]).replace(" % to ", " to ")
        for ends in (row.interval or (None, None), row.row.band)
    )
    yield _joined(interval)
    yield _joined(band, held_against(row))


FORMATS: dict[str, Callable[[Sequence[ResultRow]], str]] = {"md": as_markdown, "csv": as_csv, "tex": as_latex}


def verdict(row: ResultRow) -> str:
    """Verdict on a matrix cell: "held", "BELOW" the task's sanity line, or "not run". It applies at any scale: a cell
    is a comparison, not a result."""
    if row.mean is None:
        return "not run"
    low = row.row.band[0]
    return "BELOW" if low is not None and row.mean < low else "held"


def matrix_cells(row: ResultRow) -> tuple[str, ...]:
    """Cells for a model on a data set with a backend: accuracy, cost, and whether it reaches its line; in the order of
    MATRIX_COLUMNS."""
    low = row.row.band[0]
    line = "-" if low is None else f"{low:.0%}"
    if row.mean is None:
        return (row.row.what, "-", "-", line, "not run", *["-"] * 6)
    last = row.runs[-1]  # of the largest seed: counts and costs are those of one run, times are means
    interval = "-" if row.interval is None else f"{row.interval[0]:.1%} to {row.interval[1]:.1%}"
    phases = ("train", "settle", "finalize")  # runs of earlier versions have the second in place of the third
    training = statistics.fmean(sum(run["seconds"].get(phase, 0.0) for phase in phases) for run in row.runs)
    times = (f"{training:.0f} s", f"{row.wall_seconds:.0f} s")
    counts = {unit: last["metrics"].get(f"effective_{unit.lower()}") for unit in ("MACS", "ACS")}
    operations = ", ".join(f"{value:.3g} {unit}" for unit, value in counts.items() if value)
    operations = operations or last["undefined"].get("effective_macs", "-")
    evaluated_on = ("emulated data; " if last["data"].get("emulated") else "") + row.evaluated_on
    return (
        row.row.what, f"{row.mean:.1%}", interval, line, verdict(row), str(row.scale), *times, operations,
        _device(last), evaluated_on,
    )  # fmt: skip


def matrix_latex(rows: Sequence[ResultRow]) -> str:
    """A floating LaTeX table of the matrix cells that were run: their accuracies, without the costs."""
    columns = MATRIX_COLUMNS.index("scale") + 1
    ran = [matrix_cells(row)[:columns] for row in rows if row.runs]
    if not ran:
        return "% matrix: nothing was run"
    caption = "Test accuracy of each model on each data set and backend, and the line that it has to reach."
    return latex.table(MATRIX_COLUMNS[:columns], ran, "lrrrll", caption, "matrix")


def _device(result: dict[str, Any]) -> str:
    """Costs of the devices, training and tests together; joules per prediction if published."""
    costs = []
    for name, entries in result.get("device_costs", {}).items():
        figures = ", ".join(f"{value:.3g} {key.replace('_', ' ')}" for key, value in entries.items())
        costs.append(f"{name}: {figures}")
    joules = result["metrics"].get("energy_joules")
    if joules is not None:
        costs.append(f"{joules:.3g} J per prediction")
    return "; ".join(costs) or "-"
