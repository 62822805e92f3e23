"""E-prop in the integers of a small learning chip, step by step as the chip runs.

All traces go forward in time and are cut to their widths; weights move by whole LSB, once a sample. Units: a
weight is w LSB, membranes and thresholds are in the same LSB, traces have a fixed number of fraction bits.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, uint32

from neurobench.kernels.logistic import uniform

STAIRS = 5  # values of the surrogate: 0 and four more


class Chip(NamedTuple):
    """Numbers of a network on the chip."""

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
    trace_limit: int  # eligibilities saturate at +-trace_limit
    trace_out_limit: int
    trace_one: int  # what a spike adds to a trace
    trace_out_one: int
    stair_shift: int  # psi of 0 to STAIRS - 1 times a trace loses so many bits
    stochastic: bool
    regular: float  # weight of a neuron's rate above f_target in its learning signal
    f_target: float  # spikes a step


class ChipWeights(NamedTuple):
    """[source, target], int16. A synapse exists where its mask is 1."""

    w_in: np.ndarray  # (I, N)
    w_rec: np.ndarray  # (N, N)
    w_out: np.ndarray  # (N, K)
    mask_in: np.ndarray  # uint8 each
    mask_rec: np.ndarray
    mask_out: np.ndarray


@njit(cache=True)
def stairs(distance, v_th):
    """The surrogate as a staircase: 4 at the threshold, one less for each fifth of v_th away from it."""
    return max(0, STAIRS - 1 - STAIRS * abs(distance) // v_th)


@njit(cache=True, error_model="numpy")
def run(c, w, B, start, source, labels, learn, rate, rate_out, k0, k1, out_lsb, window, counts, arrived, changed):
    """G samples, each from rest; with `learn`, weights change after each, by what the window's steps add up to.

    start, source: spikes by sample and step, T + 1 steps each. B (N, K) float32. rate, rate_out: mean LSB for a
    unit of learning signal times trace; k0, k1: key of the draws. out_lsb: y of one LSB of W_out and a full trace.
    window (G, W, K) and counts (G, N) are written. arrived (N,) gains the spikes of each neuron that arrived within
    their sample; changed (2,) int64 how often a membrane and a readout changed, all of them in a sample's first step.
    """
    T, N, K, inputs = c.T, c.N, c.K, w.w_in.shape[0]
    x, v, psi = np.empty(N, np.int32), np.empty(N, np.int32), np.empty(N, np.int32)
    z, z_before = np.zeros(N, np.uint8), np.zeros(N, np.uint8)
    in_trace, rec_trace, out_trace = np.empty(inputs, np.int32), np.empty(N, np.int32), np.empty(N, np.int32)
    e_in, e_rec = np.empty((inputs, N), np.int16), np.empty((N, N), np.int16)
    y, y_before = np.empty(K, np.int64), np.empty(K, np.int64)
    E, L = np.zeros(K, np.float32), np.empty(N, np.float32)
    g_in, g_rec = np.zeros((inputs, N), np.float32), np.zeros((N, N), np.float32)
    g_out = np.zeros((N, K), np.float32)
    seen, seen_rec = np.empty(inputs, np.uint8), np.empty(N, np.uint8)
    for g in range(len(labels)):
        v[:] = 0
        y[:] = 0
        z_before[:] = 0
        in_trace[:] = 0
        rec_trace[:] = 0
        out_trace[:] = 0
        seen[:] = 0
        seen_rec[:] = 0
        e_in[:] = 0
        e_rec[:] = 0
        for t in range(T):
            first, stop = start[g * (T + 1) + t], start[g * (T + 1) + t + 1]
            x[:] = 0
            y_before[:] = y
            for k in range(K):
                y[k] = (y[k] * c.alpha_out) >> c.alpha_bits
            if learn:
                _decay(in_trace, c.alpha, c.alpha_bits, t)
                _decay(rec_trace, c.alpha, c.alpha_bits, t)
                _decay(out_trace, c.alpha_out, c.alpha_bits, t)
            for e in range(first, stop):
                i = source[e]
                seen[i] = 1
                in_trace[i] = min(in_trace[i] + c.trace_one, c.trace_limit)
                for j in range(N):
                    x[j] += w.w_in[i, j]
            for i in range(N):
                if z_before[i]:
                    arrived[i] += 1
                    seen_rec[i] = 1
                    rec_trace[i] = min(rec_trace[i] + c.trace_one, c.trace_limit)
                    out_trace[i] = min(out_trace[i] + c.trace_out_one, c.trace_out_limit)
                    for j in range(N):
                        x[j] += w.w_rec[i, j]
                    for k in range(K):
                        y[k] += w.w_out[i, k] << 8
            for j in range(N):
                u = ((v[j] * np.int64(c.alpha)) >> c.alpha_bits) + x[j]
                u = max(-c.v_limit, min(u, c.v_limit))
                psi[j] = stairs(u - c.v_th, c.v_th)
                z[j] = u >= c.v_th
                changed[0] += t == 0 or u != v[j]
                v[j] = u - c.v_th * z[j]
                counts[g, j] += z[j]
            for k in range(K):
                changed[1] += t == 0 or y[k] != y_before[k]
            if learn:
                _filter(e_in, in_trace, seen, psi, c, t)
                _filter(e_rec, rec_trace, seen_rec, psi, c, t)
            if t >= T - c.W:
                for k in range(K):
                    window[g, t - T + c.W, k] = y[k] * out_lsb / 256.0
                    E[k] = window[g, t - T + c.W, k] - (1.0 if k == labels[g] else 0.0)
                if learn:
                    for j in range(N):
                        L[j] = c.regular * (counts[g, j] / T - c.f_target)
                        for k in range(K):
                            L[j] += B[j, k] * E[k]
                    _gather(g_in, e_in, seen, L)
                    _gather(g_rec, e_rec, seen_rec, L)
                    for i in range(N):
                        for k in range(K):
                            g_out[i, k] += E[k] * out_trace[i]
            z_before[:] = z
        if learn:
            draw = uint32(3 * g)
            _move(w.w_in, w.mask_in, g_in, rate, c, uint32(k0 + draw), k1)
            _move(w.w_rec, w.mask_rec, g_rec, rate, c, uint32(k0 + draw + uint32(1)), k1)
            _move(w.w_out, w.mask_out, g_out, rate_out, c, uint32(k0 + draw + uint32(2)), k1)


@njit(cache=True)
def _dither(t, i, bits):
    """A number below 2^bits that is spread evenly over steps and units: rounding by it is right on average."""
    return ((t * 0x9E3779B1 + i * 0x85EBCA77) >> 8) & ((1 << bits) - 1)


@njit(cache=True)
def _decay(trace, factor, bits, t):
    for i in range(len(trace)):
        trace[i] = (trace[i] * factor + _dither(t, i, bits)) >> bits


@njit(cache=True)
def _filter(e, trace, seen, psi, c, t):
    """e = kappa e + psi trace, saturating. A source that has not fired yet has nothing to filter."""
    for i in range(e.shape[0]):
        if not seen[i]:
            continue
        row, one = e[i], trace[i]
        dither, other = np.int32(_dither(t, i, c.kappa_bits)), np.int32(_dither(t + c.T, i, c.stair_shift))
        kappa, bits, shift, limit = np.int32(c.kappa), np.int32(c.kappa_bits), np.int32(c.stair_shift), c.trace_limit
        for j in range(len(row)):
            value = ((np.int32(row[j]) * kappa + dither) >> bits) + ((psi[j] * one + other) >> shift)
            row[j] = np.int16(min(value, limit))


@njit(cache=True)
def _gather(g, e, seen, L):
    """g += L e"""
    for i in range(e.shape[0]):
        if seen[i]:
            to, row = g[i], e[i]
            for j in range(len(row)):
                to[j] += L[j] * np.float32(row[j])


@njit(cache=True)
def _move(w, mask, g, rate, c, k0, k1):
    """w -= floor(rate g + u), u uniform (stochastic) or 1/2; g becomes 0."""
    columns = w.shape[1]
    for i in range(w.shape[0]):
        for j in range(columns):
            if mask[i, j] and g[i, j] != 0:
                u = uniform(uint32(i * columns + j), k0, k1) if c.stochastic else np.float32(0.5)
                step = int(np.floor(rate * g[i, j] + u))
                w[i, j] = max(-c.w_limit, min(w[i, j] - step, c.w_limit))
            g[i, j] = 0
