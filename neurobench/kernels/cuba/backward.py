"""Gradients of a layer of current-based neurons, by one backward scan over time:

    gv[t] = dL/ds[t] peak exp(-|v[t] - centre| / tau)
    ev[t] = gv[t] + kv ev[t+1],    eu[t] = ev[t] + ku eu[t+1],    dL/dz[t] = eu[t],    dL/dW = sum x[t] eu[t]'

The scan is linear and ignores the reset. Source: Shrestha & Orchard, "SLAYER" (2018), with the surrogate of lava-dl.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from neurobench.kernels.aligned import copy
from neurobench.kernels.cuba.decay_sums import decay_sums
from neurobench.kernels.cuba.product import multiply
from neurobench.kernels.cuba.product_amx import multiply_amx
from neurobench.kernels.cuba.scatter import add_active, fair_shares, first_places, share_of_columns, steps_by_input
from neurobench.kernels.cuba.spike_lists import Spikes
from neurobench.kernels.jit import njit

_LOG2_E = np.float32(1.4426950408889634)
_ROUNDER = np.float32(1.5 * 2**23)  # adding it pushes a float's fraction out of the mantissa
_ROUNDER_BITS = np.int32(np.float32(_ROUNDER).view(np.int32))
TILE = 8  # steps processed together: their rows stay in the first-level cache from loop to loop
_LEAST = np.float32(-125.0)  # exponent of two below which a float32 cannot be distinguished from 0 here
_ONE, _ZERO = np.float32(1.0), np.float32(0.0)
# 2^f on [-1/2, 1/2]: the Taylor series (f ln 2)^n / n!, cut after n = 6 (relative error 1.3e-7)
_C1, _C2, _C3, _C4, _C5, _C6 = (
    np.float32(np.log(2.0) ** n / f) for n, f in ((1, 1), (2, 2), (3, 6), (4, 24), (5, 120), (6, 720))
)


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def exponential(x):
    """e^x for x <= 0, float32, relative error below 1e-6: 2^n 2^f with 2^n written into the exponent bits."""
    t = max(x * _LOG2_E, _LEAST)
    z = t + _ROUNDER
    f = t - (z - _ROUNDER)
    n = np.int32(np.float32(z).view(np.int32) - _ROUNDER_BITS)
    p = _ONE + f * (_C1 + f * (_C2 + f * (_C3 + f * (_C4 + f * (_C5 + f * _C6)))))
    return np.int32(np.float32(p).view(np.int32) + np.int32(n << np.int32(23))).view(np.float32)


class Surrogate(NamedTuple):
    """Surrogate derivative, float32; ds/dv = peak exp(rate |v - centre|), v in units of the weights."""

    lsb: np.float32  # one unit of v in units of the weights
    centre: np.float32
    rate: np.float32  # -1 / tau
    peak: np.float32
    ku: np.float32  # factor on the current per step
    kv: np.float32  # and on the voltage


class Pass(NamedTuple):
    """Record of a layer's forward pass."""

    inputs: Spikes
    v: np.ndarray  # (N, T, C) int32 or float32 before the reset
    threshold: np.number  # threshold of v
    delay: np.ndarray  # (C,) int32
    mask: np.ndarray  # (N, C) uint8, 0 if dropout removed a neuron's spikes
    keep: np.float32  # share of the neurons left by dropout
    out: np.ndarray  # (N, T, C) uint16 spikes as they arrived
    count: np.ndarray  # type: ignore[assignment]  # (N, T) int32
    clipped: np.ndarray  # (N,) uint8 whether a voltage of the sample reached its limit


class Gradients(NamedTuple):
    """Gradients to which samples are added one after the other, however many threads there are."""

    dW: np.ndarray  # (I, C) float32, for inputs 0 or 1
    dD: np.ndarray  # (3,) float64, sums of eu[t+1] u[t], ev[t+1] w[t], ev[t+1] v[t], in units of v
    delay: np.ndarray  # (C,) float64


class Sample(NamedTuple):
    """The part of `Pass` that a scan of one sample reads."""

    v: np.ndarray  # (T, C)
    threshold: np.number
    mask: np.ndarray  # (C,)
    keep: np.float32


class Scratch(NamedTuple):
    """Scratch arrays of one thread for scans of a layer's samples."""

    gain: np.ndarray  # (C,) float32 mask / keep
    ev: np.ndarray  # (TILE + 1, C) float32 a tile's steps and the one after them
    rest: np.ndarray  # (C,) zeros like v


@njit(parallel=True, cache=True, fastmath={"contract"}, error_model="numpy")
def backward(g, layer, surrogate, with_decays, weights, chunks, eu, below, gradients):
    """Add a layer's gradients, from g (N, T, C) float32: dL/dy; layer: Pass. Threads share out samples, then the
    gradients' rows and columns, in `chunks`; each number is the same sum in the same order, whatever their number.

    weights: panels or tiles of W', see `product` and `product_amx`, empty if dL/dx is not needed.
    Written: eu (B, T, C) float32, scratch of B samples at once; below (N, T, I) float32, dL/dx.
    """
    inputs, v, threshold, delay, mask, keep, out, out_count, clipped = layer
    index, begin, count, _ = inputs
    dW, dD, dd = gradients
    samples, steps, width = g.shape
    together = eu.shape[0]
    routes = routes_of(delay)
    terms, ends = decay_terms(samples, steps), np.empty((together, dW.shape[0]), np.int64)
    for start in range(0, samples, together):
        here = min(together, samples - start)
        first = first_places(count[start : start + here])
        when = np.empty(first[here], np.int32)
        for c in prange(chunks):
            scratch = new_scratch(v)
            for b in range(here * c // chunks, here * (c + 1) // chunks):
                n = start + b
                sample = Sample(v[n], threshold, mask[n], keep)
                scan(g[n], sample, routes, surrogate, with_decays, scratch, eu[b], terms[n])
                steps_by_input(index, begin[n], count[n], first[b], ends[b], when)
        rows = fair_shares(first, ends[:here], chunks)
        for c in prange(chunks):
            low, high = share_of_columns(width, c, chunks)
            for b in range(here):
                n = start + b
                delay_gradient(g[n], out[n], out_count[n], keep, low, high, dd)
                add_active(when, first[b], ends[b], eu[b], rows[c], rows[c + 1], dW)
            if weights.shape[0]:
                for b in range(here * c // chunks, here * (c + 1) // chunks):
                    _times(eu[b], weights, below[start + b])
    add_decay_terms(terms, clipped, dD)


@njit(inner=True, cache=True, error_model="numpy")
def routes_of(delay):
    """Where spikes arrive: (L,) uint64 neurons whose spikes take more than a step; (C,) uint64 offsets of arrivals from
    the beginning of the spike's row. Loops, because a kernel that calls NumPy functions imports what those are compiled
    from, even if it is loaded from the cache."""
    width, n = delay.shape[0], 0
    late, arrives = np.empty(width, np.uint64), np.empty(width, np.uint64)
    for j in range(width):
        arrives[j] = (1 + delay[j]) * width + j
        if delay[j] > 0:
            late[n] = j
            n += 1
    return late[:n], arrives


@njit(inner=True, cache=True, error_model="numpy")
def new_scratch(v):
    width = v.shape[2]
    return Scratch(np.empty(width, np.float32), np.empty((TILE + 1, width), np.float32), np.zeros(width, v.dtype))


@njit(cache=True, error_model="numpy")
def _times(a, weights, out):
    if weights.ndim == 6:  # decided at compile time
        multiply_amx(a, weights, out)
    else:
        multiply(a, weights, out)


@njit(inner=True, cache=True, _nrt=False, error_model="numpy")
def scan(g, sample, routes, surrogate, with_decays, scratch, eu, terms):
    """Compute eu (T, C) from g (T, C), dL/dy, in tiles of steps, with simple loops over long rows, which compilers turn
    into vector instructions. terms: those of the sample, see `decay_terms`."""
    v, threshold, mask, keep = sample
    gain, ev, rest = scratch
    for j in range(gain.shape[0]):
        gain[j] = mask[j] / keep
    steps = v.shape[0]
    ku, kv = surrogate.ku, surrogate.kv
    end, row, ev[0] = steps, 0, 0
    while end > 0:
        first = max(0, end - TILE)
        rows = end - first
        copy(ev[0], ev[rows])  # the step after this tile was the first of the previous tile
        for k in range(rows):
            _arriving(g, first + k, routes, gain, ev[k])
        _times_derivative(v[first:end].reshape(-1), surrogate, ev[:rows].reshape(-1))
        for k in range(rows - 1, -1, -1):
            if first + k + 1 < steps:
                _filtered(ev[k + 1], eu[first + k + 1], ku, kv, ev[k], eu[first + k])
            else:
                copy(ev[k], eu[first + k])
        if with_decays:
            last, begun = min(end, steps - 1), max(first, 1)  # nothing follows the last step
            if first == 0 and last > 0:
                _write_decay_sums(v[0], rest, ev[1], eu[1], threshold, kv, terms[row])
                row += 1
            if begun < last:
                now, before = v[begun:last].reshape(-1), v[begun - 1 : last - 1].reshape(-1)
                e1 = ev[begun - first + 1 : last - first + 1].reshape(-1)
                _write_decay_sums(now, before, e1, eu[begun + 1 : last + 1].reshape(-1), threshold, kv, terms[row])
                row += 1
        end = first


@njit(cache=True, _nrt=False, error_model="numpy")
def _arriving(g, t, routes, gain, coming):
    """Write dL/ds[t], the gradient at a spike's arrival, t + 1 + delay: first undelayed, then of delayed neurons."""
    if t + 1 == g.shape[0]:
        coming[:] = 0
        return
    late, arrives = routes
    row, ahead = g[t + 1], g[t:].reshape(-1)
    for j in range(row.shape[0]):
        coming[j] = row[j] * gain[j]
    for j in late:
        coming[j] = ahead[arrives[j]] * gain[j] if arrives[j] < np.uint64(ahead.shape[0]) else _ZERO


@njit(cache=True, _nrt=False, fastmath={"contract"}, error_model="numpy")
def _times_derivative(v, surrogate, g):
    """Multiply g by ds/dv, in place."""
    lsb, centre, rate, peak, _, _ = surrogate
    for k in range(v.shape[0]):
        g[k] *= peak * exponential(abs(np.float32(v[k]) * lsb - centre) * rate)


@njit(cache=True, _nrt=False, fastmath={"contract"}, error_model="numpy")
def _filtered(e1, f1, ku, kv, e, f):
    """Compute ev and eu of a step, e and f, from those of the step after it; e contains gv."""
    for j in range(e.shape[0]):
        e[j] += kv * e1[j]
        f[j] = e[j] + ku * f1[j]


@njit(cache=True, _nrt=False, error_model="numpy")
def _write_decay_sums(v, before, e1, f1, threshold, kv, term):
    """Write the sums of some steps. `before`: voltages of the steps before them; e1 and f1: ev and eu of the steps
    after them. The current is v[t] - (decayed w[t-1]), unless v[t] was clipped."""
    term[0], term[1], term[2] = decay_sums(v, before, e1, f1, threshold, kv)


@njit(inner=True, cache=True, error_model="numpy")
def decay_terms(samples, steps):
    """Zeros for the terms of the decays' gradient, (samples, tiles and the first step, 3) float64."""
    return np.zeros((samples, (steps + TILE - 1) // TILE + 1, 3))


@njit(inner=True, cache=True, _nrt=False, error_model="numpy")
def add_decay_terms(terms, clipped, dD):
    """Add the terms to dD in order, but not those of the current if the sample's voltages do not determine it."""
    for n in range(terms.shape[0]):
        for row in range(terms.shape[1]):
            for k in range(1 if clipped[n] else 0, 3):
                dD[k] += terms[n, row, k]


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def current_terms(g, layer, surrogate, u, terms):
    """Write to terms (N,) the sum of eu[t+1] u[t] of each clipped sample, whose terms `backward` leaves out: there the
    current is not v[t] - (decayed w[t-1]). u (N, T, C): currents in units of v; the rest as in `backward`."""
    _, v, threshold, delay, mask, keep, _, _, clipped = layer
    samples, steps, width = g.shape
    eu, routes, scratch = np.empty((steps, width), np.float32), routes_of(delay), new_scratch(v)
    unused = decay_terms(1, steps)
    for n in range(samples):
        terms[n] = 0.0
        if clipped[n]:
            scan(g[n], Sample(v[n], threshold, mask[n], keep), routes, surrogate, False, scratch, eu, unused[0])
            for t in range(steps - 1):
                for j in range(width):
                    terms[n] += np.float64(eu[t + 1, j]) * u[n, t, j]


@njit(inner=True, cache=True, _nrt=False, error_model="numpy")
def delay_gradient(g, out, count, keep, low, high, dd):
    """Add dL/dd = sum_t g[t] (y[t-1] - y[t]), y[-1] = 0, over the spikes of neurons `low` to `high` - 1 as they
    arrived, each of height 1 / keep."""
    steps = g.shape[0]
    for t in range(steps):
        for k in range(count[t]):
            j = out[t, k]
            if low <= j < high:
                later = g[t + 1, j] if t + 1 < steps else np.float32(0.0)
                dd[j] += (later - g[t, j]) / keep
