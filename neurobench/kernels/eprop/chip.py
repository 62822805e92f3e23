"""E-prop in the integer arithmetic of a small learning chip, step by step as on the chip.

All traces are computed forward in time and cut to their widths; weights change by whole LSB, once per sample. Units: a
weight is w LSB, membranes and thresholds are in the same LSB, traces have a fixed number of fraction bits.
"""

from typing import NamedTuple

import numpy as np
from numba import uint32

from neurobench.kernels.jit import njit
from neurobench.kernels.logistic import key_of_part, uniform

STAIRS = 5  # values of the surrogate: 0 and four more


class Chip(NamedTuple):
    """Constants of a network on the chip."""

    T: int
    W: int
    N: int
    K: int
    alpha: int  # decay of membranes and input traces, in 2^-alpha_bits
    alpha_out: int
    alpha_bits: int
    kappa: int  # decay of the filtered eligibility, in 2^-kappa_bits
    kappa_bits: int
    v_th: int  # LSB of W_in
    v_limit: int  # membranes saturate at +-v_limit
    w_limit: int  # weights lie in [-w_limit, w_limit]
    trace_limit: int  # upper bound at which traces and eligibilities saturate
    trace_out_limit: int
    trace_one: int  # increase of a trace by a spike
    trace_out_one: int
    stair_shift: int  # bits by which psi, 0 to STAIRS - 1, times a trace is shifted right
    stochastic: bool
    regular: float  # weight of a neuron's rate above f_target in its learning signal
    f_target: float  # spikes per step
    lsb_out: float  # y for one LSB of W_out and a full trace


class ChipWeights(NamedTuple):
    """Weights [source, target], int16. A synapse exists where its mask is 1."""

    w_in: np.ndarray  # (I, N)
    w_rec: np.ndarray  # (N, N)
    w_out: np.ndarray  # (N, K)
    mask_in: np.ndarray  # uint8 each
    mask_rec: np.ndarray
    mask_out: np.ndarray


class Update(NamedTuple):
    learn: bool  # weights change after each sample, by the sum over the window's steps
    rate: np.float32  # mean change in LSB per unit of learning signal times trace
    rate_out: np.float32
    k0: np.uint32  # key of the draws
    k1: np.uint32


class ChipResults(NamedTuple):
    window: np.ndarray  # (G, W, K) readouts, written
    counts: np.ndarray  # (G, N) int64 spikes, written
    arrived: np.ndarray  # (N,) int64, added to: spikes of each neuron that arrived within their sample
    changed: np.ndarray  # (2,) int64, added to: changes of membranes and of readouts; all in a sample's first step, and
    # a membrane whenever it fires, also if its input brings it back to where it was before the reset


class Traces(NamedTuple):
    """Traces of the sources of one kind."""

    trace: np.ndarray  # (S,) int32 filtered spikes
    seen: np.ndarray  # (S,) uint8 whether the source has fired in this sample
    e: np.ndarray  # (S, N) int16 filtered eligibility
    g: np.ndarray  # (S, N) float32 gradient


class State(NamedTuple):
    v: np.ndarray  # (N,) int32
    x: np.ndarray  # (N,) int32 input of a step
    psi: np.ndarray  # (N,) int32
    z: np.ndarray  # (N,) uint8
    z_before: np.ndarray  # (N,) uint8
    y: np.ndarray  # (K,) int64 in 2^-8 LSB
    y_before: np.ndarray  # (K,) int64
    inputs: Traces
    recurrent: Traces
    trace_out: np.ndarray  # (N,) int32
    g_out: np.ndarray  # (N, K) float32
    E: np.ndarray  # (K,) float32
    L: np.ndarray  # (N,) float32


@njit(cache=True)
def stairs(distance, v_th):
    """The surrogate as a staircase: 4 at the threshold, one less for each fifth of v_th away from it."""
    return max(0, STAIRS - 1 - STAIRS * abs(distance) // v_th)


@njit(cache=True, error_model="numpy")
def run(c, w, B, samples, update, results):
    """Run G samples (`records.Samples`), each from rest; B (N, K) float32."""
    for g in range(len(samples.labels)):
        s = _at_rest(c, len(w.w_in))
        for t in range(c.T):
            _decay_readouts(c, s, update.learn, t)
            first = g * (c.T + 1) + t
            for e in range(samples.start[first], samples.start[first + 1]):
                _receive(c, s.inputs, samples.source[e], w.w_in, s.x)
            _recurrent_arrivals(c, w, s, results.arrived)
            _neuron_steps(c, s, results.counts[g], results.changed, t)
            if update.learn:
                _filter(s.inputs, s.psi, c, t)
                _filter(s.recurrent, s.psi, c, t)
            if t >= c.T - c.W:
                y = results.window[g, t - c.T + c.W]
                y[:] = s.y * c.lsb_out / 256.0
                if update.learn:
                    _gather(c, s, B, results.counts[g], y, samples.labels[g])
            s.z_before[:] = s.z
        if update.learn:
            key = key_of_part(3 * g, (update.k0, update.k1))
            move(w.w_in, w.mask_in, s.inputs.g, update.rate, c, key)
            move(w.w_rec, w.mask_rec, s.recurrent.g, update.rate, c, key_of_part(1, key))
            move(w.w_out, w.mask_out, s.g_out, update.rate_out, c, key_of_part(2, key))


@njit(cache=True)
def _at_rest(c, inputs):
    N, K = c.N, c.K
    potentials = np.zeros(N, np.int32), np.zeros(N, np.int32), np.zeros(N, np.int32)
    spikes = np.zeros(N, np.uint8), np.zeros(N, np.uint8)
    readouts = np.zeros(K, np.int64), np.zeros(K, np.int64)
    sources = _new_traces(inputs, N), _new_traces(N, N)
    signals = np.zeros((N, K), np.float32), np.zeros(K, np.float32), np.zeros(N, np.float32)
    return State(*potentials, *spikes, *readouts, *sources, np.zeros(N, np.int32), *signals)


@njit(cache=True)
def _new_traces(S, N):
    e, g = np.zeros((S, N), np.int16), np.zeros((S, N), np.float32)
    return Traces(np.zeros(S, np.int32), np.zeros(S, np.uint8), e, g)


@njit(cache=True, forceinline=True, _nrt=False)
def _decay_readouts(c, s, learn, t):
    """Clear the input, and decay the readouts and all traces."""
    s.x[:] = 0
    for k in range(c.K):
        s.y_before[k] = s.y[k]
        s.y[k] = (s.y[k] * c.alpha_out) >> c.alpha_bits
    if learn:
        _decay(s.inputs.trace, c.alpha, c.alpha_bits, t)
        _decay(s.recurrent.trace, c.alpha, c.alpha_bits, t)
        _decay(s.trace_out, c.alpha_out, c.alpha_bits, t)


@njit(cache=True, forceinline=True, _nrt=False)
def _receive(c, traces, i, w, x):
    """Deliver a spike of source i to the neurons."""
    traces.seen[i] = 1
    traces.trace[i] = min(traces.trace[i] + c.trace_one, c.trace_limit)
    for j in range(c.N):
        x[j] += w[i, j]


@njit(cache=True, forceinline=True, _nrt=False)
def _recurrent_arrivals(c, w, s, arrived):
    for i in range(c.N):
        if s.z_before[i]:
            arrived[i] += 1
            _receive(c, s.recurrent, i, w.w_rec, s.x)
            s.trace_out[i] = min(s.trace_out[i] + c.trace_out_one, c.trace_out_limit)
            for k in range(c.K):
                s.y[k] += w.w_out[i, k] << 8


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _neuron_steps(c, s, counts, changed, t):
    for j in range(c.N):
        u = ((s.v[j] * np.int64(c.alpha)) >> c.alpha_bits) + s.x[j]
        u = max(-c.v_limit, min(u, c.v_limit))
        s.psi[j] = stairs(u - c.v_th, c.v_th)
        s.z[j] = u >= c.v_th
        changed[0] += t == 0 or s.z[j] == 1 or u != s.v[j]
        s.v[j] = u - c.v_th * s.z[j]
        counts[j] += s.z[j]
    for k in range(c.K):
        changed[1] += t == 0 or s.y[k] != s.y_before[k]


@njit(cache=True, _nrt=False, error_model="numpy")
def _gather(c, s, B, counts, y, label):
    """Accumulate gradients: g += L e, and for the readouts E times their trace."""
    for k in range(c.K):
        s.E[k] = y[k] - (1.0 if k == label else 0.0)
    for j in range(c.N):
        s.L[j] = c.regular * (counts[j] / c.T - c.f_target)
        for k in range(c.K):
            s.L[j] += B[j, k] * s.E[k]
    _gather_sources(s.inputs, s.L)
    _gather_sources(s.recurrent, s.L)
    for i in range(c.N):
        for k in range(c.K):
            s.g_out[i, k] += s.E[k] * s.trace_out[i]


@njit(cache=True, _nrt=False)
def _gather_sources(s, L):
    for i in range(len(s.seen)):
        if s.seen[i]:
            g, e = s.g[i], s.e[i]
            for j in range(len(g)):
                g[j] += L[j] * np.float32(e[j])


@njit(cache=True)
def dither(t, i, bits):
    """A number below 2^bits that is spread evenly over steps and units: rounding by it is right on average."""
    return ((t * 0x9E3779B1 + i * 0x85EBCA77) >> 8) & ((1 << bits) - 1)


@njit(cache=True, _nrt=False)
def _decay(trace, factor, bits, t):
    for i in range(len(trace)):
        trace[i] = (trace[i] * factor + dither(t, i, bits)) >> bits


@njit(cache=True, _nrt=False)
def _filter(traces, psi, c, t):
    """Update e = kappa e + psi trace, saturating. A source that has not fired yet has nothing to filter."""
    for i in range(len(traces.seen)):
        if not traces.seen[i]:
            continue
        row, trace = traces.e[i], traces.trace[i]
        one, other = np.int32(dither(t, i, c.kappa_bits)), np.int32(dither(t + c.T, i, c.stair_shift))
        kappa, bits, shift, limit = np.int32(c.kappa), np.int32(c.kappa_bits), np.int32(c.stair_shift), c.trace_limit
        for j in range(len(row)):
            value = ((np.int32(row[j]) * kappa + one) >> bits) + ((psi[j] * trace + other) >> shift)
            row[j] = np.int16(min(value, limit))


@njit(cache=True)
def move(w, mask, g, rate, c, key):
    """Update w -= floor(rate g + u), u uniform (stochastic) or 1/2; g is set to 0."""
    k0, k1 = key
    columns = w.shape[1]
    for i in range(w.shape[0]):
        for j in range(columns):
            if mask[i, j] and g[i, j] != 0:
                u = uniform(uint32(i * columns + j), k0, k1) if c.stochastic else np.float32(0.5)
                step = int(np.floor(rate * g[i, j] + u))
                w[i, j] = max(-c.w_limit, min(w[i, j] - step, c.w_limit))
            g[i, j] = 0
