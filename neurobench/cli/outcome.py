"""Screen output of a finished run: the answer in a few lines and, on request, every figure, grouped and explained."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from neurobench.report.answer import answer
from neurobench.report.grouped import lines_by_group
from neurobench.report.summary import headline, pictures, remarks
from neurobench.storage.files import printable
from neurobench.storage.folder import PRINTOUT, RunFolder
from neurobench.storage.store import default_outputs


def print_answer(folder: RunFolder, result: Mapping[str, Any], console: Console) -> None:
    first, *others = answer(result, str(folder.path), f"neurobench show {_reference(folder)}")
    console.print(first, style="bold", highlight=False, soft_wrap=True)
    for line in others:
        console.print(line, highlight=False, soft_wrap=True)


def _reference(folder: RunFolder) -> str:
    """Argument with which `show` finds the run that has just finished."""
    is_default = folder.path.parent.parent.absolute() == default_outputs().absolute()
    return "latest" if is_default else shlex.quote(str(folder.path))


def print_details(folder: RunFolder, result: Mapping[str, Any], console: Console) -> None:
    """Print every figure of merit by group, the requests to the devices, seconds and files."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for width in (30, 11, None):
        table.add_column(overflow="fold", width=width)
    for group, lines in lines_by_group(result["metrics"]).items():
        table.add_row(f"\n{group}", style="bold")
        for line in lines:
            table.add_row(f"  {line.name}", line.value, line.text)
    console.print(table, highlight=False)
    console.print("\nthe rest", style="bold", highlight=False)
    for remark in remarks(result):
        console.print(f"  {remark}", highlight=False)
    seconds = ", ".join(f"{name} {value:.2f}" for name, value in result["seconds"].items())
    memory = f"; peak memory {result['peak_rss_mb']} MB" if "peak_rss_mb" in result else ""
    console.print(f"  seconds: {seconds}{memory}", highlight=False)
    if folder.has(PRINTOUT):
        console.print("\nas printed by its tutorial", style="bold", highlight=False)
        for line in printable((folder.path / PRINTOUT).read_text(encoding="utf-8")).splitlines():
            console.print(f"  {line}", highlight=False, soft_wrap=True)
    figures = [path.name for path in pictures(folder.path)]
    if figures:
        console.print(f"  {folder.path / 'figures'}: {', '.join(figures)}", highlight=False, soft_wrap=True)


def print_headline(result: Mapping[str, Any], console: Console) -> None:
    console.print(headline(result), style="bold", highlight=False, soft_wrap=True)


def print_finished(folder: RunFolder, console: Console) -> None:
    """Print everything about a run that finished earlier."""
    result = folder.result()
    assert result is not None
    print_answer(folder, result, console)
    print_details(folder, result, console)
