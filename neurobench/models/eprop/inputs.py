"""Conversion of recordings to spikes of input neurons: the input of each pixel, and the step of each event."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from neurobench.config.errors import UserError
from neurobench.data.events import Events
from neurobench.kernels.eprop.spikes import LATE, UNSORTED, Recordings, bin_events, sort_steps
from neurobench.models.eprop.spec import SENSOR

SPAN = 336_040  # us, the longest recording of N-MNIST; it is mapped to step T

# Pixels of N-MNIST that ever see an event, by polarity (1 is ON): row or rows, then columns, first to last.
# Source: `NMNIST_pixels_blocklist.txt` of NEST's examples, its complement.
ACTIVE = (
    "1:29 4:16-22 5:11-25 6:9-27 7:8-28 8-9:7-28 10-12:6-29 13:1,6-28 14:6-29 15:5-28 16:6-28 17:5-29 18:6-28 "
    "19-21:5-28 22-23:5-27 24-25:5-26 26:6-25 27:6-24 28:7-23 29:8-22 30:9-21 31:11-19",
    "1:29 3:18,31 4:14-23 5:10-26 6:9-27,32 7:8-29 8:6-28,30,32 9-10:6-29 11:4-29 12:5-28 13:1,5-28 14-16:5-29 "
    "17-19:5-28 20:4-29 21-22:4-28 23-24:4-27 25:5-26 26:4-26 27:6-25 28:2,6-24 29:8-22 30:7-21 31:10-19 32:13-14,16",
)


class Spikes(NamedTuple):
    """Input spikes of G samples by step, steps 0 to T of each."""

    start: np.ndarray  # (G (T + 1) + 1,) int64 first spike of each step, and the end
    source: np.ndarray  # (E,) int64

    def steps(self) -> np.ndarray:
        """Step of each spike, (E,) int64, counted across samples."""
        return np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))

    def ascending(self, sources: int) -> Spikes:
        """Return the spikes sorted by source within each step."""
        source = self.source.copy()
        sort_steps(self.start, source, sources)
        return Spikes(self.start, source)

    def distinct(self) -> Spikes:
        """Return the spikes without repeats of a source within a step, which have to be adjacent."""
        first = np.diff(self.source, prepend=-1) != 0
        first[self.start[:-1][np.diff(self.start) > 0]] = True
        return Spikes(np.append(0, np.cumsum(first))[self.start], self.source[first])

    def samples(self, first: int, n: int, T: int) -> Spikes:
        """Return the spikes of samples first to first + n - 1."""
        start = self.start[first * (T + 1) : (first + n) * (T + 1) + 1]
        return Spikes(start - start[0], self.source[start[0] : start[-1]])


def grouped(group: np.ndarray, member: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Sort members by group, 0 to n - 1, ascending within each. Returns the first place of each group, (n + 1,), and
    the members. group, member: (E,) int64, not negative."""
    bits = int(member.max(initial=0)).bit_length()
    key = np.sort((group << bits | member).astype(np.uint32 if n << bits < 2**32 else np.int64))
    return np.append(0, np.cumsum(np.bincount(group, minlength=n))), (key & (2**bits - 1)).astype(np.int64)


class InputMap(NamedTuple):
    """Map from pixels to inputs: source_of[pixels of a polarity * p + columns * y + x] is the event's input, or -1."""

    source_of: np.ndarray  # (polarities * rows * columns,) int64
    size: int  # inputs
    sensor: tuple[int, ...]  # polarities, rows, columns
    once: bool = False  # events of one input in one step count once

    def encode(self, events: Events, T: int, shifts: np.ndarray | None = None, ascending: bool = True) -> Spikes:
        """Encode events as spikes of step r = round(t T / SPAN), half to even. Raises UserError for events after
        SPAN or out of order.

        shifts (G, 2) int64: columns and rows by which each recording is moved; events off the sensor are dropped.
        ascending: spikes of a step are sorted by source; else they are in order of time.
        """
        start = np.empty(len(events) * (T + 1) + 1, np.int64)
        source = np.empty(len(events.t) + 1, np.int64)
        moved = np.zeros((len(events), 2), np.int64) if shifts is None else shifts
        t, x, y, p, begin = (part.numpy() for part in (events.t, events.x, events.y, events.p, events.start))
        n, fault = bin_events(Recordings(t, x, y, p, begin, moved), self, _limits(T), start, source)
        if fault == LATE:
            raise UserError(
                f"an event is at {int(events.t[n])} us, after the {SPAN} us over which model.steps={T} steps are "
                "spread. Cut or compress recordings by dataset.window=336 or dataset.faster; vectors and images by a "
                "shorter encoder.duration or encoder.window."
            )
        if fault == UNSORTED:
            raise UserError(
                f"an event at {int(events.t[n])} us follows a later one: a recording is not sorted by time. Sort it."
            )
        spikes = Spikes(start, source[:n])
        spikes = spikes.ascending(self.size) if ascending or self.once else spikes
        return spikes.distinct() if self.once else spikes

    def ignored(self, events: Events) -> float:
        """Share of the events whose pixels have no input."""
        _, rows, columns = self.sensor
        pixels = (events.p.long() * rows + events.y.long()) * columns + events.x.long()
        return float((self.source_of[pixels.numpy()] < 0).sum()) / max(1, len(pixels))


@lru_cache
def _limits(T: int) -> np.ndarray:
    """First microsecond of each of the steps 0 to T, and the first after them, (T + 2,) int64."""
    step = np.rint(np.arange(SPAN + 1) * T / SPAN)
    return np.searchsorted(step, np.arange(T + 2))


def one_each(sensor: tuple[int, ...]) -> InputMap:
    """Input map with one input for each active pixel of N-MNIST, or for each pixel of another sensor."""
    pixels = int(np.prod(sensor))
    active = active_pixels() if tuple(sensor) == SENSOR else np.arange(pixels)
    source_of = np.full(pixels, -1, np.int64)
    source_of[active] = np.arange(len(active))
    return InputMap(source_of, len(active), sensor)


def pooled(sensor: tuple[int, ...], pool: str) -> InputMap:
    """Input map that pools pixels in cells "16x16" (polarities merged) or "11x11x2": floor(16 y / 34), floor(16 x / 34)
    and so on."""
    columns, rows, *rest = (int(part) for part in pool.split("x"))
    polarities = rest[0] if rest else 1
    p, y, x = np.indices(sensor)
    cell = (p * (polarities - 1) * rows + rows * y // sensor[1]) * columns + columns * x // sensor[2]
    return InputMap(cell.ravel().astype(np.int64), polarities * rows * columns, sensor, once=True)


def active_pixels() -> np.ndarray:
    """Numbers 1156 p + 34 y + x of the active pixels, (N_ACTIVE,) int64, ascending."""
    active = np.zeros(SENSOR, bool)
    for polarity, words in enumerate(ACTIVE):
        for word in words.split():
            rows, _, columns = word.partition(":")
            for span in columns.split(","):
                active[polarity, _span(rows), _span(span)] = True
    return np.flatnonzero(active)


def _span(words: str) -> slice:
    first, _, last = words.partition("-")
    return slice(int(first), int(last or first) + 1)
