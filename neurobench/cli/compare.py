"""`neurobench compare A B`: in what two runs differ, and in what their figures do."""

from __future__ import annotations

import json

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from neurobench.cli.arguments import verb_parser
from neurobench.config.errors import FINE
from neurobench.metrics.catalog import printed, printed_change
from neurobench.runs.differences import Difference, differences
from neurobench.runs.folder import RunFolder
from neurobench.runs.store import find_run

TITLES = {"config": "configuration", "metrics": "figures", "provenance": "where and with what"}


def main(words: list[str]) -> int:
    args = verb_parser("compare", __doc__, runs=("a", "b"), json="the differences").parse_args(words)
    a, b = (find_run(args.outputs, reference) for reference in (args.a, args.b))
    sections = differences(a, b)
    if args.json:
        plain = {section: [entry._asdict() for entry in entries] for section, entries in sections.items()}
        print(json.dumps({"a": str(a.path), "b": str(b.path), **plain}, indent=2))
    else:
        _print(a, b, sections)
    return FINE


def _print(a: RunFolder, b: RunFolder, sections: dict[str, list[Difference]]) -> None:
    console = Console()
    for letter, run in (("A", a), ("B", b)):
        console.print(f"{letter}  {run.label}", highlight=False)
    for section, entries in sections.items():
        if not entries:
            console.print(f"\n{TITLES[section]}: the same", highlight=False)
            continue
        table = Table(title=TITLES[section], title_justify="left", title_style="bold", box=box.SIMPLE, show_edge=False)
        table.add_column("")
        for column in ("A", "B", *(("B - A",) if section == "metrics" else ())):
            table.add_column(column, justify="right", overflow="fold")
        for entry in entries:
            table.add_row(*_cells(section, entry))
        console.print()
        console.print(table)


def _cells(section: str, entry: Difference) -> list[Text]:
    if section != "metrics":
        return [Text(entry.key), *(Text("-" if value is None else str(value)) for value in (entry.a, entry.b))]
    values = [Text("-" if value is None else printed(entry.key, value, digits=6)) for value in (entry.a, entry.b)]
    comparable = entry.a is not None and entry.b is not None
    return [Text(entry.key), *values, Text(printed_change(entry.key, entry.b - entry.a) if comparable else "")]
