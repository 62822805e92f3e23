"""The consoles of verbs and of the library; and tables on a screen that is narrower than they are: no column vanishes
and no text is cut off."""

import contextlib
import os
import textwrap
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table

_UNBROKEN = 8  # characters of a word that stay together where cells are broken
_SHORTEST = 3  # the same of a table that fits on the screen by no other means
_PIPED = 160  # characters a line, at most, where no screen has an edge: columns of long texts are broken there
_NO_EDGE = 10_000


class Screen(Console):
    """A console of rich's that takes texts as they are, on whatever stdout or stderr is. `of_run`: what it tells of
    goes on where nobody reads any longer."""

    def __init__(self, of_run: bool = False, **options: Any):
        self.of_run = of_run
        environment = dict(os.environ)
        if named_width() is None:  # rich would print nothing into a width of 0
            environment.pop("COLUMNS", None)
        super().__init__(markup=False, _environ=environment, **options)

    def on_broken_pipe(self) -> None:
        """The reader (head, less) has gone. That is answered once for all that is printed, by the command; rich's own
        way ends it as if it had failed."""
        with contextlib.suppress(SystemExit):
            super().on_broken_pipe()  # what is left has nowhere to go
        if not self.of_run:
            raise  # what rich caught


def named_width() -> int | None:
    """Characters a line, as COLUMNS says; None where it says nothing, or no such number."""
    with contextlib.suppress(ValueError):
        width = int(os.environ.get("COLUMNS", ""))
        return width if width > 0 else None
    return None


def edge(console: Console) -> int | None:
    """Where its lines end; None in a pipe or a file whose width nobody named by COLUMNS."""
    return console.width if console.is_terminal or console.is_jupyter or named_width() else None


def print_whole(table: Table, console: Console) -> None:
    """Where the screen is too narrow, columns move together, headings are broken between words, cells of a column with
    `no_wrap` never, other cells as they must. Lines that are longer even so go on beyond its edge, where the terminal
    breaks them. In a pipe or a file, whose width nobody named by COLUMNS, no word is broken, and lines are as long as
    they need to be for that."""
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
        column.overflow = "fold"  # rich would cut words off
    try:
        console.print(table, highlight=False, crop=False)
    finally:
        console.width = screen


def _widest(column: Column, console: Console) -> int:
    return max(_width(text, console) for text in (str(column.header), *column.cells))


def _narrowest(column: Column, pieces: int, console: Console) -> int:
    """Where words may be broken into pieces of so many characters; of a column with `no_wrap` cells are not broken."""
    words = str(column.header).split()
    if column.no_wrap:
        return max((_width(text, console) for text in (*words, *column.cells)), default=0)
    words += [word for cell in column.cells for word in str(cell).split()]
    return min(pieces, max((_width(word, console) for word in words), default=0))


def _width(shown: object, console: Console) -> int:
    """In characters, unbroken."""
    return Measurement.get(console, console.options.update(width=_NO_EDGE), shown).maximum  # type: ignore[arg-type]
