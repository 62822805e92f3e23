"""Columns of plain text."""

import textwrap
from collections.abc import Iterator, Sequence

_NARROWEST = 20  # characters of the last column, where the others leave it less
_MOST_LINES = 3  # of a row


def columns(rows: Sequence[Sequence[str]], width: int | None = None) -> Iterator[str]:
    """A line for each row, its texts below one another. The last one may be of any width, or is folded where lines
    would be longer than `width`; what three lines do not hold ends with "..."."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    start = sum(widths[:-1]) + 2 * (len(widths) - 1)
    room = widths[-1] if width is None else max(_NARROWEST, width - start)
    for row in rows:
        last = [row[-1]]
        if len(row[-1]) > room:
            last = textwrap.wrap(row[-1], room, max_lines=_MOST_LINES, placeholder=" ...", break_on_hyphens=False)
        line = "  ".join(text.ljust(width) for text, width in zip((*row[:-1], last[0]), widths, strict=True))
        yield line.rstrip()
        yield from (" " * start + text for text in last[1:])
