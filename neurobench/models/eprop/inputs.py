"""From recordings to spikes of input neurons: which input a pixel feeds, and in which step an event arrives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from neurobench.config.errors import UserError
from neurobench.data.events import Events
from neurobench.kernels.eprop.spikes import LATE, UNSORTED, Recordings, Sensor, ascend, bin_events, drop_repeats
from neurobench.models.eprop.exact import Spikes
from neurobench.models.eprop.pixels import SENSOR, active_pixels

SPAN = 336_040  # us, the longest recording of N-MNIST: step T


@dataclass(frozen=True)
class Wiring:
    """source_of[pixels of a polarity * p + columns * y + x] is the input that an event reaches, or -1."""

    source_of: np.ndarray  # (polarities * rows * columns,) int64
    inputs: int
    sensor: tuple[int, int, int]
    once: bool = False  # events of one input in one step count once

    def encode(self, events: Events, T: int, shifts: np.ndarray | None = None, ascending: bool = True) -> Spikes:
        """Step r = round(t T / SPAN), half to even. Raises UserError for an event after SPAN.

        shifts (G, 2) int64: each recording is moved by so many columns and rows; what leaves the sensor is dropped.
        ascending: spikes of a step are sorted by source; else they come in order of time.
        """
        start = np.empty(len(events) * (T + 1) + 1, np.int64)
        source = np.empty(len(events.t) + 1, np.int64)
        _, rows, columns = self.sensor
        moved = np.zeros((len(events), 2), np.int64) if shifts is None else shifts
        t, x, y, p, begin = (part.numpy() for part in (events.t, events.x, events.y, events.p, events.start))
        recordings, pixels = Recordings(t, x, y, p, begin, moved), Sensor(self.source_of, columns, rows)
        n, fault = bin_events(recordings, pixels, _limits(T), start, source)
        if fault == LATE:
            raise UserError(
                f"an event lies at {int(events.t[n])} us, after the {SPAN} us that model.steps={T} steps stand for. "
                "Use recordings of N-MNIST, or rescale their times."
            )
        if fault == UNSORTED:
            raise UserError(
                f"an event at {int(events.t[n])} us follows a later one: a recording is not sorted by time. Sort it."
            )
        if ascending or self.once:
            ascend(start, source)
        if self.once:
            n = drop_repeats(start, source)
        return Spikes(start, source[:n])


@lru_cache
def _limits(T: int) -> np.ndarray:
    """(T + 2,) int64 first microsecond of each of the steps 0 to T, and the first after them."""
    step = np.rint(np.arange(SPAN + 1) * T / SPAN)
    return np.searchsorted(step, np.arange(T + 2))


def one_each(sensor: tuple[int, int, int]) -> Wiring:
    """One input for each active pixel of N-MNIST; for each pixel of another sensor."""
    pixels = int(np.prod(sensor))
    chosen = active_pixels() if tuple(sensor) == SENSOR else np.arange(pixels)
    source_of = np.full(pixels, -1, np.int64)
    source_of[chosen] = np.arange(len(chosen))
    return Wiring(source_of, len(chosen), sensor)


def pooled(sensor: tuple[int, int, int], pool: str) -> Wiring:
    """Cells of "16x16" (polarities merged) or "11x11x2": cell floor(16 y / 34), floor(16 x / 34), and so on."""
    columns, rows, *rest = (int(part) for part in pool.split("x"))
    polarities = rest[0] if rest else 1
    p, y, x = np.indices(sensor)
    cell = (p * (polarities - 1) * rows + rows * y // sensor[1]) * columns + columns * x // sensor[2]
    return Wiring(cell.ravel().astype(np.int64), polarities * rows * columns, sensor, once=True)


def wiring(sensor: tuple[int, int, int], pool: str) -> Wiring:
    return one_each(sensor) if pool == "none" else pooled(sensor, pool)
