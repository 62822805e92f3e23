"""Real and emulated recordings of the same images, in one figure."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from neurobench.data.camera.likeness import BIN, BINS, Summary
from neurobench.data.camera.parameters import SIDE
from neurobench.figures.style import LIMIT, NEGATIVE, ORDERED, PAGE, POSITIVE, SIGNED, legend, series

BITS = ((0, "brighter", POSITIVE), (1, "darker", NEGATIVE))
KINDS = ("real", "emulated")
SACCADES = (slice(0, 10), slice(10, 21), slice(21, BINS))
SHOWN = (0, 3, 1, 18, 4)  # test images: digits 7, 0, 2, 3, 4
MOST = 6  # most events of a pixel in one saccade that the colours distinguish


def figure(train: tuple[Summary, ...], test: tuple[Summary, ...]) -> Figure:
    """Draw (real, emulated) training and test pairs: five test recordings, rate curves of both, rate maps."""
    drawn = Figure(figsize=(PAGE, 6.6), layout="constrained")
    parts: Any = drawn.subfigures(3, 1, height_ratios=(1.25, 1, 1.05))
    above, middle, below = parts
    _recordings(above.subplots(), test)
    curves = middle.subplots(1, 2, sharey=True)
    for axes, pair, name in zip(curves, (train, test), ("training", "test"), strict=True):
        _curves(axes, pair, name)
    curves[0].set_ylabel("events in 10 ms,\nmean per recording")
    *maps, counts = below.subplots(1, 3)
    _rates(below, maps, train)
    _counts(counts, train, test)
    legend(middle, curves[0], columns=4)
    return drawn


def _recordings(axes: Axes, pair: tuple[Summary, ...]) -> None:
    """Draw test recordings, one row per saccade; one panel, since thirty would take a second to lay out."""
    columns = [
        [_saccade(one.maps[image].reshape(BINS, 2, SIDE, SIDE), bins) for bins in SACCADES]
        for image in SHOWN
        for one in pair
    ]
    mosaic = np.concatenate([np.concatenate(column) for column in columns], axis=1)
    axes.imshow(mosaic, cmap=SIGNED, vmin=-MOST, vmax=MOST)
    side = SIDE + 1
    axes.set_xticks([(k + 0.5) * side for k in range(len(columns))], [KINDS[k % 2] for k in range(len(columns))])
    axes.set_yticks(
        [(k + 0.5) * side for k in range(len(SACCADES))], [f"saccade {k + 1}" for k in range(len(SACCADES))]
    )
    axes.tick_params(length=0)
    axes.set_title("test recordings: brighter (red) minus darker (blue) events of each saccade")


def _saccade(maps: np.ndarray, bins: slice) -> np.ndarray:
    """Brighter minus darker events of a saccade: (BINS, 2, SIDE, SIDE) -> (SIDE + 1, SIDE + 1), with a margin."""
    return np.pad(maps[bins, 0].sum(0) - maps[bins, 1].sum(0), ((0, 1), (0, 1)), constant_values=np.nan)


def _curves(axes: Axes, pair: tuple[Summary, ...], name: str) -> None:
    for bit, label, colour in BITS:
        for one, words, style in zip(pair, KINDS, ("-", "--"), strict=True):
            time = (np.arange(BINS) + 0.5) * BIN / 1000
            axes.plot(time, one.curve[bit], color=colour, linestyle=style, label=f"{label}, {words}")
    axes.set(xlabel="time (ms)", xlim=(0, 320))
    axes.set_ylim(bottom=0)
    axes.grid()
    axes.set_title(f"{len(pair[0].events)} {name} pairs")


def _rates(drawn: SubFigure, panels: list[Axes], train: tuple[Summary, ...]) -> None:
    largest = np.percentile(train[0].pixels.sum(0), 99.8)  # except for a hot pixel or two
    for axes, one, name in zip(panels, train, KINDS, strict=True):
        mesh = axes.imshow(one.pixels.sum(0), cmap=ORDERED, vmin=0, vmax=largest)
        axes.set(xticks=[], yticks=[])
        axes.set_title(f"{name}, training")
    drawn.colorbar(mesh, ax=panels, label="events per pixel", shrink=0.9)


def _counts(axes: Axes, train: tuple[Summary, ...], test: tuple[Summary, ...]) -> None:
    for number, ((real, made), name) in enumerate(((train, "training"), (test, "test"))):
        colour, label = series(number), f"{name} pairs"
        axes.plot(real.events, made.events, ".", markersize=2, color=colour, alpha=0.7, label=label)
    axes.axline((0, 0), slope=1, color=LIMIT, linewidth=0.7, linestyle="--")
    axes.set(xlabel="events, real", ylabel="events, emulated")
    axes.legend(loc="lower right", markerscale=2, handletextpad=0)  # no recording lies below the diagonal
    axes.set_title("each pair of recordings")
    axes.grid()
