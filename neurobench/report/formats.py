"""A table of results for a terminal, a paper, a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from neurobench.report.table import ResultRow

COLUMNS = (
    "figure", "published", "measured", "95 % interval", "difference", "seeds", "band", "verdict",
    "evaluated on", "data", "configuration", "commit", "wall time", "source", "what it means",
)  # fmt: skip
COLOURS = {
    "in band": "green", "OUT": "bold red", "SMOKE": "yellow", "EMULATED": "cyan", "not run": "dim",
    "reported": "default",
}  # fmt: skip


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


def as_latex(rows: Sequence[ResultRow]) -> str:
    """A tabular for the booktabs package: the figures, without the words on their meaning."""
    columns = COLUMNS[: COLUMNS.index("evaluated on")]
    head, *body = (
        " & ".join(map(_tex, texts)) + r" \\"
        for texts in (columns, *([cells(row)[column] for column in columns] for row in rows))
    )
    return "\n".join(
        [r"\begin{tabular}{lrrrrrll}", r"\toprule", head, r"\midrule", *body, r"\bottomrule", r"\end{tabular}"]
    )


def _tex(text: str) -> str:
    for plain, escaped in (("\\", r"\textbackslash{}"), ("%", r"\%"), ("&", r"\&"), ("_", r"\_"), ("#", r"\#")):
        text = text.replace(plain, escaped)
    return text.replace("±", r"$\pm$").replace("≥", r"$\geq$").replace("≤", r"$\leq$")


FORMATS: dict[str, Callable[[Sequence[ResultRow]], str]] = {"md": as_markdown, "csv": as_csv, "tex": as_latex}
