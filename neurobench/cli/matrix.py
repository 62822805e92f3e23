"""`neurobench matrix`: every model on every data set on both backends, from the runs of `make table-matrix`."""

from __future__ import annotations

import argparse
import csv
import sys

from rich.console import Console
from rich.table import Table

from neurobench.cli.main import FINE, OUT_OF_BAND
from neurobench.cli.outputs import add_outputs
from neurobench.report.declared import declared_tables
from neurobench.report.matrix import COLUMNS, cells, verdict
from neurobench.report.table import fill


def main(words: list[str]) -> int:
    """Exit code 0, or 3 where a cell lies below its sanity line."""
    parser = argparse.ArgumentParser(prog="neurobench matrix", description=__doc__)
    parser.add_argument("--format", choices=["md", "csv"], help="for papers and programs; else for the screen")
    add_outputs(parser)
    asked = parser.parse_args(words)
    filled = fill(declared_tables()["matrix"], asked.outputs)
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
    table = Table(title="the matrix", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for column in COLUMNS:
        table.add_column(column)
    for row in rows:
        colour = {"BELOW": "bold red", "not run": "dim"}.get(row[4], "")
        table.add_row(*row, style=colour)
    Console().print(table, highlight=False)
