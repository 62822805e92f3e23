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
    """Where the screen is too narrow, headings are broken between words, cells of a column with `no_wrap` never, other
    cells as they must. Lines that are longer even so go on beyond its edge, where the terminal breaks them. In a pipe
    or a file, whose width nobody named by COLUMNS, lines are as long as they need to be."""
    screen, length = console.width, _width(table, console)
    if edge(console) is None:
        console.width = min(length, _PIPED)
    if length > console.width:
        console.width = max(console.width, length - sum(_narrowed(column, console) for column in table.columns))
    try:
        console.print(table, highlight=False, crop=False)
    finally:
        console.width = screen


def _narrowed(column: Column, console: Console) -> int:
    """By how many characters the column can now become narrower."""
    heading = str(column.header)
    cells = max((_width(text, console) for text in column.cells), default=0)
    column.min_width = min(_UNBROKEN, cells)
    if column.no_wrap:
        column.min_width = max([cells, *(_width(word, console) for word in heading.split())])
        column.header = textwrap.fill(heading, column.min_width)
    return max(cells, _width(heading, console)) - column.min_width


def _width(shown: object, console: Console) -> int:
    """In characters, unbroken."""
    return Measurement.get(console, console.options.update(width=_NO_EDGE), shown).maximum  # type: ignore[arg-type]
