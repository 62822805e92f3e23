"""`neurobench matrix`: every model on every data set on both backends, from the runs of `make table-matrix`."""

from __future__ import annotations

import argparse
import csv
import sys

from rich.console import Console

from neurobench.cli.outputs import add_outputs
from neurobench.config.compose import choices
from neurobench.config.errors import FINE, OUT_OF_BAND
from neurobench.report.matrix import COLUMNS, cells, verdict
from neurobench.report.published import declared_tables
from neurobench.report.table import fill


def main(words: list[str]) -> int:
    """Exit code 0, or 3 where a cell lies below its sanity line."""
    parser = argparse.ArgumentParser(prog="neurobench matrix", description=__doc__)
    parser.add_argument("--scale", choices=choices("scale"), help="that one alone; else the largest that was run")
    parser.add_argument("--format", choices=["md", "csv"], help="for papers and programs; else for the screen")
    add_outputs(parser)
    asked = parser.parse_args(words)
    filled = fill(declared_tables()["matrix"], asked.outputs, scale=asked.scale)
    rows = cells(filled)
    if asked.format == "csv":
        csv.writer(sys.stdout).writerows([COLUMNS, *rows])
    elif asked.format == "md":
        for row in (COLUMNS, ["---"] * len(COLUMNS), *rows):
            print("| " + " | ".join(row) + " |")
    else:
        _print(rows)
    return OUT_OF_BAND if any(verdict(row) == "BELOW" for row in filled) else FINE


def _print(rows: list[tuple[str, ...]]) -> None:
    """A line with the figure, one with what it cost: for a terminal of any width."""
    console = Console(highlight=False)
    for row in rows:
        cell, accuracy, interval, line, verdict_, *costs = row
        colour = {"BELOW": "bold red", "held": "green"}.get(verdict_, "dim")
        figure = "" if accuracy == "-" else f"  {accuracy} ({interval}),"
        console.print(f"[bold]{cell}[/bold]{figure} line {line}: [{colour}]{verdict_}[/{colour}]")
        told = [f"{name}: {value}" for name, value in zip(COLUMNS[5:], costs, strict=True) if value != "-"]
        if told:
            console.print(f"  {', '.join(told)}", style="dim")
