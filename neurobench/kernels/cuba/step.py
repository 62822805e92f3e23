"""One time step of current-based leaky integrate-and-fire neurons, in the fixed point of Loihi and in floats.

Each call handles a row of neurons. Integers are in units of 1/4096.
"""

from typing import NamedTuple

import numpy as np

from neurobench.kernels.jit import njit
from neurobench.kernels.vectors import fused, lowest_bit, nonzero_bits

_SIGN, _POINT, _FRACTION = np.int32(31), np.int32(12), np.int32(4095)
_Z = np.int32(128)  # 64 m from rows that contain m / 2
_MOST = 255  # rows of int8 that an int16 can add up


class FixedNeuron(NamedTuple):
    """Constants of neurons in fixed point, in 1/4096, int32."""

    ku: np.int32  # factor on the current per step
    kv: np.int32  # and on the voltage
    threshold: np.int32  # a spike is v > threshold
    u_limit: np.int32  # the current wraps once if it leaves (-u_limit, u_limit]
    v_limit: np.int32  # the voltage is clipped to +-v_limit


class FloatNeuron(NamedTuple):
    """Constants of neurons in floats, in units of the weights, float32, without limits."""

    ku: np.float32
    kv: np.float32
    threshold: np.float32


@njit(cache=True, inline="always")
def decayed(x, k):
    """trunc(x k / 4096) for int32, |x| < 2^30, 0 <= k <= 4096, by halves so that int32 does not overflow."""
    sign = np.int32(x >> _SIGN)
    size = np.int32(np.int32(x ^ sign) - sign)
    high = np.int32(np.int32(size >> _POINT) * k)
    low = np.int32(np.int32(np.int32(size & _FRACTION) * k) >> _POINT)
    return np.int32(np.int32(np.int32(high + low) ^ sign) - sign)


@njit(cache=True, _nrt=False, error_model="numpy")
def gather_fixed(index, first, n, W, part, a):
    """a (C,) int32 = sum of rows index[first : first + n] of W (I, C) int8. `part` (C,) int16 is scratch."""
    a[:] = 0
    k, last = first, first + n
    while k < last:
        stop = min(last, k + _MOST)
        part[:] = 0
        while k + 4 <= stop:
            w0, w1, w2, w3 = W[index[k]], W[index[k + 1]], W[index[k + 2]], W[index[k + 3]]
            for j in range(part.shape[0]):
                two = np.int16(w0[j]) + np.int16(w1[j])
                more = np.int16(w2[j]) + np.int16(w3[j])
                part[j] = np.int16(part[j] + np.int16(two + more))
            k += 4
        while k < stop:
            w0 = W[index[k]]
            for j in range(part.shape[0]):
                part[j] = np.int16(part[j] + np.int16(w0[j]))
            k += 1
        for j in range(a.shape[0]):
            a[j] += part[j]


@njit(cache=True, _nrt=False, error_model="numpy")
def gather_float(index, first, n, W, a):
    """a (C,) float32 = sum of rows index[first : first + n] of W (I, C) float32, in the order of the list."""
    a[:] = 0
    for k in range(first, first + n):
        w = W[index[k]]
        for j in range(a.shape[0]):
            a[j] += w[j]


@njit(cache=True, _nrt=False, error_model="numpy")
def step_fixed(a, keep, neuron, u, w, v, fired):
    """Advance neurons in fixed point. a (C,) int32: sums of m / 2 over active inputs; keep: 1 - p for dropout p.

        u = trunc(u ku / 4096) + trunc(64 (2 a) / keep), wrapped once where it leaves (-u_limit, u_limit]
        v = trunc(w kv / 4096) + u, clipped to +-v_limit;   fired = v > threshold;   w = 0 where fired, else v

    neuron: FixedNeuron; u, w, v (C,) int32 and fired (C,) uint8 are written.
    """
    ku, kv, threshold, u_limit, v_limit = neuron
    turn = np.int32(2 * u_limit)
    if keep != 1.0:
        # The quotient, rounded to nearest, without a division: Markstein (1990), from the rounded 1 / keep.
        inverse = 1.0 / keep
        for j in range(a.shape[0]):
            scaled = np.float64(np.int32(a[j] * _Z))
            near = scaled * inverse
            a[j] = np.int32(fused(fused(-near, keep, scaled), inverse, near))  # the conversion truncates
    else:
        for j in range(a.shape[0]):
            a[j] = np.int32(a[j] * _Z)
    for j in range(a.shape[0]):
        x = np.int32(decayed(u[j], ku) + a[j])
        x = np.int32(x - turn) if x > u_limit else (np.int32(x + turn) if x <= -u_limit else x)
        y = np.int32(decayed(w[j], kv) + x)
        y = np.int32(min(max(y, -v_limit), v_limit))
        u[j] = x
        v[j] = y
        w[j] = np.int32(0) if y > threshold else y
        fired[j] = y > threshold


@njit(inner=True, cache=True, _nrt=False, error_model="numpy")
def step_float(a, keep, neuron, u, w, v, fired):
    """u = ku u + a / keep,  v = kv w + u,  fired = v > threshold,  w = 0 where fired, else v.   All (C,) float32."""
    ku, kv, threshold = neuron
    scale = np.float32(1.0 / keep)
    zero = np.float32(0.0)
    for j in range(a.shape[0]):
        x = u[j] * ku + a[j] * scale
        y = w[j] * kv + x
        u[j] = x
        v[j] = y
        w[j] = zero if y > threshold else y
        fired[j] = y > threshold


@njit(cache=True, _nrt=False, error_model="numpy")
def emit(fired, t, delay, dropout_mask, out, count, spikes):
    """Append the neurons that fired at t to the list of the step in which each spike arrives, t + 1 + delay.

    fired: (C up to a multiple of 64,) uint8; delay (C,) int32; dropout_mask (C,) uint8, 0: spike dropped;
    out (T, C) uint16 and count (T,) int32 are the lists; spikes (C,) int32 counts each neuron's. Returns their number.
    """
    n = 0
    for group in range(0, fired.shape[0], 64):
        left = nonzero_bits(fired, group)
        while left != np.uint64(0):
            j = group + lowest_bit(left)
            left &= left - np.uint64(1)
            n += 1
            spikes[j] += 1
            at = t + 1 + delay[j]
            if dropout_mask[j] and at < count.shape[0]:
                out[at, count[at]] = j
                count[at] += 1
    return n
