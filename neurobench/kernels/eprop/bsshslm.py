"""E-prop of Bellec et al. 2020 as NEST's `*_bsshslm_2020` models have it: one gradient a sample, each from rest.

As `eprop.batch`: the filters run backward over the learning signals, so a gradient costs a pass over the neurons.
Sources: NEST 3.10, models `eprop_iaf_bsshslm_2020`, `eprop_readout_bsshslm_2020` and `eprop_synapse_bsshslm_2020`;
Bellec et al., Nature Communications 11:3625 (2020). Letters as in `eprop.records`, layouts as in `eprop.batch`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange

from neurobench.kernels.eprop.neuron import surrogate
from neurobench.kernels.eprop.rows import add_rows


class Rule(NamedTuple):
    """What the neurons have beside `Constants`, in the kernel's precision."""

    alpha: np.floating
    alpha_out: np.floating
    gain: np.floating  # of a spike that reaches a recurrent neuron: 1, or 1 - alpha
    gain_out: np.floating  # of one that reaches a readout: 1, or 1 - alpha_out
    v_th: np.floating
    v_min: np.floating
    kappa: np.floating
    rest: np.floating  # 1 - kappa
    c_reg: np.floating
    f_target: np.floating


class Sample(NamedTuple):
    """Scratch of one sample."""

    x: np.ndarray  # (M,) input of a step
    v: np.ndarray  # (M,)
    left: np.ndarray  # (N,) int64 steps in which the neuron is still refractory
    psi: np.ndarray  # (T, M)
    fired: np.ndarray  # (T, N) int64 who
    n_fired: np.ndarray  # (T,) int64
    r: np.ndarray  # (N,) the readouts' trace of each neuron's spikes
    trace: np.ndarray  # (W, N) it in the window
    E: np.ndarray  # (W, K) errors
    regular: np.ndarray  # (M,) what the firing rate adds to every step's learning signal
    lam: np.ndarray  # (M,)
    mu: np.ndarray  # (M,)


@njit(cache=True, error_model="numpy")
def _scratch(c, weights):
    T, N, W, M, like = c.T, c.N, c.W, weights.w_in.shape[1], weights.w_in.dtype
    row = np.zeros((5, M), like)
    return Sample(
        row[0], row[1], np.zeros(N, np.int64), np.zeros((T, M), like), np.zeros((T, N), np.int64),
        np.zeros(T, np.int64), np.zeros(N, like), np.zeros((W, N), like), np.zeros((W, c.K), like), row[2], row[3],
        row[4],
    )  # fmt: skip


@njit(parallel=True, cache=True, error_model="numpy")
def learn(c, a, start, source, once_start, once, labels, softmax, weights, wires, B, chunks, grads, window, counts):
    """The summed gradient and the readouts of G samples.

    start (G (T + 1) + 1,), source: spikes by sample and step; those of steps 0 and T reach nobody. once: the same
    without a source's repeats within a step, which reach the neurons and leave no trace. labels (G,): -1 for no
    target, and no gradient. softmax: the error is softmax(y) - onehot, else y - onehot. grads: Matrices with an axis
    of `chunks` in front, that gain; window (G, W, K) is written, counts (G, N) gain the spikes.
    """
    G, T = len(labels), c.T
    for chunk in prange(chunks):
        one = _scratch(c, weights)
        for g in range(G * chunk // chunks, G * (chunk + 1) // chunks):
            begin = g * (T + 1)
            _forward(c, a, start, source, begin, weights, wires, one, counts[g])
            _readouts(c, one.trace, weights.w_out, window[g])
            if labels[g] >= 0:
                _errors(window[g], labels[g], softmax, one.E)
                _to_readouts(one.trace, one.E, grads.w_out[chunk])
                _regularise(c, a, counts[g], one.regular)
                _backward(c, a, once_start, once, begin, wires, B, one, grads.w_in[chunk], grads.w_rec[chunk, 0])


@njit(cache=True, _nrt=False, error_model="numpy")
def _forward(c, a, start, source, begin, weights, wires, one, count):
    """v(t) = max(alpha v(t - 1) + gain x(t) - v_th z(t - 1), v_min): the reset comes a step late, undecayed.
    psi at v - v_th; a spike where v >= v_th and not refractory; r(t) = alpha_out r(t - 1) + gain_out z(t)."""
    x, v = one.x, one.v
    v[:], one.r[:] = 0, 0
    one.left[:] = 0
    for t in range(c.T):
        x[:] = 0
        if t > 0:
            add_rows(weights.w_in, source, start[begin + t], start[begin + t + 1], x)
            for s in range(one.n_fired[t - 1]):
                i = one.fired[t - 1, s]
                for p in range(wires.start[i], wires.start[i + 1]):
                    x[wires.target[p]] += weights.w_rec[0, p]
        for j in range(c.N):
            v[j] = a.alpha * v[j] + a.gain * x[j]
        if t > 0:
            for s in range(one.n_fired[t - 1]):
                v[one.fired[t - 1, s]] -= a.v_th
        n = 0
        for j in range(c.N):
            v[j] = max(v[j], a.v_min)
            one.left[j] -= one.left[j] > 0
            one.r[j] *= a.alpha_out
            free = one.left[j] == 0
            one.psi[t, j] = surrogate(c.surrogate, float(v[j] - a.v_th), c.height, c.width) if free else 0.0
            if free and v[j] >= a.v_th:
                one.fired[t, n] = j
                n += 1
                count[j] += 1
                one.r[j] += a.gain_out
                one.left[j] = c.refractory
        one.n_fired[t] = n
        if t >= c.T - c.W:
            for j in range(c.N):
                one.trace[t - c.T + c.W, j] = one.r[j]


@njit(cache=True, _nrt=False, error_model="numpy")
def _regularise(c, a, count, regular):
    # Not written out in `learn`: numba 0.68 gets this loop wrong inside its prange.
    for j in range(c.N):
        regular[j] = a.c_reg * (count[j] / c.T - a.f_target)


@njit(cache=True, _nrt=False, error_model="numpy")
def _readouts(c, trace, w_out, y):
    """y (W, K) = trace (W, N) w_out: a spike of step t is in y of step t, which a readout has a step later."""
    y[:] = 0
    for t in range(c.W):
        for i in range(c.N):
            for k in range(c.K):
                y[t, k] += trace[t, i] * w_out[i, k]


@njit(cache=True, _nrt=False, error_model="numpy")
def _errors(y, label, softmax, E):
    for t in range(len(y)):
        if softmax:
            top, total = y[t, 0], 0.0
            for k in range(len(E[t])):
                top = max(top, y[t, k])
            for k in range(len(E[t])):
                E[t, k] = np.exp(y[t, k] - top)
                total += E[t, k]
            for k in range(len(E[t])):
                E[t, k] /= total
        else:
            for k in range(len(E[t])):
                E[t, k] = y[t, k]
        E[t, label] -= 1


@njit(cache=True, _nrt=False, error_model="numpy")
def _to_readouts(trace, E, to_out):
    """to_out (N, Q) gains the sum over the window of E_k times the trace of neuron i."""
    for t in range(len(E)):
        for i in range(trace.shape[1]):
            for k in range(E.shape[1]):
                to_out[i, k] += trace[t, i] * E[t, k]


@njit(cache=True, _nrt=False, error_model="numpy")
def _backward(c, a, once_start, once, begin, wires, B, one, to_in, to_rec):
    """Spikes that arrive in step t gain mu(t).

    lambda(t) = kappa lambda(t + 1) + (1 - kappa) sum_k B_k E_k(t)
    mu(t)     = alpha mu(t + 1) + gain psi(t) (lambda(t) + c_reg (f - f_target)),   f: the sample's spikes a step
    """
    lam, mu = one.lam, one.mu
    lam[:], mu[:] = 0, 0
    for t in range(c.T - 1, 0, -1):
        for j in range(c.N):
            lam[j] *= a.kappa
        if t >= c.T - c.W:
            for k in range(c.K):
                error = a.rest * one.E[t - c.T + c.W, k]
                for j in range(c.N):
                    lam[j] += B[k, j] * error
        for j in range(c.N):
            mu[j] = a.alpha * mu[j] + a.gain * one.psi[t, j] * (lam[j] + one.regular[j])
        for e in range(once_start[begin + t], once_start[begin + t + 1]):
            row = to_in[once[e]]
            for j in range(c.N):
                row[j] += mu[j]
        for s in range(one.n_fired[t - 1]):
            i = one.fired[t - 1, s]
            for p in range(wires.start[i], wires.start[i + 1]):
                to_rec[p] += mu[wires.target[p]]
