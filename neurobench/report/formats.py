"""A filled table for a terminal, a paper, a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from neurobench.report.table import Filled

COLUMNS = (
    "figure", "published", "measured", "95 % interval", "difference", "seeds", "band", "verdict",
    "evaluated on", "data", "configuration", "commit", "wall time", "source", "what it means",
)  # fmt: skip
COLOURS = {
    "in band": "green",
    "OUT": "bold red",
    "SMOKE": "yellow",
    "EMULATED": "cyan",
    "not run": "dim",
    "reported": "default",
}


def number(value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.5g}"


def measured(filled: Filled) -> str:
    return number(filled.mean) + ("" if filled.sd is None else f" ± {filled.sd:.2g}")


def interval(filled: Filled) -> str:
    return "-" if filled.interval is None else f"{filled.interval[0]:.4g} to {filled.interval[1]:.4g}"


def band(filled: Filled) -> str:
    low, high = filled.row.band
    if low is None and high is None:
        return "-"
    if low is None or high is None:
        return f"≤ {number(high)}" if low is None else f"≥ {number(low)}"
    return f"{number(low)} to {number(high)}"


def wall_time(filled: Filled) -> str:
    return "-" if filled.wall_seconds is None else f"{filled.wall_seconds:.3g} s"


def cells(filled: Filled) -> tuple[str, ...]:
    """In the order of COLUMNS."""
    row = filled.row
    return (
        row.what, number(row.published), measured(filled), interval(filled), number(filled.difference, "+"),
        str(len(filled.runs)), band(filled), filled.verdict, filled.evaluated_on, filled.data,
        filled.setting_hash, " ".join(filled.commits), wall_time(filled), row.source, row.means,
    )  # fmt: skip


def print_table(rows: Sequence[Filled], title: str, console: Console) -> None:
    """For a terminal of any width: a figure's name and verdict, its numbers, and what they mean."""
    console.print(f"table {title}", style="bold")
    for filled in rows:
        console.print(Padding(_block(filled), (1, 0, 0, 0)), highlight=False)


def _block(filled: Filled) -> RenderableType:
    row, told = filled.row, dict(zip(COLUMNS, cells(filled), strict=True))
    head = Text(row.what, style="bold") + Text(f"  {filled.verdict}", style=COLOURS[filled.verdict])
    parts = [f"measured {told['measured']}"]
    if filled.interval:
        parts.append(f"95 % {told['95 % interval']}")
    if filled.runs:
        parts.append("1 seed" if len(filled.runs) == 1 else f"{len(filled.runs)} seeds")
    if row.published is not None:
        parts.append(f"published {told['published']}")
    if filled.difference is not None:
        parts.append(f"difference {told['difference']}")
    if band(filled) != "-":
        parts.append(f"band {told['band']}")
    where = f"On {filled.evaluated_on} ({filled.data}). {told['wall time']} a run. " if filled.runs else ""
    commit = f" at {told['commit']}" if filled.commits else ""
    small = Text(f"{row.means} {where}experiment={filled.experiment}, {filled.setting_hash}{commit}", style="dim")
    return Group(head, Padding(Text("   ".join(parts)), (0, 0, 0, 2)), Padding(small, (0, 0, 0, 2)))


def as_markdown(rows: Sequence[Filled]) -> str:
    lines = [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
    for filled in rows:
        escaped = (cell.replace("|", r"\|") for cell in cells(filled))
        lines.append(f"| {' | '.join(escaped)} |")
    return "\n".join(lines)


def as_csv(rows: Sequence[Filled]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(cells(filled) for filled in rows)
    return text.getvalue().rstrip("\n")


def as_latex(rows: Sequence[Filled]) -> str:
    """A tabular for the booktabs package: the figures, without the words on their meaning."""
    kept = COLUMNS.index("evaluated on")
    body = [" & ".join(_tex(cell) for cell in cells(filled)[:kept]) + r" \\" for filled in rows]
    head = " & ".join(_tex(column) for column in COLUMNS[:kept]) + r" \\"
    return "\n".join(
        [r"\begin{tabular}{lrrrrrll}", r"\toprule", head, r"\midrule", *body, r"\bottomrule", r"\end{tabular}"]
    )


def _tex(text: str) -> str:
    for plain, escaped in (("\\", r"\textbackslash{}"), ("%", r"\%"), ("&", r"\&"), ("_", r"\_"), ("#", r"\#")):
        text = text.replace(plain, escaped)
    return text.replace("±", r"$\pm$").replace("≥", r"$\geq$").replace("≤", r"$\leq$")


FORMATS: dict[str, Callable[[Sequence[Filled]], str]] = {"md": as_markdown, "csv": as_csv, "tex": as_latex}
