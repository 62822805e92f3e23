"""`neurobench table NAME`: what was published, what was measured here, and whether it lies in its band."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console

from neurobench.cli.arguments import verb_parser
from neurobench.config.errors import FINE, OUT_OF_BAND, UserError
from neurobench.report.document import refreshed, tables_named
from neurobench.report.formats import FORMATS, print_table
from neurobench.report.published import published_tables
from neurobench.report.table import ResultRow, join
from neurobench.runs.atomic import write_bytes
from neurobench.runs.store import read_index


def main(words: list[str]) -> int:
    """Exit code 0, or 3 where a row lies outside its band."""
    tables = published_tables()
    parser = verb_parser("table", __doc__)
    parser.add_argument("name", choices=[*tables, "all"], help="which tutorial's table")
    parser.add_argument("--format", choices=[*FORMATS, "json"], help="for papers and programs; else for the screen")
    parser.add_argument(
        "--into",
        type=Path,
        metavar="FILE.md",
        help="write the figures into that document, between `<!-- table NAME [row ...] -->` and `<!-- end -->`",
    )
    args = parser.parse_args(words)
    names = list(tables) if args.name == "all" else [args.name]
    runs = read_index(args.outputs)
    results = {name: join(tables[name], args.outputs, runs) for name in names}
    rows = [row for name in names for row in results[name]]
    if args.into:
        _write_into(args.into, results)
    elif args.format == "json":
        print(json.dumps([row.as_dict() for row in rows], indent=2))
    elif args.format:
        print(FORMATS[args.format](rows))
    else:
        print_table(rows, ", ".join(names), Console())
    return OUT_OF_BAND if any(row.verdict == "OUT" for row in rows) else FINE


def _write_into(document: Path, results: dict[str, list[ResultRow]]) -> None:
    try:
        text = document.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--into {document}: {error}") from error
    places = tables_named(text)
    if not set(places) & set(results):
        raise UserError(
            f"--into {document}: it has no place for {', '.join(results)} (places for: {', '.join(places) or 'none'}); "
            "put <!-- table NAME --> and <!-- end --> on lines of their own where a table is wanted"
        )
    write_bytes(document, refreshed(text, results).encode())
    print(f"{document}: {', '.join(name for name in places if name in results)}")
