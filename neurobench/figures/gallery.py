"""Many small pictures in one panel, each with a caption: fifty panels would take a second to lay out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from neurobench.figures.style import COLUMN, WRONG

_LETTER = 0.054  # inches: width of a letter of a caption


def gallery(pictures: Sequence[np.ndarray], captions: Sequence[str], wrong: Sequence[bool], columns: int) -> Figure:
    """Figure of pictures, (rows, columns) each, in [0, 1]. Captions of mistakes are bold, in the colour of mistakes.

    `columns`: pictures in a row; fewer if the captions need more room.
    """
    lines = max(caption.count("\n") + 1 for caption in captions)
    longest = max(len(line) for caption in captions for line in caption.split("\n"))
    columns = min(columns, max(1, int(COLUMN / (_LETTER * max(1, longest)))))
    rows, side = -(-len(pictures) // columns), COLUMN / columns
    tall = min(2.0, max(len(picture) / picture.shape[1] for picture in pictures))
    head = 0.11 * lines / side  # height of a caption, in widths of a picture
    step = tall + head + 0.14
    figure = Figure(figsize=(COLUMN, rows * step * side), layout="constrained")
    axes = figure.subplots()
    for number, picture in enumerate(pictures):
        x, y = number % columns, number // columns * step + head + 0.08
        extent = (x + 0.05, x + 0.95, y + 0.95 * tall, y)
        axes.imshow(picture, cmap="gray", vmin=0, vmax=1, extent=extent, interpolation="nearest", aspect="auto")
        colour, weight = (WRONG, "bold") if wrong[number] else ("black", "normal")
        look: dict[str, Any] = {
            "fontsize": 6,
            "color": colour,
            "fontweight": weight,
            "linespacing": 1.0,
            "parse_math": False,
        }
        axes.text(x + 0.5, y - 0.04, captions[number], ha="center", va="bottom", **look)
    axes.set(xlim=(0, columns), ylim=(rows * step, 0))
    axes.set_axis_off()
    return figure
