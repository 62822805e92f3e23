"""`neurobench table NAME`: what was published, what was measured here, and whether it lies in its band."""

from __future__ import annotations

import argparse
import json

from rich.console import Console

from neurobench.cli.main import FINE, OUT_OF_BAND
from neurobench.cli.outputs import add_outputs
from neurobench.report.declared import declared_tables
from neurobench.report.formats import FORMATS, print_table
from neurobench.report.table import fill
from neurobench.runs.index import read_index


def main(words: list[str]) -> int:
    """Exit code 0, or 3 where a row lies outside its band."""
    tables = declared_tables()
    parser = argparse.ArgumentParser(prog="neurobench table", description=__doc__)
    parser.add_argument("name", choices=[*tables, "all"], help="which tutorial's table")
    parser.add_argument("--format", choices=[*FORMATS, "json"], help="for papers and programs; else for the screen")
    add_outputs(parser)
    asked = parser.parse_args(words)
    names = list(tables) if asked.name == "all" else [asked.name]
    runs = read_index(asked.outputs)
    rows = [row for name in names for row in fill(tables[name], asked.outputs, runs)]
    if asked.format == "json":
        print(json.dumps([row.as_dict() for row in rows], indent=2))
    elif asked.format:
        print(FORMATS[asked.format](rows))
    else:
        print_table(rows, ", ".join(names), Console())
    return OUT_OF_BAND if any(row.verdict == "OUT" for row in rows) else FINE
