"""`neurobench report`: every run, table and figure in one HTML page, for a browser, a mail, a web server."""

from __future__ import annotations

from pathlib import Path

from neurobench.cli.arguments import verb_parser
from neurobench.config.errors import FINE, UserError
from neurobench.report.html import page
from neurobench.report.published import published_tables
from neurobench.runs.atomic import write_bytes
from neurobench.runs.store import read_index


def main(words: list[str]) -> int:
    parser = verb_parser("report", __doc__)
    parser.add_argument("--to", type=Path, metavar="FILE", help="where to write it (report.html among the runs)")
    parser.add_argument(
        "--details", type=int, default=300, metavar="N", help="newest runs with configuration and curves (%(default)s)"
    )
    parser.add_argument(
        "--figures-mb", type=float, default=24, metavar="MB", help="most that their figures may weigh (%(default)s)"
    )
    args = parser.parse_args(words)
    target = args.to or args.outputs / "report.html"
    if not target.parent.is_dir():
        raise UserError(f"{target}: there is no folder {target.parent}")
    if args.details < 0 or args.figures_mb < 0:
        raise UserError("--details and --figures-mb are at least 0")
    entries = read_index(args.outputs)
    text = page(published_tables(), args.outputs, entries, args.details, round(args.figures_mb * 2**20))
    write_bytes(target, text.encode())
    print(f"{target}: {len(entries)} runs, {len(text.encode()) / 2**20:.1f} MiB; open it in a browser")
    return FINE
