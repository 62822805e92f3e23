"""The way back through a layer of current-based neurons: one scan over time, and the weights' gradient.

    gv[t] = dL/ds[t] peak exp(-|v[t] - centre| / tau)
    ev[t] = gv[t] + kv ev[t+1],    eu[t] = ev[t] + ku eu[t+1],    dL/dz[t] = eu[t],    dL/dW = sum x[t] eu[t]'

linear, past the reset. Source: Shrestha & Orchard, "SLAYER" (2018), with the surrogate of lava-dl.
"""

import numpy as np
from numba import njit, prange

from neurobench.kernels.cuba_step import decayed

_LOG2_E = np.float32(1.4426950408889634)
_ROUNDER = np.float32(1.5 * 2**23)  # adding it pushes a float's fraction out of the mantissa
_ROUNDER_BITS = np.int32(np.float32(_ROUNDER).view(np.int32))
_LEAST = np.float32(-125.0)  # as a power of two: below it lies what a float32 cannot tell from 0 here
_ONE = np.float32(1.0)
# 2^f on [-1/2, 1/2]: the Taylor series (f ln 2)^n / n!, cut after n = 6 (relative error 1.3e-7)
_C1, _C2, _C3, _C4, _C5, _C6 = (
    np.float32(np.log(2.0) ** n / f) for n, f in ((1, 1), (2, 2), (3, 6), (4, 24), (5, 120), (6, 720))
)


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def exponential(x):  # type: ignore[no-untyped-def]
    """e^x, x <= 0, float32, relative error below 1e-6: 2^n 2^f with 2^n written into the exponent bits."""
    t = max(x * _LOG2_E, _LEAST)
    z = t + _ROUNDER
    f = t - (z - _ROUNDER)
    n = np.int32(np.float32(z).view(np.int32) - _ROUNDER_BITS)
    p = _ONE + f * (_C1 + f * (_C2 + f * (_C3 + f * (_C4 + f * (_C5 + f * _C6)))))
    return np.int32(np.float32(p).view(np.int32) + np.int32(n << np.int32(23))).view(np.float32)


@njit(parallel=True, cache=True, fastmath={"contract"}, error_model="numpy")
def backward(  # type: ignore[no-untyped-def]
    g, v, delay, kept, keep, state, slope, with_decays, index, begin, count, out, out_count, chunks, eu, dW, dD, dd
):
    """g (N, T, C) float32: dL/dy of the layer's outputs; v (N, T, C): its voltages before the reset.

    keep: share of OUTPUTS that dropout left; state: ku, kv, threshold, as v was made with them; slope: unit (of v),
    centre, -1/tau, peak, ku, kv, float32. (index, begin, count): the active inputs; (out, out_count): the spikes as
    they arrived. Written: eu (N or chunks, T, C) float32; dW (chunks, I, C) float32, a part each, of inputs 0 or 1;
    dD (chunks, 3) float64, the sums of eu[t+1] u[t], ev[t+1] w[t], ev[t+1] v[t], in units of v; dd (chunks, C)
    float64, dL/d(delay).
    """
    samples, steps, width = g.shape
    direct = True
    for j in range(width):
        direct = direct and delay[j] == 0
    for c in prange(chunks):
        coming = np.empty(width, np.float32)
        rows = np.empty((2, width), np.float32)  # ev, eu
        sums = np.empty((3, width), np.float32)
        dW[c] = 0
        dD[c] = 0
        dd[c] = 0
        for n in range(samples * c // chunks, samples * (c + 1) // chunks):
            slot = n if eu.shape[0] == samples else np.int64(c)  # prange counts without a sign
            rows[:] = 0
            sums[:] = 0
            for t in range(steps - 1, -1, -1):
                _arriving(g[n], t, delay, direct, kept[n], np.float32(1.0 / keep), coming)
                if with_decays:
                    _decay_sums(v[n], t, state, rows, sums)
                _scan(coming, v[n, t], slope, rows, eu[slot, t])
            for k in range(3):
                for j in range(width):
                    dD[c, k] += sums[k, j]
            _delay_gradient(g[n], out[n], out_count[n], keep, dd[c])
            scatter(index, begin[n], count[n], eu[slot], dW[c])


@njit(cache=True, error_model="numpy")
def _arriving(g, t, delay, direct, kept, scale, coming):  # type: ignore[no-untyped-def]
    """dL/ds[t]: the gradient where the spike arrives, t + 1 + delay; none beyond the last step."""
    steps = g.shape[0]
    if t + 1 >= steps:
        coming[:] = 0
        return
    if direct:
        row = g[t + 1]
        for j in range(coming.shape[0]):
            coming[j] = row[j] * scale
    else:
        for j in range(coming.shape[0]):
            at = t + 1 + delay[j]
            coming[j] = g[at, j] * scale if at < steps else np.float32(0.0)
    for j in range(coming.shape[0]):
        coming[j] = coming[j] if kept[j] else np.float32(0.0)


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _scan(coming, v, slope, rows, eu):  # type: ignore[no-untyped-def]
    unit, centre, rate, peak, ku, kv = slope
    e, f = rows[0], rows[1]
    for j in range(coming.shape[0]):
        away = abs(np.float32(v[j]) * unit - centre)
        e[j] = coming[j] * (peak * exponential(away * rate)) + kv * e[j]
        f[j] = e[j] + ku * f[j]
        eu[j] = f[j]


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _decay_sums(v, t, state, rows, sums):  # type: ignore[no-untyped-def]
    """`rows` are those of t + 1. u[t] = v[t] - (decayed w[t-1]) need not be kept."""
    _, kv, threshold = state
    now, before = v[t], v[t - 1] if t else v[0]
    e, f = rows[0], rows[1]
    i, w, p = sums[0], sums[1], sums[2]
    zero = now[0] - now[0]
    for j in range(now.shape[0]):
        left = before[j] if before[j] <= threshold and t > 0 else zero
        stays = now[j] if now[j] <= threshold else zero
        i[j] += f[j] * np.float32(now[j] - decayed(left, kv))
        w[j] += e[j] * np.float32(stays)
        p[j] += e[j] * np.float32(now[j])


@njit(cache=True, error_model="numpy")
def _delay_gradient(g, out, count, keep, dd):  # type: ignore[no-untyped-def]
    """dL/dd = sum_t g[t] (y[t-1] - y[t]), y[-1] = 0: over the spikes as they arrived, each 1 / keep high."""
    steps = g.shape[0]
    for t in range(steps):
        for k in range(count[t]):
            j = out[t, k]
            later = g[t + 1, j] if t + 1 < steps else np.float32(0.0)
            dd[j] += (later - g[t, j]) / keep


@njit(cache=True, error_model="numpy")
def scatter(index, begin, count, eu, dW):  # type: ignore[no-untyped-def]
    """dW[i] += sum over the steps t where input i is active of eu[t].   eu (T, C), dW (I, C) float32.

    The lists are turned around first, from inputs by step to steps by input: each row of dW is then touched once.
    """
    inputs, width = dW.shape
    head = np.zeros(inputs + 1, np.int32)
    for t in range(begin.shape[0]):
        for k in range(begin[t], begin[t] + count[t]):
            head[index[k] + 1] += 1
    for i in range(inputs):
        head[i + 1] += head[i]
    when = np.empty(head[inputs], np.int32)
    for t in range(begin.shape[0]):
        for k in range(begin[t], begin[t] + count[t]):
            i = index[k]
            when[head[i]] = t
            head[i] += 1
    k = 0
    for i in range(inputs):
        last = head[i]  # each head has moved on to the next one's beginning
        if k == last:
            continue
        row = dW[i]
        while k + 4 <= last:
            e0, e1, e2, e3 = eu[when[k]], eu[when[k + 1]], eu[when[k + 2]], eu[when[k + 3]]
            for j in range(width):
                row[j] += (e0[j] + e1[j]) + (e2[j] + e3[j])
            k += 4
        while k < last:
            e0 = eu[when[k]]
            for j in range(width):
                row[j] += e0[j]
            k += 1
