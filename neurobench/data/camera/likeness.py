"""Measures of the similarity of emulated to real recordings.

Both show the same images; the camera was fitted on training pairs, so the test pairs are the unbiased ones. But the
test recordings were made along another path than the training recordings: on average 0.55 pixels higher, their first
saccade some 6 ms later and their second 6 ms earlier. `floors` computes the effect of that alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurobench.data.camera.emulation import emulate
from neurobench.data.camera.parameters import SENSOR, SIDE, read
from neurobench.data.events import Events, StoredEvents
from neurobench.data.mnist import checked_root
from neurobench.data.mnist import read as read_mnist
from neurobench.data.specs import NMNIST
from neurobench.figures.drawing import Drawing
from neurobench.phases import tracked

BIN, BINS = 10_000, 32  # us; bins of a recording
PART = 200  # recordings emulated at a time: the progress display stands still meanwhile; changes no event


@dataclass(frozen=True)
class Summary:
    """Statistics of N recordings."""

    events: np.ndarray  # (N,) events of each
    curve: np.ndarray  # (2, BINS) mean events of a recording in 10 ms, by polarity bit
    pixels: np.ndarray  # (2, SIDE, SIDE) mean events of a recording at a pixel, by polarity bit
    maps: np.ndarray  # (N, BINS, 2 * SIDE * SIDE) float32 counts
    between: np.ndarray  # (10,) ms: deciles of the time between events of one pixel and polarity


def summary(events: Events) -> Summary:
    t, x, y, p = (getattr(events, key).numpy().astype(np.int64) for key in ("t", "x", "y", "p"))
    place = ((events.recording().numpy() * 2 + p) * SIDE + y) * SIDE + x
    order = np.lexsort((t, place))
    gaps = np.diff(t[order])[np.diff(place[order]) == 0]
    maps = binned(events, BIN, BINS)
    total = maps.mean(0, dtype=np.float64)
    between = np.percentile(gaps / 1000, np.arange(5, 100, 10))
    n = events.start.diff().numpy()
    return Summary(n, total.sum((2, 3)).T, total.sum(0), maps.reshape(len(n), BINS, -1), between)


def binned(events: Events, width: int, bins: int) -> np.ndarray:
    """Event counts (N, bins, 2, SIDE, SIDE), float32; later events count in the last bin. `width` in us."""
    t, x, y, p = (getattr(events, key).numpy().astype(np.int64) for key in ("t", "x", "y", "p"))
    cell = (((events.recording().numpy() * bins + np.minimum(t // width, bins - 1)) * 2 + p) * SIDE + y) * SIDE + x
    size = len(events) * bins * 2 * SIDE * SIDE
    return np.bincount(cell, minlength=size).reshape(-1, bins, 2, SIDE, SIDE).astype(np.float32)


def pairs(train: bool, n: int, camera: str | None = None, seed: int = 0, first: int = 0) -> tuple[Events, Events]:
    """Real recordings `first` to n - 1 of a split, and emulated ones of the same images. `seed` is the camera's."""
    splits = NMNIST(validation=0).load(0)
    real = (splits.train if train else splits.test).head(n)
    with checked_root(None) as root:
        ids = real.ids[first:]
        images = read_mnist(root, train)[0].numpy()[ids.numpy()]
    numbers = (ids + (0 if train else 60_000)).tolist()
    blocks = [slice(start, start + PART) for start in range(0, len(numbers), PART)]
    parts = [emulate(read(camera), seed, images[block], numbers[block]) for block in tracked("emulating", blocks)]
    codes, counts = (np.concatenate(part) for part in zip(*parts, strict=True))
    assert isinstance(real.x, Events)
    return real.x[first:], StoredEvents.contiguous(codes, counts, SENSOR)[:]


def drawings(camera: str | None) -> dict[str, Drawing]:
    """Figure of the quality of a run's emulated data: 300 training and the 100 test pairs."""
    train, test = (tuple(summary(events) for events in pairs(train, 300, camera)) for train in (True, False))
    return {"camera": Drawing("neurobench.data.camera.figure.figure", (train, test))}


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Mean over samples of the cosine between a and b (N, ...)."""
    a, b = a.reshape(len(a), -1), b.reshape(len(b), -1)
    return float(((a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))).mean())


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Sum of absolute differences, as a share of the sum of `one`."""
    return float(np.abs(other - one).sum() / one.sum())


def _busy_bins(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Relative difference of the curves in each bin of over 100 events."""
    busy = one > 100
    return np.abs(other[busy] / one[busy] - 1)


def likeness(real: Summary, made: Summary) -> list[tuple[str, ...]]:
    """Rows of a table: measure, real, emulated, difference."""

    def count(name: str, one: float, other: float, more: str = "") -> tuple[str, ...]:
        return name, f"{one:.0f}", f"{other:.0f}", f"{other / one - 1:+.1%}{more}"

    each = np.abs(made.events / real.events - 1).mean()
    bits = real.curve.sum(1), made.curve.sum(1)
    curves = real.curve.sum(0), made.curve.sum(0)
    busy = _busy_bins(*curves)
    pixels = real.pixels.sum(0), made.pixels.sum(0)
    images = real.maps.sum(1), made.maps.sum(1)
    summed = [maps.reshape(len(maps), 2, -1).sum(1) for maps in images]
    extremes = [f"{each.events.min()}, {each.events.max()}" for each in (real, made)]
    medians = [f"{each.between[4:6].mean():.1f}" for each in (real, made)]
    return [
        count("events per recording", real.events.mean(), made.events.mean(), f"; {each:.1%} recording by recording"),
        ("fewest, most", *extremes, ""),
        count("brighter (bit 0)", bits[0][0], bits[1][0]),
        count("darker (bit 1)", bits[0][1], bits[1][1]),
        ("rate curve, 10 ms bins", "", "", f"{difference(*curves):.1%} of all events"),
        ("  bins of over 100 events", "", "", f"{busy.mean():.1%} on average, {busy.max():.1%} at worst"),
        ("rate map, 34 x 34 pixels", "", "", f"{difference(*pixels):.1%} of all events"),
        ("count maps of recordings", "", "", f"cosine {cosine(*images):.3f}"),
        ("  polarities together", "", "", f"cosine {cosine(*summed):.3f}"),
        ("maps of 10 ms", "", "", f"cosine {cosine(real.maps, made.maps):.3f}"),
        ("ms between events per pixel", *medians, "median, one polarity"),
    ]


def floors(camera: str | None = None, draws: int = 100) -> list[tuple[str, ...]]:
    """Least differences on the test recordings to be expected of any camera fitted to the training recordings.

    Rows: measure; the same camera twice with other noise; 100 training recordings against the other 900, drawn with the
    digit counts of the test recordings (median of `draws`); the test against the training recordings.
    Each is weighted to the same digits.
    """
    splits = NMNIST(validation=0).load(0)
    y, target = splits.train.y.numpy(), np.bincount(splits.test.y.numpy(), minlength=10)
    twice = [summary(pairs(False, len(splits.test), camera, seed)[1]) for seed in (0, 1)]
    assert isinstance(splits.train.x, Events)
    assert isinstance(splits.test.x, Events)
    maps = np.concatenate([_flat(splits.train.x[k : k + 100]) for k in range(0, len(y), 100)])
    test = _flat(splits.test.x).mean(0)

    def weighted(of: np.ndarray) -> np.ndarray:
        weight = (target / np.bincount(y[of], minlength=10))[y[of]]
        return weight @ maps[of] / weight.sum()

    def differences(one: np.ndarray, other: np.ndarray) -> tuple[float, float, float]:
        curves = one[:BINS], other[:BINS]
        return difference(*curves), float(_busy_bins(*curves).max()), difference(one[BINS:], other[BINS:])

    rng, drawn = np.random.default_rng(0), []
    for _ in tracked("drawing 100 of the training recordings", range(draws)):
        some = np.concatenate([rng.choice(np.flatnonzero(y == k), n, replace=False) for k, n in enumerate(target)])
        drawn.append(differences(maps[some].mean(0), weighted(np.setdiff1d(np.arange(len(y)), some))))
    again = differences(*(np.concatenate([each.curve.sum(0), each.pixels.sum(0).ravel()]) for each in twice))
    columns = again, tuple(np.median(drawn, axis=0)), differences(test, weighted(np.arange(len(y))))
    names = ("rate curve, 10 ms bins", "  worst bin of over 100 events", "rate map, 34 x 34 pixels")
    return [(name, *(f"{column[k]:.1%}" for column in columns)) for k, name in enumerate(names)]


def _flat(events: Events) -> np.ndarray:
    """Event counts by bin, then by pixel, (N, BINS + SIDE^2)."""
    maps = binned(events, BIN, BINS)
    return np.concatenate([maps.sum((2, 3, 4)), maps.sum((1, 2)).reshape(len(maps), -1)], axis=1)
