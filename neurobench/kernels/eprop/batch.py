"""E-prop with weights that stay as they are within a sample: one pass forward, one pass back, one scatter-add.

A gradient of e-prop is a sum over steps of a learning signal times filtered traces. The filters are linear, so they
can run backward over the learning signals instead of forward over every synapse's trace: the same number at the cost
of a pass over the neurons. Readouts matter in the learning window alone, so theirs is a forward trace a neuron.
Matrices are [source, target], targets filled up to whole vectors; letters as in `eprop.records`. All in float32 or
all in float64.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange

from neurobench.kernels.eprop.neuron import neuron_step
from neurobench.kernels.eprop.records import Neurons
from neurobench.kernels.eprop.rows import MEMBERS, SIZE, add_rows, list_eight

FUSED = {"contract"}  # a product and a sum may round once; NaN and infinity stay what they are


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


class Pass(NamedTuple):
    """One sample on its way: what a pass forward leaves for the pass back, and scratch. X is 1, or T to keep x."""

    x: np.ndarray  # (X, M) input of a step, row t % X
    psi: np.ndarray  # (T, M), mu after the pass back
    f: np.ndarray  # (T + 1, M) filtered firing, row t + 1
    z: np.ndarray  # (T, M) uint8 spikes
    fired: np.ndarray  # (T, M + 8) int32 who
    n_fired: np.ndarray  # (T,) int64
    trace: np.ndarray  # (W, M) the readouts' trace of each neuron's spikes, in the window
    E: np.ndarray  # (T + 1, K) errors, 0 outside the window
    neurons: np.ndarray  # (3, M) scratch
    here: np.ndarray  # (P + 4,) int64 scratch
    state: Neurons  # of the variants
    first: np.ndarray  # (I + 2,) int64 scratch


@njit(cache=True, error_model="numpy")
def new_pass(c, weights, wires, X):
    T, M, like = c.T, weights.w_in.shape[1], weights.w_in.dtype
    blank = np.zeros((4, c.N))
    state = Neurons(
        blank[0], blank[1], np.zeros(c.N, np.int64), blank[2], blank[3], np.zeros(c.N, np.uint8), blank[0], blank[0]
    )
    return Pass(
        np.zeros((X, M), like),
        np.zeros((T, M), like),
        np.zeros((T + 1, M), like),
        np.zeros((T, M), np.uint8),
        np.zeros((T, M + 8), np.int32),
        np.zeros(T, np.int64),
        np.zeros((c.W, M), like),
        np.zeros((T + 1, c.K), like),
        np.zeros((3, M), like),
        np.zeros(len(wires.target) + 4, np.int64),
        state,
        np.zeros(len(weights.w_in) + 2, np.int64),
    )


@njit(parallel=True, cache=True, error_model="numpy")
def learn(c, a, plain, start, source, labels, softmax, weights, wires, B, f0, chunks, grads, window, counts, f_end):
    """The summed gradient and the readouts of G samples, each from a state at rest.

    start (G (T + 1) + 1,), source: spikes by sample and step; what falls on step T belongs to no sample.
    labels (G,): -1 for no target, and no gradient. softmax: the error is softmax(y) - onehot, else y - onehot.
    f0 (M,): filtered firing at the start. grads: Matrices with an axis of `chunks` in front, at 0; window (G, W, K),
    counts (G, N) and f_end (G, M) are written.
    """
    G, T = len(labels), c.T
    longest = 0
    for g in range(G):
        longest = max(longest, start[(g + 1) * (T + 1)] - start[g * (T + 1)])
    for chunk in prange(chunks):
        one = new_pass(c, weights, wires, 1)
        steps = np.empty(longest, np.int32)
        for g in range(G * chunk // chunks, G * (chunk + 1) // chunks):
            _sample(c, a, plain, start, source, labels[g], softmax, weights, wires, B, f0, one, steps, grads, chunk, g,
                    window, counts, f_end)  # fmt: skip


@njit(cache=True, _nrt=False, error_model="numpy")
def _sample(
    c, a, plain, start, source, label, softmax, weights, wires, B, f0, one, steps, grads, chunk, g, window, counts,
    f_end
):  # fmt: skip
    T = c.T
    begin = g * (T + 1)
    forward(c, a, plain, start, begin, source, weights, wires, f0, one)
    for t in range(T):
        for s in range(one.n_fired[t]):
            counts[g, one.fired[t, s]] += 1
    _copy(one.f[T], f_end[g])
    _readouts(c, one.trace, weights.w_out, window[g])
    if label >= 0:
        _errors(c, window[g], label, softmax, one.E)
        _backward(c, a, wires, B, one, grads.w_rec[chunk, 0])
        _to_readouts(c, one.trace, one.E, grads.w_out[chunk])
        _by_source(start, begin, T, source, one.first, steps)
        _to_inputs(one.first, steps, one.psi, grads.w_in[chunk])


@njit(cache=True, _nrt=False, error_model="numpy", fastmath=FUSED)
def forward(c, a, plain, start, begin, source, weights, wires, f0, one):
    """One sample, whose steps are start[begin], start[begin + 1], ... Spikes of step t arrive in step t + 1."""
    T, M = one.psi.shape
    v, r, state = one.neurons[0], one.neurons[1], one.state
    v[:], r[:] = 0, 0
    _copy(f0, one.f[0])
    for part in (state.v, state.adapt, state.kept):
        part[:] = 0
    state.left[:], state.z[:] = 0, 0
    n, kept = 0, len(one.x)
    for t in range(T):
        row, now = one.x[t if t < kept else 0], one.z[t]
        row[:] = 0
        add_rows(weights.w_in, source, start[begin + t], start[begin + t + 1], row)
        if t > 0:
            _trace(a.alpha_out, one.z[t - 1], r)
            for s in range(_synapses(wires.start, one.fired[t - 1], n, one.here)):
                p = one.here[s]
                row[wires.target[p]] += weights.w_rec[0, p]
        if plain:
            _plain_neurons(a, row, v, one.psi[t], now, one.f[t], one.f[t + 1])
        else:
            for j in range(c.N):
                one.psi[t, j] = neuron_step(c, j, float(row[j]), state)
                now[j] = state.z[j]
            _filter(a, one.f[t], now, one.f[t + 1])
        for j in range(c.N, M):
            now[j] = 0
        n = _who(now, one.fired[t])
        one.n_fired[t] = n
        if t >= T - c.W:
            _copy(r, one.trace[t - T + c.W])


@njit(cache=True, _nrt=False, error_model="numpy")
def _copy(row, to):
    for j in range(len(to)):
        to[j] = row[j]


@njit(cache=True, _nrt=False, error_model="numpy", fastmath=FUSED)
def _trace(alpha_out, z, r):
    for j in range(len(r)):
        r[j] = alpha_out * r[j] + z[j]


@njit(cache=True, _nrt=False, error_model="numpy")
def _synapses(start, fired, n, here):
    """Write the places of all synapses of the n neurons that fired; returns how many. Most neurons have at most four:
    without a loop over them there is no end of it to mispredict."""
    m = 0
    for s in range(n):
        i = fired[s]
        p = start[i]
        here[m], here[m + 1], here[m + 2], here[m + 3] = p, p + 1, p + 2, p + 3
        k = start[i + 1] - p
        for q in range(4, k):
            here[m + q] = p + q
        m += k
    return m


@njit(cache=True, _nrt=False, error_model="numpy", fastmath=FUSED)
def _plain_neurons(a, x, v, psi, z, f_before, f):
    """`eprop_iaf` with the piecewise linear surrogate. One loop without a branch: vector code."""
    zero = a.one - a.one
    for j in range(len(v)):
        u = a.alpha * v[j] + x[j]
        p = a.one - abs((u - a.v_th) * a.per_width)
        psi[j] = a.height * (p if p > zero else zero)
        now = a.one if u >= a.v_th else zero
        v[j] = u - a.v_th * now
        f[j] = a.kappa * f_before[j] + a.rest * now
        z[j] = u >= a.v_th


@njit(cache=True, _nrt=False, error_model="numpy", fastmath=FUSED)
def _filter(a, before, z, f):
    for j in range(len(f)):
        f[j] = a.kappa * before[j] + a.rest * z[j]


@njit(cache=True, _nrt=False, error_model="numpy")
def _who(z, fired):
    """Write the units with z = 1, ascending; returns how many. Eight at a time, by a table of the 256 sets of eight:
    no branch to mispredict."""
    n = 0
    words = z.view(np.uint64)
    for b in range(len(words)):
        byte = (words[b] * np.uint64(0x0102040810204080)) >> np.uint64(56)
        list_eight(MEMBERS, byte, 8 * b, fired, n)
        n += SIZE[byte]
    return n


@njit(cache=True, _nrt=False, error_model="numpy", fastmath=FUSED)
def _readouts(c, trace, w_out, y):
    """y (W, K) = trace (W, N) w_out."""
    for t in range(c.W):
        for k in range(c.K):
            y[t, k] = 0
        for i in range(c.N):
            for k in range(c.K):
                y[t, k] += trace[t, i] * w_out[i, k]


@njit(cache=True, _nrt=False, error_model="numpy")
def _errors(c, y, label, softmax, E):
    """E of the steps of the window, whose readouts are y (W, K)."""
    for t in range(c.W):
        error = E[c.T - c.W + t]
        if softmax:
            top, total = y[t, 0], y[t, 0] - y[t, 0]
            for k in range(c.K):
                top = max(top, y[t, k])
            for k in range(c.K):
                error[k] = np.exp(y[t, k] - top)
                total += error[k]
            for k in range(c.K):
                error[k] /= total
        else:
            for k in range(c.K):
                error[k] = y[t, k]
        error[label] -= 1


@njit(cache=True, _nrt=False, error_model="numpy", fastmath=FUSED)
def _to_readouts(c, trace, E, to_out):
    """to_out (N, Q) gains the sum over the window of E_k times the trace of neuron i."""
    for t in range(c.W):
        error = E[c.T - c.W + t]
        for i in range(c.N):
            one, into = trace[t, i], to_out[i]
            for k in range(c.K):
                into[k] += one * error[k]


@njit(cache=True, _nrt=False, error_model="numpy", fastmath=FUSED)
def _backward(c, a, wires, B, one, to_rec):
    """psi becomes mu, and the recurrent gradient gains its part.

    lambda(t) = kappa lambda(t + 1) + L(t) + (1 - kappa) c_reg (f(t) - f_target),   L(t) = B E(t + 1)
    mu(t)     = alpha mu(t + 1) + psi(t) (lambda(t) + b(t))
    b(t)      = rho b(t + 1) - beta_a psi(t + 1) (lambda(t + 1) + b(t + 1)),   0 without adaptation
    """
    T, M = one.psi.shape
    lam, mu, b = one.neurons[0], one.neurons[1], one.neurons[2]
    lam[:], mu[:], b[:] = 0, 0, 0
    weight = a.rest * a.c_reg
    for t in range(T - 1, -1, -1):
        if t + 1 < T and t + 1 >= T - c.W:
            for k in range(c.K):
                error, row = one.E[t + 1, k] / a.kappa, B[k]
                for j in range(M):
                    lam[j] += row[j] * error
        if a.adapt_beta != 0:
            _adapting_back(a, weight, one.f[t + 1], one.psi[t], lam, mu, b)
        else:
            _plain_back(a, weight, one.f[t + 1], one.psi[t], lam, mu)
        if t > 0:
            for s in range(_synapses(wires.start, one.fired[t - 1], one.n_fired[t - 1], one.here)):
                p = one.here[s]
                to_rec[p] += mu[wires.target[p]]


@njit(cache=True, _nrt=False, error_model="numpy", fastmath=FUSED)
def _plain_back(a, weight, f, psi, lam, mu):
    for j in range(len(f)):
        signal = a.kappa * lam[j] + weight * (f[j] - a.f_target)
        filtered = a.alpha * mu[j] + psi[j] * signal
        lam[j] = signal
        mu[j] = filtered
        psi[j] = filtered


@njit(cache=True, _nrt=False, error_model="numpy", fastmath=FUSED)
def _adapting_back(a, weight, f, psi, lam, mu, b):
    for j in range(len(f)):
        lam[j] = a.kappa * lam[j] + weight * (f[j] - a.f_target)
        slope = psi[j] * (lam[j] + b[j])
        mu[j] = a.alpha * mu[j] + slope
        b[j] = a.rho * b[j] - a.adapt_beta * slope
        psi[j] = mu[j]


@njit(cache=True, _nrt=False, error_model="numpy")
def _by_source(start, begin, T, source, first, steps):
    """The steps of each source's spikes: steps[first[i] : first[i + 1]], ascending. first (I + 2,)."""
    first[:] = 0
    for e in range(start[begin], start[begin + T]):
        first[source[e] + 2] += 1
    for i in range(2, len(first)):
        first[i] += first[i - 1]
    for t in range(T):
        for e in range(start[begin + t], start[begin + t + 1]):
            i = source[e]
            steps[first[i + 1]] = t
            first[i + 1] += 1


@njit(cache=True, _nrt=False, error_model="numpy")
def _to_inputs(first, steps, mu, to):
    """to (I, M) gains mu(t) of each spike of its source: a source at a time, so that its row stays at hand."""
    for i in range(to.shape[0]):
        if first[i] < first[i + 1]:
            add_rows(mu, steps, first[i], first[i + 1], to[i])


@njit(cache=True, forceinline=True, error_model="numpy")
def _taken(g, chunks, r, j):
    """The gradient that the threads have summed up, which is 0 afterwards."""
    total = g[0, r, j]
    g[0, r, j] = 0
    for chunk in range(1, chunks):
        total += g[chunk, r, j]
        g[chunk, r, j] = 0
    return total


@njit(parallel=True, cache=True, error_model="numpy")
def adam(w, g, mask, m, v, chunks, scale, rate, beta_1, beta_2, epsilon, w_min, w_max):
    """A step of Adam in place, on synapses that exist; g (chunks, rows, columns) is summed, times `scale`, and zeroed.

    `rate` is lr sqrt(1 - beta_2^t) / (1 - beta_1^t). Returns the sum of the weights, which is finite if they are.
    """
    total = 0.0
    for r in prange(w.shape[0]):
        for j in range(w.shape[1]):
            slope = _taken(g, chunks, r, j)
            if mask[r, j]:
                slope *= scale
                m[r, j] += (1 - beta_1) * (slope - m[r, j])
                v[r, j] += (1 - beta_2) * (slope * slope - v[r, j])
                stepped = w[r, j] - rate * m[r, j] / (np.sqrt(v[r, j]) + epsilon)
                w[r, j] = min(max(stepped, w_min), w_max)
                total += w[r, j]
    return total


@njit(parallel=True, cache=True, error_model="numpy")
def descend(w, g, mask, chunks, rate, w_min, w_max):
    """Plain gradient descent, as `adam` otherwise."""
    total = 0.0
    for r in prange(w.shape[0]):
        for j in range(w.shape[1]):
            slope = _taken(g, chunks, r, j)
            if mask[r, j]:
                w[r, j] = min(max(w[r, j] - rate * slope, w_min), w_max)
                total += w[r, j]
    return total
