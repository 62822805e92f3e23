"""Layers of current-based neurons over all time steps, from the list of active inputs of each step.

Samples are independent, so results do not depend on the number of threads.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from neurobench.kernels.cuba.step import decayed, emit, gather_fixed, gather_float, step_fixed, step_float
from neurobench.kernels.jit import njit
from neurobench.kernels.logistic import uniform

# Columns of `tally`, which has a row per chunk of samples; the first COUNTS are counts, the others largest values.
TALLY = ("spikes", "operations", "wraps", "clips", "beyond", "most_a", "most_u", "most_v")
COUNTS = 5
_STATE = np.int64(2**23)  # the smallest magnitude that 24 bits do not hold
_Z = np.int32(128)


class Layer(NamedTuple):
    W: np.ndarray  # (I, C) int8, half the mantissas, or float32
    delay: np.ndarray  # (C,) int32 steps beyond the one that every spike takes


class Dropout(NamedTuple):
    """Dropout, the same for a whole sample."""

    keep_inputs: float  # share of a layer's inputs left by dropout
    mask: np.ndarray  # (N, C) uint8, 0 if all spikes of a neuron are dropped


class Activity(NamedTuple):
    """Output of a forward pass."""

    v: np.ndarray  # (N, T, C) int32 or float32 before the reset; if it is not stored, (chunks, 1, C) scratch
    out: np.ndarray  # (N, T, C) uint16 spikes as they arrive; the first `count` of each step are valid
    count: np.ndarray  # type: ignore[assignment]  # (N, T) int32
    fired: np.ndarray  # (N, C) int32 spikes of each neuron before dropout and delay
    tally: np.ndarray  # (chunks, 8) int64: see TALLY; only spikes and operations unless integers are counted
    clipped: np.ndarray  # (N,) uint8 whether an integer voltage of the sample reached its limit, if v is stored


@njit(cache=True, error_model="numpy")
def dropout_mask(key, dropout, mask):
    """Write mask (M,) uint8: 0 where draw m of `neurobench.kernels.random.uniforms` is below `dropout`, else 1."""
    for m in range(mask.shape[0]):
        mask[m] = np.uint8(uniform(np.uint32(m), key[0], key[1]) >= dropout)


@njit(parallel=True, cache=True, error_model="numpy")
def forward(inputs, layer, neuron, dropout, chunks, keep_v, counted, activity):
    """Run a layer; equations: see `step_fixed` and `step_float`. inputs: Spikes; neuron: FixedNeuron or FloatNeuron."""
    (index, begin, count, _), (W, delay), (keep, mask) = inputs, layer, dropout
    v, out, out_count, spikes, tally, clipped = activity
    samples, steps = begin.shape
    width = W.shape[1]
    for c in prange(chunks):
        part, a = np.empty(width, np.int16), np.empty(width, v.dtype)
        u, w = np.empty(width, v.dtype), np.empty(width, v.dtype)
        fired = np.zeros((width + 63) // 64 * 64, np.uint8)
        tally[c, :] = 0
        for n in range(samples * c // chunks, samples * (c + 1) // chunks):
            u[:] = 0
            w[:] = 0
            out_count[n, :] = 0
            spikes[n, :] = 0
            clipped[n] = 0
            for t in range(steps):
                now = v[n, t] if keep_v else v[c, 0]
                if isinstance(neuron.threshold, np.int32):  # decided at compile time
                    gather_fixed(index, begin[n, t], count[n, t], W, part, a)
                    if counted:
                        tally_states(a, keep, neuron, u, w, tally[c])
                    step_fixed(a, keep, neuron, u, w, now, fired)
                    if keep_v:
                        clipped[n] |= reaches_limit(now, neuron.v_limit)
                else:
                    gather_float(index, begin[n, t], count[n, t], W, a)
                    step_float(a, keep, neuron, u, w, now, fired)
                tally[c, 0] += emit(fired, t, delay, mask[n], out[n], out_count[n], spikes[n])
                tally[c, 1] += np.int64(count[n, t]) * width


@njit(inner=True, cache=True, _nrt=False, error_model="numpy")
def reaches_limit(v, limit):
    """1 if a voltage in v (C,) may have been clipped, else 0. Called while the row is in the innermost cache."""
    reached = np.uint8(0)
    for j in range(v.shape[0]):
        reached |= np.uint8(v[j] >= limit) | np.uint8(v[j] <= -limit)
    return reached


@njit(inner=True, cache=True, _nrt=False, error_model="numpy")
def tally_states(a, keep, neuron, u, w, tally):
    """Tally how the next step will reach the limits of the state. `a` is the argument of `step_fixed`. Figures are
    written once, at the end of the loop: in less than half the time."""
    ku, kv, _, u_limit, v_limit = neuron
    wraps = clips = beyond = most_a = most_u = most_v = np.int64(0)
    for j in range(a.shape[0]):
        x = np.int64(decayed(u[j], ku)) + np.int64(np.float64(np.int32(a[j] * _Z)) / keep)
        over, under = np.int64(x > u_limit), np.int64(x <= -u_limit)
        y = np.int64(decayed(w[j], kv)) + x + 2 * np.int64(u_limit) * (under - over)
        wraps += over + under
        clips += np.int64(abs(y) > v_limit)
        beyond += np.int64(max(abs(x), abs(y)) >= _STATE)
        most_a, most_u, most_v = max(most_a, 2 * abs(np.int64(a[j]))), max(most_u, abs(x)), max(most_v, abs(y))
    tally[2] += wraps
    tally[3] += clips
    tally[4] += beyond
    tally[5], tally[6], tally[7] = max(tally[5], most_a), max(tally[6], most_u), max(tally[7], most_v)
