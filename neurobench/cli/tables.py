"""Commands on all finished runs. `table NAME`: published and measured figures, and whether these lie in their bands;
`matrix`: every model on every data set on both backends; `report`: all of it in one HTML page."""

from __future__ import annotations

import contextlib
import csv
import json
import shlex
import sys
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from stat import S_IMODE
from typing import Any

from rich.text import Text

from neurobench.cli.arguments import new_file, verb_parser
from neurobench.config.compose import choices
from neurobench.config.errors import FINE, OUT_OF_BAND, UserError, did_you_mean
from neurobench.phases import phase
from neurobench.report import controls_table, latex, results_table
from neurobench.report.controls import Comparison, comparisons
from neurobench.report.document import refreshed, require_ends, tables_named
from neurobench.report.formats import (
    FORMATS,
    MATRIX_COLUMNS,
    as_latex,
    matrix_cells,
    matrix_latex,
    print_table,
    verdict,
)
from neurobench.report.overview import print_overview
from neurobench.report.published import Tables, published_tables, table_names
from neurobench.report.records import PLACE, collect, merged, read_records, undeclared, write_records
from neurobench.report.results import swept
from neurobench.report.screen import Screen
from neurobench.report.table import ResultRow, join
from neurobench.storage.atomic import require_writable, write_bytes
from neurobench.storage.store import Entry, read_index


def table_command(words: list[str]) -> int:
    """Compare published figures with those measured here, and check whether these lie in their bands. Exit code 0, or 3
    if a row lies outside its band."""
    parser = verb_parser("table", table_command.__doc__)
    parser.add_argument("name", help=f"a table that experiments declare: {', '.join(table_names())}, ...; or all")
    outcome = parser.add_mutually_exclusive_group()
    purpose = "for papers and programs; default: for the screen"
    outcome.add_argument("--format", choices=[*FORMATS, "json"], help=purpose)
    into = "write the figures into that document, between `<!-- table NAME [row ...] -->` and `<!-- end -->`"
    parser.add_argument("--all", action="store_true", help="show every row, run or not, with its meaning and source")
    outcome.add_argument("--into", type=Path, metavar="FILE.md", help=into)
    records = (
        f"use the runs recorded in a file (default: {PLACE} in the outputs folder) instead of those in that folder"
    )
    parser.add_argument("--records", type=Path, nargs="?", const=PLACE, metavar="FILE", help=records)
    record = "write the finished runs of the table to FILE, one per line, with those recorded before; show nothing"
    outcome.add_argument("--record", type=new_file(), metavar="FILE", help=record)
    args = parser.parse_args(words)
    known = [*table_names(args.config_dir), "all"]
    if args.name not in known:
        parser.error(f"there is no table {args.name}; there is {', '.join(known)}.{did_you_mean(args.name, known)}")
    if args.all and (args.into or args.record):
        parser.error("--all is for the screen; rows for a document are named in its places: leave --all out")
    tables = published_tables(args.config_dir)
    names = list(tables) if args.name == "all" else [args.name]
    with phase("reading the runs"):
        runs = _recorded(args.records, args.outputs) if args.records else read_index(args.outputs)
    results = {name: join(tables[name], args.outputs, runs) for name in names}
    rows = [row for name in names for row in results[name]]
    _print_notes([setting.name for name in names for setting in tables[name]], runs, rows)
    if args.record:
        return _record(args.record, tables, names, runs, str(args.records or "the outputs folder"))
    with phase("comparing"):
        compared = {name: made for name in names if (made := comparisons(results[name], tables, args.outputs, runs))}
    if args.into:
        _write_into(args.into, results, compared, tables)
    elif args.format == "json":
        print(json.dumps(_plain_rows(rows, compared), indent=2))
    elif args.format == "tex":
        print("\n\n".join(as_latex(results[name], name) for name in names))
    elif args.format == "md":
        print(controls_table.with_rows(rows, compared.values()))
    elif args.format:
        print(FORMATS[args.format](rows))
    else:
        if args.all:
            print_table(rows, ", ".join(names), Screen())
        else:
            _print_overviews(results)
        for made in compared.values():
            controls_table.print_comparisons(made, Screen())
    return OUT_OF_BAND if any(row.verdict == "OUT" for row in rows) else FINE


def _print_notes(names: Sequence[str], runs: Sequence[Entry], rows: Sequence[ResultRow]) -> None:
    """Print which damaged runs of these names are left out, and which rows are means over different data."""
    notes = [
        f"{entry.path} is left out, since it is damaged: {entry.damage}"
        for entry in runs
        if entry.damage and entry.path.partition("/")[0] in names
    ]
    notes += [f"row {row.row.id} is a mean over runs that read different data (sha256)" for row in rows if row.is_mixed]
    for note in notes:
        print(f"note: {note}", file=sys.stderr)


def _recorded(file: Path, outputs: Path) -> list[Entry]:
    return [record.entry() for record in read_records(outputs / file if file == PLACE else file)]


def _record(file: Path, tables: Tables, names: list[str], runs: Sequence[Entry], source: str) -> int:
    old = read_records(file) if file.exists() else []
    new = collect(tables, names, runs)
    records = merged(tables, old, new)
    write_records(file, records)
    earlier = len(records) - len(new)
    print(f"{file}: {len(records)} runs, {len(new)} of them from {source}, {earlier} recorded before")
    for experiment, seeds in undeclared(tables, names, runs).items():
        noun, verb = ("seed", "is") if len(seeds) == 1 else ("seeds", "are")
        which = f"{noun} {', '.join(map(str, seeds))} of experiment={experiment}"
        print(f"note: {which} {verb} not recorded: its table declares others", file=sys.stderr)
    if dropped := len(old) - len(merged(tables, old, [])):
        reason = "no table has their setting, or another record has their setting and seed by the present rule"
        print(f"note: {dropped} recorded before are dropped: {reason}", file=sys.stderr)
    return FINE


def _plain_rows(rows: list[ResultRow], compared: dict[str, list[Comparison]]) -> list[dict[str, Any]]:
    """Rows as plain values, a control's row with its comparisons."""
    of_row: dict[int, list[Any]] = {}
    for each in (each for made in compared.values() for each in made):
        of_row.setdefault(id(each.control), []).append(controls_table.plain(each))
    return [{**row.as_dict(), **({"comparisons": of_row[id(row)]} if id(row) in of_row else {})} for row in rows]


def _print_overviews(results: dict[str, list[ResultRow]]) -> None:
    """Print a single table in full; of several, those with any runs, and the names of the others."""
    console = Screen()
    begun = {name: rows for name, rows in results.items() if len(results) == 1 or any(row.runs for row in rows)}
    for name, rows in begun.items():
        print_overview(name, rows, verdict if name == "matrix" else attrgetter("verdict"), console)
    if others := [name for name in results if name not in begun]:
        console.print(f"no runs of: {', '.join(others)} (neurobench table NAME shows how to run them)", highlight=False)


def _write_into(
    document: Path, results: dict[str, list[ResultRow]], compared: dict[str, list[Comparison]], tables: Tables
) -> None:
    try:
        text = document.read_bytes().decode()
        dos = text.count("\r\n") > text.count("\n") / 2  # most lines, if an editor has added others
        text = text.replace("\r\n", "\n")
        require_ends(text, tables)
    except (OSError, UnicodeDecodeError, UserError) as error:
        raise UserError(f"--into {document}: {error}") from error
    places = list(dict.fromkeys([*tables_named(text), *controls_table.tables_named(text)]))
    if not set(places) & set(results):
        raise UserError(
            f"--into {document}: it has no place for {', '.join(results)} (places for: {', '.join(places) or 'none'}); "
            "put <!-- table NAME --> and <!-- end --> on separate lines where a table should go"
        )
    for name in (name for name in places if name not in tables):
        hint = did_you_mean(name, tables)
        print(f"note: there is no table {name}, so its place is unchanged.{hint}", file=sys.stderr)
    text = controls_table.refreshed(refreshed(text, results), compared)
    target = document.resolve()  # a link remains one
    mode = target.stat().st_mode
    write_bytes(target, (text.replace("\n", "\r\n") if dos else text).encode())
    target.chmod(S_IMODE(mode))
    print(f"{document}: {', '.join(name for name in places if name in results)}")


def matrix_command(words: list[str]) -> int:
    """Show every model on every data set on both backends, from the runs of `make table-matrix`. Exit code 0, or 3 if a
    cell lies below its sanity line."""
    parser = verb_parser("matrix", matrix_command.__doc__)
    scale = f"only this scale: {', '.join(choices('scale'))} or one of your own; default: the largest that was run"
    parser.add_argument("--scale", help=scale)
    parser.add_argument("--all", action="store_true", help="show every cell, run or not, with its costs")
    parser.add_argument(
        "--format", choices=["md", "csv", "tex"], help="for papers and programs; default: for the screen"
    )
    args = parser.parse_args(words)
    known = choices("scale", args.config_dir)
    if args.scale not in (None, *known):
        hint = did_you_mean(args.scale, known)
        parser.error(f"--scale {args.scale}: there is no such scale; there is {', '.join(known)}.{hint}")
    settings, runs = published_tables(args.config_dir)["matrix"], read_index(args.outputs)
    results = join(settings, args.outputs, runs, args.scale)
    _print_notes([setting.name for setting in settings], runs, results)
    rows = [matrix_cells(result) for result in results]
    if args.format == "csv":
        csv.writer(sys.stdout, lineterminator="\n").writerows([MATRIX_COLUMNS, *rows])
    elif args.format == "md":
        for row in (MATRIX_COLUMNS, ["---"] * len(MATRIX_COLUMNS), *rows):
            print("| " + " | ".join(text.replace("|", r"\|") for text in row) + " |")
    elif args.format == "tex":
        print(matrix_latex(results))
    elif args.all:
        _print_matrix(rows)
    else:
        print_overview("matrix", results, verdict, Screen(), args.scale)
    return OUT_OF_BAND if any(verdict(result) == "BELOW" for result in results) else FINE


def _print_matrix(rows: list[tuple[str, ...]]) -> None:
    """Print each cell as a line with its figure and one with its costs, for a terminal of any width."""
    console = Screen(highlight=False)
    for cell, accuracy, interval, line, verdict_, *costs in rows:
        colour = {"BELOW": "bold red", "held": "green"}.get(verdict_, "dim")
        figure = "" if accuracy == "-" else f"  {accuracy} ({interval}),"
        console.print(Text.assemble((cell, "bold"), f"{figure} line {line}: ", (verdict_, colour)))
        details = [f"{name}: {value}" for name, value in zip(MATRIX_COLUMNS[5:], costs, strict=True) if value != "-"]
        if details:
            console.print(f"  {', '.join(details)}", style="dim")


def report_command(words: list[str]) -> int:
    """Write every run, table and figure to one HTML page, for a browser, an email or a web server; with --serve, show a
    page on this machine that follows running runs."""
    parser = verb_parser("report", report_command.__doc__)
    parser.add_argument(
        "--to",
        type=new_file(".html", ".tex"),
        metavar="FILE",
        help="file to write (default: report.html in the outputs folder); only the tables if FILE.tex",
    )
    details = "number of newest runs shown with configuration and curves (%(default)s)"
    parser.add_argument("--details", type=int, default=300, metavar="N", help=details)
    weight = "size limit of their figures (%(default)s)"
    parser.add_argument("--figures-mb", type=float, default=24, metavar="MB", help=weight)
    live = "write nothing; show the page to browsers on this machine until Ctrl-C, updated while runs are in progress"
    parser.add_argument("--serve", action="store_true", help=live)
    port = "port of --serve (%(default)s); 0 chooses a free one"
    parser.add_argument("--port", type=int, default=8321, metavar="N", help=port)
    args = parser.parse_args(words)
    if args.details < 0 or args.figures_mb < 0:
        raise UserError("--details and --figures-mb must be at least 0")
    tables = published_tables(args.config_dir)
    if args.serve:
        if args.to:
            raise UserError("--serve writes no file; leave out --to")
        return _serve(tables, args.outputs, args.details, args.port)
    target = args.to or args.outputs / "report.html"
    if not target.parent.is_dir():
        raise UserError(f"{target}: there is no folder {target.parent}")
    require_writable(target, "name a file elsewhere: --to FILE.html or FILE.tex")
    with phase("reading the runs"):
        entries = read_index(args.outputs)
    if target.suffix == ".tex":
        return _write_paper(target, tables, args.outputs, entries)
    from neurobench.report.html import page

    most = round(args.figures_mb * 2**20)
    with phase("writing the page"):
        text = page(tables, args.outputs, entries, args.details, most).encode()
    write_bytes(target, text)
    print(f"{target}: {len(entries)} runs, {len(text) / 2**20:.1f} MiB; open it in a browser")
    return FINE


def _write_paper(target: Path, tables: Tables, outputs: Path, entries: Sequence[Entry]) -> int:
    """Write every table with any runs, and every sweep, as one document for pdflatex."""
    published = [as_latex(join(rows, outputs, entries), name) for name, rows in tables.items()]
    sweeps = [results_table.as_latex(results, title) for title, results in swept(entries, outputs).items()]
    parts = [part for part in published if not part.startswith("%")] + sweeps
    if not parts:
        raise UserError(
            f"{target}: there is nothing to write: no finished run below {outputs} belongs to a table, and no model "
            "was run with several settings. See: neurobench list runs"
        )
    write_bytes(target, latex.document(parts).encode())
    print(f"{target}: {len(parts)} tables; pdflatex {shlex.quote(target.name)}")
    return FINE


def _serve(tables: Tables, outputs: Path, details: int, port: int) -> int:
    from neurobench.report.serve import LOOPBACK, LiveReport, server

    if not 0 <= port < 2**16:
        raise UserError(f"--port {port} is not in 0 to 65535")
    try:
        live = server(LiveReport(tables, outputs, details), port)
    except OSError as error:
        raise UserError(f"--port {port}: {error.strerror}. Choose another one, or 0 for a free one.") from None
    print(f"http://{LOOPBACK}:{live.server_port}  (this machine only; Ctrl-C ends it)", flush=True)
    with live, contextlib.suppress(KeyboardInterrupt):
        live.serve_forever()
    return FINE
