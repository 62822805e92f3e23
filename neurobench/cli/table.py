"""`neurobench table NAME`: what was published, what was measured here, and whether it lies in its band."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich.console import Console

from neurobench.cli.outputs import add_outputs
from neurobench.config.errors import FINE, OUT_OF_BAND, UserError
from neurobench.report.document import refreshed, tables_named
from neurobench.report.formats import FORMATS, print_table
from neurobench.report.published import declared_tables
from neurobench.report.table import Filled, fill
from neurobench.runs.atomic import write_bytes
from neurobench.runs.index import read_index


def main(words: list[str]) -> int:
    """Exit code 0, or 3 where a row lies outside its band."""
    tables = declared_tables()
    parser = argparse.ArgumentParser(prog="neurobench table", description=__doc__)
    parser.add_argument("name", choices=[*tables, "all"], help="which tutorial's table")
    parser.add_argument("--format", choices=[*FORMATS, "json"], help="for papers and programs; else for the screen")
    parser.add_argument(
        "--into",
        type=Path,
        metavar="FILE.md",
        help="write the figures into that document, between `<!-- table NAME [row ...] -->` and `<!-- end -->`",
    )
    add_outputs(parser)
    asked = parser.parse_args(words)
    names = list(tables) if asked.name == "all" else [asked.name]
    runs = read_index(asked.outputs)
    filled = {name: fill(tables[name], asked.outputs, runs) for name in names}
    rows = [row for name in names for row in filled[name]]
    if asked.into:
        _write_into(asked.into, filled)
    elif asked.format == "json":
        print(json.dumps([row.as_dict() for row in rows], indent=2))
    elif asked.format:
        print(FORMATS[asked.format](rows))
    else:
        print_table(rows, ", ".join(names), Console())
    return OUT_OF_BAND if any(row.verdict == "OUT" for row in rows) else FINE


def _write_into(document: Path, filled: dict[str, list[Filled]]) -> None:
    try:
        text = document.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--into {document}: {error}") from error
    there = tables_named(text)
    if not set(there) & set(filled):
        raise UserError(
            f"--into {document}: it has no place for {', '.join(filled)} (places for: {', '.join(there) or 'none'}); "
            "put <!-- table NAME --> and <!-- end --> on lines of their own where a table is wanted"
        )
    write_bytes(document, refreshed(text, filled).encode())
    print(f"{document}: {', '.join(name for name in there if name in filled)}")
