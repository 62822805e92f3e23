"""Lists of spikes, one per sample and time step, from a camera's events."""

from typing import NamedTuple

import numpy as np
from numba import prange

from neurobench.kernels.jit import njit


class Spikes(NamedTuple):
    """Lists of active neurons; at step t of sample n: neurons[begin[n, t] :][: counts[n, t]]."""

    neurons: np.ndarray  # (E,) uint16
    begin: np.ndarray  # (N, T) int64
    counts: np.ndarray  # (N, T) int32
    width: int  # number of neurons


class Recordings(NamedTuple):
    """Events of N samples; those of sample n are start[n] to start[n + 1], sorted by time."""

    t: np.ndarray  # (E,) int32 microseconds
    x: np.ndarray  # (E,) uint8 column
    y: np.ndarray  # (E,) uint8 row
    p: np.ndarray  # (E,) uint8 polarity
    start: np.ndarray  # (N + 1,) int64


@njit(parallel=True, cache=True, error_model="numpy")
def bin_events(recordings, motion, sheared, period, shape, saccades, chunks, spikes):
    """Bin events: input p rows columns + y columns + x is active at step rint(t / period) if an event falls into it.

    saccades: number of parts of a recording, and microseconds of each. Part s begins at step 0 like the first, on
    separate input channels: those of polarity s polarities + p. motion (N, 4) float64: dx, dy, cos, sin of each
    sample, about the middle of the sensor; `sheared`: as in lava-dl, about the origin and with the moved column used to
    move the row. period: microseconds; shape: (polarities, rows, columns); spikes: written. Events outside the sensor
    or the T steps are dropped."""
    (t, x, y, p, start), (index, begin, count, _) = recordings, spikes
    samples, steps = begin.shape
    polarities, rows, columns = shape
    parts, span = saccades
    for c in prange(chunks):
        seen = np.empty(parts * polarities * rows * columns, np.int32)  # the last step at which an input was active
        at, ends = np.empty(parts, np.int64), np.empty(parts, np.int64)  # the next event of each part, and its end
        for n in range(samples * c // chunks, samples * (c + 1) // chunks):
            seen[:] = -1
            count[n, :] = 0
            still = motion[n, 0] == 0 and motion[n, 1] == 0 and motion[n, 3] == 0
            place = start[n]
            at[0], ends[parts - 1] = start[n], start[n + 1]
            for s in range(1, parts):
                k = at[s - 1]
                while k < start[n + 1] and t[k] < s * span:
                    k += 1
                at[s] = ends[s - 1] = k
            for step in range(steps):
                begin[n, step] = place
                for s in range(parts):
                    k = at[s]
                    while k < ends[s] and np.rint((t[k] - s * span) / period) <= step:
                        column, row = int(x[k]), int(y[k])
                        if not still:
                            column, row = _moved(x[k], y[k], motion[n], sheared, (rows - 1) / 2, (columns - 1) / 2)
                        if 0 <= column < columns and 0 <= row < rows:
                            i = ((s * polarities + int(p[k])) * rows + row) * columns + column
                            if seen[i] != step:
                                seen[i] = step
                                index[place] = i
                                count[n, step] += 1
                                place += 1
                        k += 1
                    at[s] = k


@njit(parallel=True, cache=True, error_model="numpy")
def mark(spikes, chunks, y):
    """Set y (N, T, C) to 1 where a neuron is active, else to 0."""
    neurons, begin, count, _ = spikes
    samples, steps = begin.shape
    for c in prange(chunks):
        for n in range(samples * c // chunks, samples * (c + 1) // chunks):
            y[n] = 0
            for t in range(steps):
                for k in range(begin[n, t], begin[n, t] + count[n, t]):
                    y[n, t, neurons[k]] = 1


@njit(cache=True, error_model="numpy")
def _moved(x, y, motion, sheared, middle_y, middle_x):
    """Column and row of a pixel after the motion, see `bin_events`."""
    dx, dy, cos, sin = motion
    if sheared:
        moved = x * cos - y * sin + dx
        return int(np.rint(moved)), int(np.rint(moved * sin + y * cos + dy))
    right, down = x - middle_x, y - middle_y
    column = int(np.rint(middle_x + right * cos - down * sin + dx))
    return column, int(np.rint(middle_y + right * sin + down * cos + dy))
