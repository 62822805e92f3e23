"""Columns of plain text."""

import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest

_NARROWEST = 20  # characters: least width of the first and of the last column, even if the others leave less room
_MOST_LINES = 3  # lines of a row's last column, at most


def columns(rows: Sequence[Sequence[str]], width: int | None = None) -> Iterator[str]:
    """Align rows as lines of columns. If lines would be longer than `width`, the last column is folded to at most three
    lines, a longer text ending with "..."; then the first column is folded, but never cut, since it names the row."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    room = widths[-1]
    if width is not None:
        between = sum(widths[1:-1]) + 2 * (len(widths) - 1)
        widths[0] = min(widths[0], max(_NARROWEST, width - between - min(_NARROWEST, room)))
        room = max(_NARROWEST, width - between - widths[0])
    for first, *others, last in rows:
        cut = textwrap.wrap(last, room, max_lines=_MOST_LINES, placeholder=" ...", break_on_hyphens=False)
        lines = [_folded(first, widths[0]), *([text] for text in others), [last] if len(last) <= room else cut]
        for texts in zip_longest(*lines, fillvalue=""):
            yield "  ".join(text.ljust(width) for text, width in zip(texts, widths, strict=True)).rstrip()


def _folded(name: str, room: int) -> list[str]:
    """Path folded into lines, broken after a slash if that keeps its parts whole."""
    lines = [""]
    for part in name.replace("/", "/\n").splitlines():
        if len(lines[-1]) + len(part) > room and lines[-1]:
            lines.append("")
        while len(lines[-1]) + len(part) > room:
            lines[-1], part = part[:room], part[room:]
            lines.append("")
        lines[-1] += part
    return lines
