"""Layers of current-based neurons over all time steps, from the list of active inputs of each step.

A sample is a row of work that no other one touches, so results do not depend on the number of threads.
"""

import numpy as np
from numba import njit, prange

from neurobench.kernels.cuba_step import decayed, emit, gather_fixed, gather_float, step_fixed, step_float

# What `tally` holds, one row a chunk of samples; the first COUNTS are counts, the others largest values.
TALLY = ("spikes", "operations", "wraps", "clips", "beyond", "most_a", "most_u", "most_v")
COUNTS = 5
_STATE = np.int64(2**23)  # the first size that 24 bits do not hold
_Z = np.int32(128)


@njit(parallel=True, cache=True, error_model="numpy")
def forward_fixed(  # type: ignore[no-untyped-def]
    index, begin, count, W, keep, numbers, delay, kept, chunks, keep_v, counted, v, out, out_count, spikes, tally
):
    """Fixed point; the equations stand at `step_fixed`.

    Inputs of sample n at step t: index[begin[n, t] :][: count[n, t]]. W (I, C) int8, half the mantissas. keep: share
    of inputs that dropout left. numbers: ku, kv (in 1/4096), threshold, u_limit, v_limit. delay (C,) int32,
    kept (N, C) uint8. v (N, T, C) int32 is written where keep_v, else it is (chunks, 1, C) scratch. out (N, T, C)
    uint16 and out_count (N, T) int32: the spikes as they arrive. spikes (N, C) int32: how often each neuron fired.
    tally (chunks, 8) int64: see TALLY; beyond spikes and operations only where `counted`.
    """
    ku, kv, threshold, u_limit, v_limit = numbers
    samples, steps = begin.shape
    width = W.shape[1]
    for c in prange(chunks):
        part, a = np.empty(width, np.int16), np.empty(width, np.int32)
        u, w = np.empty(width, np.int32), np.empty(width, np.int32)
        fired = np.zeros((width + 7) // 8 * 8, np.uint8)
        tally[c, :] = 0
        for n in range(samples * c // chunks, samples * (c + 1) // chunks):
            u[:] = 0
            w[:] = 0
            out_count[n, :] = 0
            spikes[n, :] = 0
            for t in range(steps):
                gather_fixed(index, begin[n, t], count[n, t], W, part, a)
                if counted:
                    _tally(a, keep, ku, kv, u_limit, v_limit, u, w, tally[c])
                row = v[n, t] if keep_v else v[c, 0]
                step_fixed(a, keep, ku, kv, threshold, u_limit, v_limit, u, w, row, fired)
                tally[c, 0] += emit(fired, t, delay, kept[n], out[n], out_count[n], spikes[n])
                tally[c, 1] += np.int64(count[n, t]) * width


@njit(parallel=True, cache=True, error_model="numpy")
def forward_float(index, begin, count, W, keep, numbers, delay, kept, chunks, keep_v, v, out, out_count, spikes, tally):  # type: ignore[no-untyped-def]
    """As `forward_fixed`, with W and v float32; numbers: ku, kv, threshold."""
    ku, kv, threshold = numbers
    samples, steps = begin.shape
    width = W.shape[1]
    for c in prange(chunks):
        a, u, w = np.empty(width, np.float32), np.empty(width, np.float32), np.empty(width, np.float32)
        fired = np.zeros((width + 7) // 8 * 8, np.uint8)
        tally[c, :] = 0
        for n in range(samples * c // chunks, samples * (c + 1) // chunks):
            u[:] = 0
            w[:] = 0
            out_count[n, :] = 0
            spikes[n, :] = 0
            for t in range(steps):
                gather_float(index, begin[n, t], count[n, t], W, a)
                row = v[n, t] if keep_v else v[c, 0]
                step_float(a, keep, ku, kv, threshold, u, w, row, fired)
                tally[c, 0] += emit(fired, t, delay, kept[n], out[n], out_count[n], spikes[n])
                tally[c, 1] += np.int64(count[n, t]) * width


@njit(cache=True, error_model="numpy")
def _tally(a, keep, ku, kv, u_limit, v_limit, u, w, tally):  # type: ignore[no-untyped-def]
    """What the coming step will do to the limits of the state. `a` as `step_fixed` gets it."""
    for j in range(a.shape[0]):
        x = np.int64(decayed(u[j], ku)) + np.int64(np.float64(np.int32(a[j] * _Z)) / keep)
        wraps = x > u_limit or x <= -u_limit
        kept = x - 2 * np.int64(u_limit) if x > u_limit else (x + 2 * np.int64(u_limit) if x <= -u_limit else x)
        y = np.int64(decayed(w[j], kv)) + kept
        tally[2] += wraps
        tally[3] += abs(y) > v_limit
        tally[4] += abs(x) >= _STATE or abs(y) >= _STATE
        tally[5] = max(tally[5], 2 * abs(np.int64(a[j])))
        tally[6] = max(tally[6], abs(x))
        tally[7] = max(tally[7], abs(y))


@njit(parallel=True, cache=True)
def dense(out, count, chunks, y):  # type: ignore[no-untyped-def]
    """Lists of spikes, out (N, T, C) uint16 and count (N, T) int32, as y (N, T, C) float32 in {0, 1}."""
    samples, steps = count.shape
    for c in prange(chunks):
        for n in range(samples * c // chunks, samples * (c + 1) // chunks):
            y[n] = 0
            for t in range(steps):
                for k in range(count[n, t]):
                    y[n, t, out[n, t, k]] = 1
