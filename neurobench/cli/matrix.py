"""`neurobench matrix`: every model on every data set on both backends, from the runs of `make table-matrix`."""

from __future__ import annotations

import csv
import sys

from rich.console import Console

from neurobench.cli.arguments import verb_parser
from neurobench.config.compose import choices
from neurobench.config.errors import FINE, OUT_OF_BAND
from neurobench.report.matrix import COLUMNS, cells, verdict
from neurobench.report.published import published_tables
from neurobench.report.table import join


def main(words: list[str]) -> int:
    """Exit code 0, or 3 where a cell lies below its sanity line."""
    parser = verb_parser("matrix", __doc__)
    parser.add_argument("--scale", choices=choices("scale"), help="that one alone; else the largest that was run")
    parser.add_argument("--format", choices=["md", "csv"], help="for papers and programs; else for the screen")
    args = parser.parse_args(words)
    results = join(published_tables()["matrix"], args.outputs, scale=args.scale)
    rows = cells(results)
    if args.format == "csv":
        csv.writer(sys.stdout).writerows([COLUMNS, *rows])
    elif args.format == "md":
        for row in (COLUMNS, ["---"] * len(COLUMNS), *rows):
            print("| " + " | ".join(row) + " |")
    else:
        _print(rows)
    return OUT_OF_BAND if any(verdict(result) == "BELOW" for result in results) else FINE


def _print(rows: list[tuple[str, ...]]) -> None:
    """A line with the figure, one with what it cost: for a terminal of any width."""
    console = Console(highlight=False)
    for cell, accuracy, interval, line, verdict_, *costs in rows:
        colour = {"BELOW": "bold red", "held": "green"}.get(verdict_, "dim")
        figure = "" if accuracy == "-" else f"  {accuracy} ({interval}),"
        console.print(f"[bold]{cell}[/bold]{figure} line {line}: [{colour}]{verdict_}[/{colour}]")
        details = [f"{name}: {value}" for name, value in zip(COLUMNS[5:], costs, strict=True) if value != "-"]
        if details:
            console.print(f"  {', '.join(details)}", style="dim")
