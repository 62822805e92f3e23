"""Which pixels of N-MNIST ever see an event: the 1196 inputs of NEST's tutorial, which leaves out the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

SENSOR = (2, 34, 34)  # polarities, rows, columns
N_ACTIVE = 1196

# Row or rows, then columns, first to last. Source: `NMNIST_pixels_blocklist.txt` of NEST's examples, its complement.
ACTIVE = (
    "1:29 4:16-22 5:11-25 6:9-27 7:8-28 8-9:7-28 10-12:6-29 13:1,6-28 14:6-29 15:5-28 16:6-28 17:5-29 18:6-28 "
    "19-21:5-28 22-23:5-27 24-25:5-26 26:6-25 27:6-24 28:7-23 29:8-22 30:9-21 31:11-19",
    "1:29 3:18,31 4:14-23 5:10-26 6:9-27,32 7:8-29 8:6-28,30,32 9-10:6-29 11:4-29 12:5-28 13:1,5-28 14-16:5-29 "
    "17-19:5-28 20:4-29 21-22:4-28 23-24:4-27 25:5-26 26:4-26 27:6-25 28:2,6-24 29:8-22 30:7-21 31:10-19 32:13-14,16",
)


def active_pixels() -> np.ndarray:
    """(N_ACTIVE,) int64 1156 p + 34 y + x, ascending; p = 1 is ON."""
    import numpy as np

    _, rows, columns = SENSOR
    found = []
    for polarity, words in enumerate(ACTIVE):
        for word in words.split():
            lines, _, spans = word.partition(":")
            for y in _span(lines):
                for span in spans.split(","):
                    found += [rows * columns * polarity + columns * y + x for x in _span(span)]
    return np.array(sorted(found), np.int64)


def _span(words: str) -> range:
    first, _, last = words.partition("-")
    return range(int(first), int(last or first) + 1)
