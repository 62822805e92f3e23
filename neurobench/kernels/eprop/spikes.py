"""Recordings of an event camera as spikes of input neurons in time steps."""

from typing import NamedTuple

import numpy as np

from neurobench.kernels.jit import njit

LATE, UNSORTED = -1, -2
_GROUPS = 512  # groups sorted at once: as many as the first-level caches hold


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
    of an event after the last step, and LATE, or of one before the step of its predecessor, and UNSORTED.

    limit (T + 2,): first microsecond of step 0 to T, and the first after them. Events that a shift moves off the sensor
    are dropped. Written: start (G (T + 1) + 1,), and source (E + 1,), by step, in order of time.
    """
    (t, x, y, p, begin, shift), T, source_of = events, len(limit) - 2, inputs.source_of
    rows, columns = np.uint64(inputs.sensor[1]), np.uint64(inputs.sensor[2])
    n, one = np.uint64(0), np.uint64(1)  # unsigned, like all indices here: numba counts negative ones from the end
    for g in range(len(begin) - 1):
        dx, dy = shift[g, 0], shift[g, 1]
        e, end = np.uint64(begin[g]), np.uint64(begin[g + 1])
        for r in range(T + 1):
            start[g * (T + 1) + r] = n
            lower = limit[r]
            length = np.uint64(limit[r + 1] - lower)
            while e < end and np.uint64(t[e] - lower) < length:
                column, row = np.uint64(np.int64(x[e]) + dx), np.uint64(np.int64(y[e]) + dy)
                if column < columns and row < rows:
                    i = source_of[(rows * np.uint64(p[e]) + row) * columns + column]
                    source[n] = i
                    n += np.uint64(i >= 0)
                e += one
        if e < end:
            return np.int64(e), LATE if t[e] >= limit[T + 1] else UNSORTED
    start[(len(begin) - 1) * (T + 1)] = n
    return np.int64(n), 0


@njit(cache=True, error_model="numpy")
def sort_steps(start, source, sources):
    """Sort each group source[start[g] : start[g + 1]] of numbers below `sources`, in place, by counting.

    Many groups are sorted at once: all their numbers by source, which then return to their groups in that order.
    """
    end, free, one = np.zeros(sources, np.int64), np.zeros(_GROUPS, np.int64), np.uint64(1)
    for first in range(0, len(start) - 1, _GROUPS):
        last = min(first + _GROUPS, len(start) - 1)
        some = source[start[first] : start[last]]
        group, ordered = np.empty(len(some), np.int32), np.empty(len(some), source.dtype)
        end[:], total = 0, 0
        for i in some:
            end[np.uint64(i)] += 1
        for i in range(sources):
            end[i], total = total, total + end[i]
        for g in range(last - first):
            free[g] = start[first + g] - start[first]
            for i in source[start[first + g] : start[first + g + 1]]:
                place = np.uint64(end[np.uint64(i)])
                group[place], ordered[place] = g, i
                end[np.uint64(i)] = place + one
        for k in range(len(some)):
            place = np.uint64(free[group[k]])
            some[place] = ordered[k]
            free[group[k]] = place + one
