"""Recordings of an event camera as spikes of input neurons in time steps."""

from typing import NamedTuple

import numpy as np

from neurobench.kernels.declared import njit
from neurobench.kernels.vectors import lowest_bit

LATE, UNSORTED = -1, -2


class Recordings(NamedTuple):
    """Events of G recordings."""

    t: np.ndarray  # (E,) us
    x: np.ndarray  # (E,) column
    y: np.ndarray  # (E,) row
    p: np.ndarray  # (E,) polarity
    begin: np.ndarray  # (G + 1,) first event of each recording
    shift: np.ndarray  # (G, 2) int64 columns and rows by which each recording is moved


@njit(cache=True, error_model="numpy")
def bin_events(events, inputs, limit, start, source):
    """Sort the events of G recordings, ordered by time, into steps. Returns the number of spikes, and 0; or the index
    of an event after the last step (LATE) or before the step of its predecessor (UNSORTED), and which it is.

    limit (T + 2,): first microsecond of step 0 to T, and the first after them. What a shift moves off the sensor is
    dropped. Written: start (G (T + 1) + 1,), and source (E + 1,), by step, in order of time.
    """
    (t, x, y, p, begin, shift), (_, rows, columns) = events, inputs.sensor
    T, n = len(limit) - 2, 0
    for g in range(len(begin) - 1):
        dx, dy = shift[g, 0], shift[g, 1]
        first, r = g * (T + 1), 0
        start[first] = n
        for e in range(begin[g], begin[g + 1]):
            if t[e] >= limit[r + 1]:
                if t[e] >= limit[T + 1]:
                    return e, LATE
                while t[e] >= limit[r + 1]:
                    r += 1
                    start[first + r] = n
            elif t[e] < limit[r]:
                return e, UNSORTED
            column, row = np.int64(x[e]) + dx, np.int64(y[e]) + dy
            if np.uint64(column) < np.uint64(columns) and np.uint64(row) < np.uint64(rows):
                i = inputs.source_of[np.uint64((rows * np.int64(p[e]) + row) * columns + column)]
                source[n] = i
                n += i >= 0
        for later in range(r + 1, T + 2):
            start[first + later] = n
    return n, 0


@njit(cache=True, error_model="numpy")
def sort_steps(start, source, sources):
    """Sorts each group source[start[g] : start[g + 1]] of numbers below `sources`, in place, by counting.

    A bit for each source that occurs spares the look at all that do not.
    """
    times, occurs = np.zeros(sources, np.int64), np.zeros(sources // 64 + 1, np.uint64)
    for g in range(len(start) - 1):
        for e in range(start[g], start[g + 1]):
            i = np.uint64(source[e])
            times[i] += 1
            occurs[i >> np.uint64(6)] |= np.uint64(1) << (i & np.uint64(63))
        e = start[g]
        for word in range(len(occurs)):
            bits = occurs[word]
            occurs[word] = 0
            while bits != np.uint64(0):
                i = 64 * word + lowest_bit(bits)
                bits &= bits - np.uint64(1)
                for _ in range(times[i]):
                    source[e] = i
                    e += 1
                times[i] = 0
