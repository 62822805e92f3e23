"""Consoles of the verbs and the library; and tables on a screen that is narrower than the table: no column vanishes
and no text is cut off."""

import contextlib
import os
import textwrap
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table

_UNBROKEN = 8  # characters of a word that stay together when cells are wrapped
_SHORTEST = 3  # the same for a table that fits on the screen in no other way
_PIPED = 160  # maximum characters per line if there is no screen: columns of long texts are wrapped at this width
_NO_EDGE = 10_000


class Screen(Console):
    """A rich console on the current stdout or stderr that prints text as it is, without markup or emoji codes.
    `of_run`: it reports on runs, which continue even if nobody reads the output any longer."""

    def __init__(self, of_run: bool = False, **options: Any):
        self.of_run = of_run
        environment = dict(os.environ)
        if named_width() is None:  # rich would print nothing at a width of 0
            environment.pop("COLUMNS", None)
        super().__init__(markup=False, emoji=False, _environ=environment, **options)

    def on_broken_pipe(self) -> None:
        """Handle a reader (head, less) that has gone: re-raise, since the command handles this once for all output;
        rich alone would exit as if the command had failed."""
        self.quiet = True
        with contextlib.suppress(OSError):  # a stream without a file of its own
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())  # discards what its buffer holds
        if not self.of_run:
            raise  # the BrokenPipeError that rich caught


def named_width() -> int | None:
    """Characters per line, as set by COLUMNS; None if it is unset or not a positive number."""
    with contextlib.suppress(ValueError):
        width = int(os.environ.get("COLUMNS", ""))
        return width if width > 0 else None
    return None


def edge(console: Console) -> int | None:
    """Line width of a console; None for a pipe or a file if COLUMNS sets no width."""
    return console.width if console.is_terminal or console.is_jupyter or named_width() else None


def print_whole(table: Table, console: Console) -> None:
    """Print a table without truncation. If the screen is too narrow, columns move closer together, headings are wrapped
    between words, cells of a column with `no_wrap` never, other cells as needed. Lines that are still longer extend
    beyond the edge, where the terminal breaks them. In a pipe or a file, if COLUMNS sets no width, no word is broken,
    and lines are as long as that requires."""
    screen, length = console.width, _width(table, console)
    shortest: tuple[int, ...] = (_UNBROKEN, _SHORTEST)
    if edge(console) is None:
        console.width, shortest = min(length, _PIPED), (_NO_EDGE,)
    elif length > screen:
        table.padding = (0, 1, 0, 0)
        length = _width(table, console)
    if length > console.width:
        margin = length - sum(_widest(column, console) for column in table.columns)
        widths = [[_narrowest(column, pieces, console) for column in table.columns] for pieces in shortest]
        least = next((each for each in widths if margin + sum(each) <= console.width), widths[0])
        console.width = max(console.width, margin + sum(least))
        for column, width in zip(table.columns, least, strict=True):
            column.min_width = width
            if column.no_wrap:
                column.header = textwrap.fill(str(column.header), width)
    for column in table.columns:
        column.overflow = "fold"  # rich would truncate words
    try:
        console.print(table, highlight=False, crop=False)
    finally:
        console.width = screen


def _widest(column: Column, console: Console) -> int:
    return max(_width(text, console) for text in (str(column.header), *column.cells))


def _narrowest(column: Column, pieces: int, console: Console) -> int:
    """Smallest width if words may be broken into `pieces` characters; cells of a `no_wrap` column are not broken."""
    words = str(column.header).split()
    if column.no_wrap:
        return max((_width(text, console) for text in (*words, *column.cells)), default=0)
    words += [word for cell in column.cells for word in str(cell).split()]
    return min(pieces, max((_width(word, console) for word in words), default=0))


def _width(shown: object, console: Console) -> int:
    """Width in characters, unwrapped."""
    return Measurement.get(console, console.options.update(width=_NO_EDGE), shown).maximum  # type: ignore[arg-type]
