"""`compare A B [C ...]`: how runs and their figures differ, and whether the difference can be due to chance."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from neurobench.cli.arguments import verb_parser
from neurobench.config.errors import FINE, UserError
from neurobench.metrics.catalog import printed, printed_change
from neurobench.report.comparison import LETTERS, Pair, conclusion, numbers, paired
from neurobench.report.comparison_table import as_latex, as_markdown
from neurobench.report.results_table import value_text
from neurobench.report.screen import Screen, print_whole
from neurobench.storage.differences import Difference, differences
from neurobench.storage.folder import RunFolder
from neurobench.storage.store import find_run

TITLES = {"config": "configuration", "metrics": "figures", "provenance": "machine and software"}
FORMATS: dict[str, Callable[[Sequence[RunFolder], Sequence[Pair]], str]] = {"md": as_markdown, "tex": as_latex}


def compare_command(words: list[str]) -> int:
    """Show how runs and their figures of merit differ and, on the samples that both were tested on, whether one of two
    runs is better by more than chance (McNemar's test, corrected by Holm's rule over all pairs of several runs)."""
    parser = verb_parser("compare", compare_command.__doc__, json="the differences and tests")
    meant = 'at least two runs: a path, an id or its beginning, a name (its newest finished run), or "latest"'
    parser.add_argument("runs", nargs="+", metavar="RUN", help=meant)
    parser.add_argument(
        "--format", choices=FORMATS, help="accuracies and tests for papers; default: everything, for the screen"
    )
    args = parser.parse_args(words)
    if args.json and args.format:
        raise UserError(f"--json and --format {args.format} are two formats: leave one out")
    if not 2 <= len(args.runs) <= len(LETTERS):
        raise UserError(f"name 2 to {len(LETTERS)} runs to compare: neurobench compare A B")
    runs = [find_run(args.outputs, reference, finished=True) for reference in args.runs]
    sections = differences(*runs)
    finished = all(run.is_finished for run in runs)
    pairs = paired(runs) if finished else []
    if args.json:
        print(json.dumps(_plain(runs, sections, pairs), indent=2))
    elif args.format:
        if not finished:
            raise UserError("only finished runs have accuracies to compare")
        print(FORMATS[args.format](runs, pairs))
    else:
        _print(runs, sections, pairs, Screen(highlight=False))
    return FINE


def _plain(runs: Sequence[RunFolder], sections: dict[str, list[Difference]], pairs: Sequence[Pair]) -> dict[str, Any]:
    """Plain values, runs named by letters: {"a": folder, "b": folder, "config": [{"key": , "a": , "b": }], ...}"""
    letters = LETTERS.lower()[: len(runs)]
    folders = {letter: str(run.path) for letter, run in zip(letters, runs, strict=True)}
    plain = {
        name: [{"key": row.key, **dict(zip(letters, row.values, strict=True))} for row in rows]
        for name, rows in sections.items()
    }
    tests = [
        {
            "a": pair.a.lower(), "b": pair.b.lower(), "reason": pair.reason or None, "p_holm": pair.corrected,
            **(pair.test._asdict() if pair.test else {}), "conclusion": conclusion(pair),
        }
        for pair in pairs
    ]  # fmt: skip
    return {**folders, **plain, "paired": tests}


def _print(
    runs: Sequence[RunFolder], sections: dict[str, list[Difference]], pairs: Sequence[Pair], console: Console
) -> None:
    for letter, run in zip(LETTERS, runs, strict=False):
        console.print(f"{letter}  {run.label}", soft_wrap=True)
    for section, rows in sections.items():
        if rows:
            console.print()
            print_whole(_table(section, rows), console)
        else:
            console.print(f"\n{TITLES[section]}: the same")
    console.print()
    for pair in pairs:
        console.print(conclusion(pair), style="bold", soft_wrap=True)
        if pair.test:
            console.print(f"  {numbers(pair)}")
    if any(pair.test for pair in pairs):
        console.print(
            "for these trained models; to compare settings, use several seeds: neurobench results", style="dim"
        )


def _table(section: str, rows: Sequence[Difference]) -> Table:
    table = Table(title=TITLES[section], title_justify="left", title_style="bold", box=box.SIMPLE, show_edge=False)
    n, figures = len(rows[0].values), section == "metrics"

    def text(key: str, value: Any) -> str:
        return printed(key, value, digits=6) if figures else value_text(value)

    table.add_column("", no_wrap=True)
    for column in (*LETTERS[:n], *(("B - A",) if figures and n == 2 else ())):
        table.add_column(column, justify="right")
    for key, values in rows:
        cells = ["-" if value is None else text(key, value) for value in values]
        if figures and n == 2:
            cells.append("" if None in values else printed_change(key, values[1] - values[0]))
        table.add_row(*map(Text, [key, *cells]))
    return table
