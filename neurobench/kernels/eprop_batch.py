"""E-prop with weights that stay as they are within a sample: one pass forward, one pass back, one scatter-add.

A gradient of e-prop is a sum over steps of a learning signal times filtered traces. The filters are linear, so they
can run backward over the learning signals instead of forward over every synapse's trace: the same number at the cost
of a pass over the neurons. Matrices are [source, target], targets filled up to whole vectors; letters as in
`eprop_records`. All in float32 or all in float64.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange

from neurobench.kernels.eprop_neuron import neuron_step
from neurobench.kernels.eprop_records import Neurons


class Matrices(NamedTuple):
    """Weights, or the gradient of them. M and Q are N and K, filled up to whole vectors."""

    w_in: np.ndarray  # (I, M)
    w_rec: np.ndarray  # (1, P) of the P recurrent synapses alone, by source: few of N^2 exist
    w_out: np.ndarray  # (N, Q)


class Recurrent(NamedTuple):
    """Where the P recurrent synapses are."""

    start: np.ndarray  # (N + 1,) int64 first synapse of each source
    target: np.ndarray  # (P,) int64


class Numbers(NamedTuple):
    """What the fast path needs of the constants, in the kernel's precision."""

    alpha: np.floating
    alpha_out: np.floating
    v_th: np.floating
    height: np.floating
    per_width: np.floating
    kappa: np.floating
    rest: np.floating  # 1 - kappa
    c_reg: np.floating
    f_target: np.floating
    rho: np.floating
    adapt_beta: np.floating
    one: np.floating


@njit(parallel=True, cache=True, error_model="numpy")
def learn(  # type: ignore[no-untyped-def]
    c, a, plain, start, source, labels, softmax, weights, wires, B, f0, chunks, grads, window, counts, f_end
):
    """The summed gradient and the readouts of G samples, each from a state at rest.

    start (G (T + 1) + 1,), source: spikes by sample and step; what falls on step T belongs to no sample.
    labels (G,): -1 for no target, and no gradient. softmax: the error is softmax(y) - onehot, else y - onehot.
    f0 (M,): filtered firing at the start. grads: Matrices with an axis of `chunks` in front, at 0; window (G, W, K),
    counts (G, N) and f_end (G, M) are written.
    """
    G, T = len(labels), c.T
    for chunk in prange(chunks):
        M, Q = weights.w_in.shape[1], weights.w_out.shape[1]
        x = np.empty((T, M), weights.w_in.dtype)
        psi, f = np.empty_like(x), np.empty_like(x)
        fired, n_fired = np.empty((T, M + 1), np.int64), np.empty(T, np.int64)
        y = np.zeros((T, Q), x.dtype)
        E = np.zeros((T + 1, Q), x.dtype)
        for g in range(G * chunk // chunks, G * (chunk + 1) // chunks):
            at = start[g * (T + 1) : g * (T + 1) + T + 1]
            _inputs(at, source, weights.w_in, x)
            _forward(c, a, plain, weights, wires, x, f0, psi, f, fired, n_fired, y)
            _errors(c, y, labels[g], softmax, E)
            for t in range(c.W):
                for k in range(c.K):
                    window[g, t, k] = y[T - c.W + t, k]
            for t in range(T):
                for s in range(n_fired[t]):
                    counts[g, fired[t, s]] += 1
            f_end[g] = f[T - 1]
            if labels[g] >= 0:
                _backward(c, a, wires, B, E, psi, f, fired, n_fired, grads.w_rec[chunk, 0], grads.w_out[chunk])
                _scatter(at, source, psi, grads.w_in[chunk])


@njit(cache=True, error_model="numpy")
def _inputs(at, source, w, x):  # type: ignore[no-untyped-def]
    """x[t] = the sum of the rows of w whose source spikes in step t."""
    for t in range(x.shape[0]):
        row = x[t]
        row[:] = 0
        e, end = at[t], at[t + 1]
        while e + 2 <= end:  # two rows at a time: `row` is loaded and stored half as often
            one, two = w[source[e]], w[source[e + 1]]
            for j in range(row.shape[0]):
                row[j] += one[j] + two[j]
            e += 2
        if e < end:
            one = w[source[e]]
            for j in range(row.shape[0]):
                row[j] += one[j]


@njit(cache=True, error_model="numpy")
def _forward(c, a, plain, weights, wires, x, f0, psi, f, fired, n_fired, y):  # type: ignore[no-untyped-def]
    """Spikes of step t arrive in step t + 1. Writes psi, f, y and who fired; x gains the recurrent input."""
    T, M = x.shape
    v, now = np.zeros(M, x.dtype), np.zeros(M, x.dtype)
    blank = np.zeros((4, c.N))
    left, z = np.zeros(c.N, np.int64), np.zeros(c.N, np.uint8)
    state = Neurons(blank[0], blank[1], left, blank[2], blank[3], z, blank[0], blank[0])
    y_before, f_before = np.zeros(y.shape[1], y.dtype), f0
    for t in range(T):
        row, out = x[t], y[t]
        for k in range(len(out)):
            out[k] = a.alpha_out * y_before[k]
        if t > 0:
            for s in range(n_fired[t - 1]):
                i = fired[t - 1, s]
                for p in range(wires.start[i], wires.start[i + 1]):
                    row[wires.target[p]] += weights.w_rec[0, p]
                into = weights.w_out[i]
                for k in range(len(out)):
                    out[k] += into[k]
        if plain:
            _plain_neurons(a, row, v, psi[t], now)
        else:
            for j in range(c.N):
                psi[t, j] = neuron_step(c, j, float(row[j]), state)
                now[j] = state.z[j]
            for j in range(c.N, M):
                psi[t, j] = now[j]
        _filter(a.kappa, a.rest, f_before, now, f[t])
        n_fired[t] = _who(now, c.N, fired[t])
        y_before, f_before = out, f[t]


@njit(cache=True, error_model="numpy")
def _plain_neurons(a, x, v, psi, now):  # type: ignore[no-untyped-def]
    """`eprop_iaf` with the piecewise linear surrogate. Short loops: the compiler turns each into vector code."""
    zero = a.one - a.one
    for j in range(len(v)):
        v[j] = a.alpha * v[j] + x[j]
    for j in range(len(v)):
        p = a.one - abs((v[j] - a.v_th) * a.per_width)
        psi[j] = a.height * p if p > zero else zero
    for j in range(len(v)):
        now[j] = a.one if v[j] >= a.v_th else zero
    for j in range(len(v)):
        v[j] -= a.v_th * now[j]


@njit(cache=True, error_model="numpy")
def _filter(kappa, rest, before, now, f):  # type: ignore[no-untyped-def]
    for j in range(len(f)):
        f[j] = kappa * before[j] + rest * now[j]


@njit(cache=True, error_model="numpy")
def _who(now, N, fired):  # type: ignore[no-untyped-def]
    """Write the units with now = 1, ascending; returns how many. No branch to mispredict."""
    n = 0
    for j in range(N):
        fired[n] = j
        n += now[j] != 0
    return n


@njit(cache=True, error_model="numpy")
def _errors(c, y, label, softmax, E):  # type: ignore[no-untyped-def]
    """E of the steps of the window; 0 elsewhere and in step T."""
    for t in range(c.T - c.W, c.T):
        if softmax:
            top = y[t, : c.K].max()
            total = np.exp(y[t, : c.K] - top).sum()
            for k in range(c.K):
                E[t, k] = np.exp(y[t, k] - top) / total
        else:
            for k in range(c.K):
                E[t, k] = y[t, k]
        if label >= 0:
            E[t, label] -= 1


@njit(cache=True, error_model="numpy")
def _backward(c, a, wires, B, E, psi, f, fired, n_fired, to_rec, to_out):  # type: ignore[no-untyped-def]
    """psi becomes mu, and the recurrent and readout gradients gain theirs.

    lambda(t) = kappa lambda(t + 1) + L(t) + (1 - kappa) c_reg (f(t) - f_target),   L(t) = B E(t + 1)
    mu(t)     = alpha mu(t + 1) + psi(t) (lambda(t) + b(t)),   eta(t) = alpha_o eta(t + 1) + E(t)
    b(t)      = rho b(t + 1) - beta_a psi(t + 1) (lambda(t + 1) + b(t + 1)),   0 without adaptation
    """
    T, M = psi.shape
    lam, mu, b = np.zeros(M, psi.dtype), np.zeros(M, psi.dtype), np.zeros(M, psi.dtype)
    eta = np.zeros(E.shape[1], psi.dtype)
    for t in range(T - 1, -1, -1):
        _regularise(a.kappa, a.rest * a.c_reg, a.f_target, f[t], lam)
        if t + 1 < T and t + 1 >= T - c.W:
            for k in range(c.K):
                error, row = E[t + 1, k], B[k]
                for j in range(M):
                    lam[j] += row[j] * error
        psi_t = psi[t]
        if a.adapt_beta != 0:
            for j in range(M):
                slope = psi_t[j] * (lam[j] + b[j])
                mu[j] = a.alpha * mu[j] + slope
                b[j] = a.rho * b[j] - a.adapt_beta * slope
                psi_t[j] = mu[j]
        else:
            for j in range(M):
                mu[j] = a.alpha * mu[j] + psi_t[j] * lam[j]
                psi_t[j] = mu[j]
        error = E[t]
        for k in range(len(eta)):
            eta[k] = a.alpha_out * eta[k] + error[k]
        if t > 0:
            for s in range(n_fired[t - 1]):
                i = fired[t - 1, s]
                for p in range(wires.start[i], wires.start[i + 1]):
                    to_rec[p] += psi_t[wires.target[p]]
                into = to_out[i]
                for k in range(len(eta)):
                    into[k] += eta[k]


@njit(cache=True, error_model="numpy")
def _regularise(kappa, weight, f_target, f, lam):  # type: ignore[no-untyped-def]
    for j in range(len(f)):
        lam[j] = kappa * lam[j] + weight * (f[j] - f_target)


@njit(cache=True, error_model="numpy")
def _scatter(at, source, mu, to):  # type: ignore[no-untyped-def]
    """Each input spike of step t adds mu(t) to its source's gradient."""
    for t in range(mu.shape[0]):
        row = mu[t]
        for e in range(at[t], at[t + 1]):
            into = to[source[e]]
            for j in range(row.shape[0]):
                into[j] += row[j]


@njit(parallel=True, cache=True, error_model="numpy")
def adam(w, g, mask, m, v, chunks, scale, rate, beta_1, beta_2, epsilon, w_min, w_max):  # type: ignore[no-untyped-def]
    """A step of Adam in place, on synapses that exist; g (chunks, rows, columns) is summed, times `scale`, and zeroed.

    `rate` is lr sqrt(1 - beta_2^t) / (1 - beta_1^t). Returns the sum of the weights, which is finite if they are.
    """
    total = 0.0
    for r in prange(w.shape[0]):
        for j in range(w.shape[1]):
            slope = g[0, r, j]
            g[0, r, j] = 0
            for chunk in range(1, chunks):
                slope += g[chunk, r, j]
                g[chunk, r, j] = 0
            if mask[r, j]:
                slope *= scale
                m[r, j] += (1 - beta_1) * (slope - m[r, j])
                v[r, j] += (1 - beta_2) * (slope * slope - v[r, j])
                stepped = w[r, j] - rate * m[r, j] / (np.sqrt(v[r, j]) + epsilon)
                w[r, j] = min(max(stepped, w_min), w_max)
                total += w[r, j]
    return total


@njit(parallel=True, cache=True, error_model="numpy")
def descend(w, g, mask, chunks, rate, w_min, w_max):  # type: ignore[no-untyped-def]
    """Plain gradient descent, as `adam` otherwise."""
    total = 0.0
    for r in prange(w.shape[0]):
        for j in range(w.shape[1]):
            slope = g[0, r, j]
            g[0, r, j] = 0
            for chunk in range(1, chunks):
                slope += g[chunk, r, j]
                g[chunk, r, j] = 0
            if mask[r, j]:
                w[r, j] = min(max(w[r, j] - rate * slope, w_min), w_max)
                total += w[r, j]
    return total
