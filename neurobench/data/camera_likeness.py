"""How like the real recordings the emulated ones are: figures, and a picture of both side by side.

Both show the same images; the camera was fitted on training pairs, so the test pairs are the honest ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neurobench.data.camera import SENSOR, read
from neurobench.data.camera_store import emulate
from neurobench.data.events import Events
from neurobench.data.mnist import read as read_mnist
from neurobench.data.mnist_files import checked_root
from neurobench.data.nmnist import NMNIST
from neurobench.data.stored_events import StoredEvents

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BIN, BINS, SIDE = 10_000, 32, 34  # us; bins of a recording; pixels


@dataclass(frozen=True)
class Summary:
    """Of N recordings."""

    events: np.ndarray  # (N,) of each
    curve: np.ndarray  # (2, BINS) mean events of a recording in 10 ms, by polarity bit
    pixels: np.ndarray  # (2, SIDE, SIDE) mean events of a recording at a pixel, by polarity bit
    maps: np.ndarray  # (N, BINS, 2 * SIDE * SIDE) float32 counts
    between: np.ndarray  # (10,) ms: deciles of the time between events of one pixel and polarity


def summary(events: Events) -> Summary:
    t, x, y, p = (getattr(events, key).numpy().astype(np.int64) for key in ("t", "x", "y", "p"))
    n = len(events)
    owner = np.repeat(np.arange(n), np.diff(events.start.numpy()))
    cell = (p * SIDE + y) * SIDE + x
    when = np.minimum(t // BIN, BINS - 1)
    size = 2 * SIDE * SIDE
    maps = np.bincount((owner * BINS + when) * size + cell, minlength=n * BINS * size).reshape(n, BINS, size)
    place = owner * size + cell
    order = np.lexsort((t, place))
    gaps = np.diff(t[order])[np.diff(place[order]) == 0]
    total = maps.sum(0).reshape(BINS, 2, SIDE, SIDE) / n
    between = np.percentile(gaps / 1000, np.arange(5, 100, 10))
    return Summary(np.diff(events.start.numpy()), total.sum((2, 3)).T, total.sum(0), maps.astype(np.float32), between)


def pairs(train: bool, n: int, camera: str | None = None) -> tuple[Events, Events]:
    """The first n real recordings of a split, and emulated ones of the same images."""
    splits = NMNIST(validation=0).load(0)
    real = (splits.train if train else splits.test).head(n)
    with checked_root(None) as root:
        images = read_mnist(root, train)[0].numpy()[real.ids.numpy()]
    codes, counts = emulate(read(camera), 0, images, (real.ids + (0 if train else 60_000)).tolist())
    made = StoredEvents(codes, counts.cumsum() - counts, counts, SENSOR)
    assert isinstance(real.x, Events)
    return real.x, made[:]


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Mean over samples of the cosine between a and b (N, ...)."""
    a, b = a.reshape(len(a), -1), b.reshape(len(b), -1)
    return float(((a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))).mean())


def likeness(real: Summary, made: Summary) -> list[tuple[str, str, str, str]]:
    """Rows of a table: what, real, emulated, difference."""

    def shares(one: np.ndarray, other: np.ndarray) -> str:
        return f"{np.abs(other - one).sum() / one.sum():.1%} of all events"

    def by_sample(summary: Summary) -> np.ndarray:
        return summary.maps.sum(1)

    def plain(value: float) -> str:
        return f"{value:.0f}"

    mean, other = real.events.mean(), made.events.mean()
    each = np.abs(made.events / real.events - 1).mean()
    bits = real.curve.sum(1), made.curve.sum(1)
    busy = real.curve.sum(0) > 100
    worst = np.abs(made.curve.sum(0)[busy] / real.curve.sum(0)[busy] - 1)
    return [
        (
            "events a recording",
            plain(mean),
            plain(other),
            f"{other / mean - 1:+.1%}; {each:.1%} recording by recording",
        ),
        ("fewest, most", f"{real.events.min()}, {real.events.max()}", f"{made.events.min()}, {made.events.max()}", ""),
        ("brighter (bit 0)", plain(bits[0][0]), plain(bits[1][0]), f"{bits[1][0] / bits[0][0] - 1:+.1%}"),
        ("darker (bit 1)", plain(bits[0][1]), plain(bits[1][1]), f"{bits[1][1] / bits[0][1] - 1:+.1%}"),
        ("rate curve, 10 ms bins", "", "", shares(real.curve.sum(0), made.curve.sum(0))),
        ("  bins of over 100 events", "", "", f"{worst.mean():.1%} on average, {worst.max():.1%} at worst"),
        ("rate map, 34 x 34 pixels", "", "", shares(real.pixels.sum(0), made.pixels.sum(0))),
        ("count maps of a recording", "", "", f"cosine {cosine(by_sample(real), by_sample(made)):.3f}"),
        (
            "  polarities together",
            "",
            "",
            f"cosine {cosine(_together(by_sample(real)), _together(by_sample(made))):.3f}",
        ),
        ("maps of 10 ms", "", "", f"cosine {cosine(real.maps, made.maps):.3f}"),
        ("ms between events of a pixel", _median(real), _median(made), "median, one polarity"),
    ]


def _together(maps: np.ndarray) -> np.ndarray:
    return maps.reshape(len(maps), 2, -1).sum(1)


def _median(summary: Summary) -> str:
    return f"{summary.between[4:6].mean():.1f}"


def figure(real: Events, made: Events) -> Figure:
    """Five recordings in three saccades, real above emulated; rate curves; rate maps."""
    from matplotlib.figure import Figure

    one, other = summary(real), summary(made)
    drawn = Figure(figsize=(13, 8.6), layout="constrained")
    halves: Any = drawn.subfigures(2, 1, height_ratios=(1.15, 1))
    above, under = halves
    panels = above.subplots(3, 10)
    for column in range(10):
        maps = (one if column % 2 == 0 else other).maps[column // 2].reshape(BINS, 2, SIDE, SIDE)
        for saccade, bins in enumerate((slice(0, 10), slice(10, 21), slice(21, BINS))):
            axis = panels[saccade, column]
            signed = maps[bins, 0].sum(0) - maps[bins, 1].sum(0)
            axis.imshow(signed, cmap="RdBu_r", vmin=-6, vmax=6)
            axis.set_xticks([])
            axis.set_yticks([])
            if column == 0:
                axis.set_ylabel(f"saccade {saccade + 1}")
        panels[0, column].set_title("real" if column % 2 == 0 else "emulated", fontsize=10)
    above.suptitle("brighter (red) less darker (blue) events of a saccade")
    below = under.subplots(1, 4, width_ratios=(1.7, 1, 1, 1.1))
    ms = (np.arange(BINS) + 0.5) * BIN / 1000
    for bit, name, colour in ((0, "brighter", "#c43c39"), (1, "darker", "#3b6ea8")):
        below[0].plot(ms, one.curve[bit], color=colour, label=f"{name}, real")
        below[0].plot(ms, other.curve[bit], color=colour, linestyle="--", label=f"{name}, emulated")
    below[0].set(xlabel="ms", ylabel="events in 10 ms, mean of a recording", xlim=(0, 320))
    below[0].set_ylim(bottom=0)
    below[0].legend(frameon=False, fontsize=8)
    top = one.pixels.sum(0).max()
    for axis, told, name in ((below[1], one, "real"), (below[2], other, "emulated")):
        shown = axis.imshow(told.pixels.sum(0), cmap="viridis", vmin=0, vmax=top)
        axis.set_title(f"events a pixel, {name}", fontsize=10)
        axis.set_xticks([])
        axis.set_yticks([])
    under.colorbar(shown, ax=below[2], shrink=0.7)
    below[3].plot(one.events, other.events, ".", markersize=3, color="#444444", alpha=0.6)
    below[3].axline((0, 0), slope=1, color="#d1752c", linewidth=1)
    below[3].set(xlabel="events of a real recording", ylabel="of the emulated one of the same image")
    return drawn
