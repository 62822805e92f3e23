"""Real and emulated recordings of the same images, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurobench.data.camera.likeness import BIN, BINS, Summary, pairs, summary
from neurobench.data.camera.parameters import SIDE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BITS = ((0, "brighter", "#c43c39"), (1, "darker", "#3b6ea8"))
SACCADES = (slice(0, 10), slice(10, 21), slice(21, BINS))
SHOWN = (0, 3, 1, 18, 4)  # test images: digits 7, 0, 2, 3, 4


def figures(camera: str | None) -> dict[str, Figure]:
    """A run's figure of what its data are worth: 300 training and the 100 test pairs."""
    train, test = (tuple(summary(events) for events in pairs(train, 300, camera)) for train in (True, False))
    return {"camera": figure(train, test)}


def figure(train: tuple[Summary, ...], test: tuple[Summary, ...]) -> Figure:
    """(real, emulated) training pairs and test pairs: five test recordings, rate curves of both, rate maps."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(13, 8.2), layout="constrained")
    halves: Any = drawn.subfigures(2, 1, height_ratios=(1.12, 1))
    _recordings(halves[0], test)
    below = halves[1].subplots(1, 5, width_ratios=(1.5, 1.5, 0.9, 0.9, 1.1))
    top = 1.4 * max(each.curve.max() for each in (*train, *test))
    for axis, pair, name in ((below[0], train, "training"), (below[1], test, "test")):
        _curves(axis, pair, top)
        axis.set_title(f"{len(pair[0].events)} {name} pairs", fontsize=10)
    below[0].set_ylabel("events in 10 ms, mean of a recording")
    below[0].legend(frameon=False, fontsize=8, ncols=2, loc="upper right", handlelength=1.4, columnspacing=1.2)
    largest = np.percentile(train[0].pixels.sum(0), 99.8)  # but for a hot pixel or two
    for axis, one, name in zip(below[2:4], train, ("real", "emulated"), strict=True):
        shown = axis.imshow(one.pixels.sum(0), cmap="viridis", vmin=0, vmax=largest)
        axis.set_xlabel(f"events a pixel,\n{name}, training")
        axis.set_xticks([])
        axis.set_yticks([])
    halves[1].colorbar(shown, ax=list(below[2:4]), orientation="horizontal", location="top", shrink=0.6, aspect=25)
    _scatter(below[4], train, test)
    return drawn


def _recordings(drawn: Any, pair: tuple[Summary, ...]) -> None:
    panels = drawn.subplots(len(SACCADES), 2 * len(SHOWN))
    for column in range(2 * len(SHOWN)):
        maps = pair[column % 2].maps[SHOWN[column // 2]].reshape(BINS, 2, SIDE, SIDE)
        for row, bins in enumerate(SACCADES):
            axis = panels[row, column]
            axis.imshow(maps[bins, 0].sum(0) - maps[bins, 1].sum(0), cmap="RdBu_r", vmin=-6, vmax=6)
            axis.set_xticks([])
            axis.set_yticks([])
        panels[0, column].set_title(("real", "emulated")[column % 2], fontsize=10)
    for row in range(len(SACCADES)):
        panels[row, 0].set_ylabel(f"saccade {row + 1}")
    drawn.suptitle("test recordings: brighter (red) less darker (blue) events of each saccade", fontsize=11)


def _curves(axis: Any, pair: tuple[Summary, ...], top: float) -> None:
    ms = (np.arange(BINS) + 0.5) * BIN / 1000
    for bit, name, colour in BITS:
        for one, words, style in zip(pair, ("real", "emulated"), ("-", "--"), strict=True):
            axis.plot(ms, one.curve[bit], color=colour, linestyle=style, linewidth=1.2, label=f"{name}, {words}")
    axis.set(xlabel="ms", xlim=(0, 320), ylim=(0, top))
    axis.grid(alpha=0.3)


def _scatter(axis: Any, train: tuple[Summary, ...], test: tuple[Summary, ...]) -> None:
    for (real, made), name, colour in ((train, "training", "#999999"), (test, "test", "#222222")):
        axis.plot(real.events, made.events, ".", markersize=3, color=colour, alpha=0.7, label=name)
    axis.axline((0, 0), slope=1, color="#d1752c", linewidth=1)
    axis.set(xlabel="events of a real recording", ylabel="of the emulated one of the same image")
    axis.legend(frameon=False, fontsize=8, markerscale=2)
