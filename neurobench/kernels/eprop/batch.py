"""E-prop with weights that stay as they are within a sample: one pass forward, one pass back, one scatter-add.

A gradient of e-prop is a sum over steps of a learning signal times filtered traces. The filters are linear, so they
can run backward over the learning signals instead of forward over every synapse's trace: the same number at the cost
of a pass over the neurons. Readouts matter in the learning window alone, so theirs is a forward trace a neuron.
Matrices are [source, target], targets filled up to whole vectors; letters as in `eprop.records`. All in float32 or
all in float64.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from neurobench.kernels.declared import njit
from neurobench.kernels.eprop.forward import FUSED, forward, new_pass, sum_inputs
from neurobench.kernels.eprop.simd import BLOCK_BYTES, add_rows, copy

TOGETHER = 2  # samples that meet a row of weights, and of their gradient, while it is in cache


class Rule(NamedTuple):
    """A step of the optimiser, in the kernel's precision."""

    scale: np.floating  # of the summed gradient
    rate: np.floating  # of Adam: lr sqrt(1 - beta_2^t) / (1 - beta_1^t)
    beta_1: np.floating
    beta_2: np.floating
    epsilon: np.floating
    w_min: np.floating
    w_max: np.floating


class Results(NamedTuple):
    """Of G samples, and their summed gradient, a part for each thread, which it is added to."""

    w_in: np.ndarray  # (chunks, I, M)
    w_rec: np.ndarray  # (chunks, 1, P)
    w_out: np.ndarray  # (chunks, N, Q)
    window: np.ndarray  # (G, W, K) readouts
    counts: np.ndarray  # (G, N) int64 spikes
    f: np.ndarray  # (G, M) filtered firing at the end


@njit(parallel=True, cache=True, error_model="numpy")
def learn(c, a, net, samples, results):
    """The gradient and the readouts of G samples, each from a state at rest."""
    for chunk in prange(len(results.w_in)):
        _learn_chunk(c, a, net, samples, results, chunk)


@njit(cache=True, error_model="numpy")
def _learn_chunk(c, a, net, samples, results, chunk):
    G, T, chunks, by_source = len(samples.labels), c.T, len(results.w_in), _new_order(samples, len(net.w_in))
    one, end = new_pass(c, net, 1, TOGETHER), G * (chunk + 1) // chunks
    for first in range(G * chunk // chunks, end, TOGETHER):
        n = min(TOGETHER, end - first)
        sum_inputs(c, net, samples, first, one.psi[: n * T])
        for g in range(first, first + n):
            psi = one.psi[(g - first) * T : (g - first + 1) * T]
            forward(c, a, net, one, psi, results.counts[g])
            copy(one.f[T], results.f[g])
            _readouts(c, one.trace, net.w_out, results.window[g])
            if samples.labels[g] >= 0:
                errors(results.window[g], samples.labels[g], c.softmax, one.E[T - c.W : T], a.one - a.one)
                _backward(c, a, net, one, psi)
                _add_recurrent_gradient(net, one.spikes, results.counts[g], psi, results.w_rec[chunk, 0])
                _add_readout_gradient(c, one.trace, one.E, results.w_out[chunk])
        _group_by_source(c, samples, first, first + n, by_source)
        _add_input_gradient(by_source, one.psi, results.w_in[chunk])


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
def errors(y, label, softmax, E, zero):
    """E (W, K) of the window, whose readouts are y (W, K). The denominator of softmax has the type of `zero`."""
    W, K = y.shape
    for t in range(W):
        top, total = y[t, 0], zero
        for k in range(K):
            E[t, k] = y[t, k]
            top = max(top, y[t, k])
        if softmax:
            for k in range(K):
                E[t, k] = np.exp(y[t, k] - top)
                total += E[t, k]
            for k in range(K):
                E[t, k] /= total
        E[t, label] -= 1


@njit(cache=True, _nrt=False, error_model="numpy", fastmath=FUSED)
def _add_readout_gradient(c, trace, E, g):
    """g (N, Q) gains the sum over the window of E_k times the trace of neuron i."""
    for t in range(c.W):
        error = E[c.T - c.W + t]
        for i in range(c.N):
            r, row = trace[t, i], g[i]
            for k in range(c.K):
                row[k] += r * error[k]


@njit(cache=True, _nrt=False, error_model="numpy", fastmath=FUSED)
def _backward(c, a, net, one, psi):
    """psi becomes mu.

    lambda(t) = kappa lambda(t + 1) + L(t) + (1 - kappa) c_reg (f(t) - f_target),   L(t) = B E(t + 1)
    mu(t)     = alpha mu(t + 1) + psi(t) (lambda(t) + b(t))
    b(t)      = rho b(t + 1) - beta_a psi(t + 1) (lambda(t + 1) + b(t + 1)),   0 without adaptation
    """
    T, M = psi.shape
    lam, mu, b = one.neurons[0], one.neurons[1], one.neurons[2]
    lam[:], mu[:], b[:] = 0, 0, 0
    weight = a.rest * a.c_reg
    for t in range(T - 1, -1, -1):
        if t + 1 < T and t + 1 >= T - c.W:
            for k in range(c.K):
                error, row = one.E[t + 1, k] / a.kappa, net.B[k]
                for j in range(M):
                    lam[j] += row[j] * error
        if a.adapt_beta != 0:
            _adapting_back(a, weight, one.f[t + 1], psi[t], lam, mu, b)
        else:
            _plain_back(a, weight, one.f[t + 1], psi[t], lam, mu)


@njit(cache=True, _nrt=False, error_model="numpy")
def _add_recurrent_gradient(net, spikes, counts, mu, g):
    """g (P,) gains mu of its target where a spike of its source arrives, the last one first."""
    for i in range(len(counts)):
        late = counts[i] > 0 and spikes[i, counts[i] - 1] == len(mu) - 1  # arrives after the sample
        for p in range(net.start[i], net.start[i + 1]):
            total = g[p]
            for s in range(counts[i] - 1 - late, -1, -1):
                total += mu[spikes[i, s] + 1, net.target[p]]
            g[p] = total


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


class BySource(NamedTuple):
    """The input spikes of some samples, grouped by source: so that its row of the gradient is loaded once for all."""

    end: np.ndarray  # (I,) int64 of each source's, in `rows`
    rows: np.ndarray  # (E,) int32 of mu (S T, M), ascending for each source
    sources: np.ndarray  # (I + 1,) int32 those that have any
    begin: np.ndarray  # (I + 1,) int32 and where theirs begin
    n: np.ndarray  # (1,) int64 how many they are


@njit(cache=True, error_model="numpy")
def _new_order(samples, inputs):
    listed = np.empty(inputs + 1, np.int32), np.empty(inputs + 1, np.int32)
    return BySource(np.zeros(inputs, np.int64), np.empty(len(samples.source), np.int32), *listed, np.zeros(1, np.int64))


@njit(cache=True, _nrt=False, error_model="numpy")
def _group_by_source(c, samples, first, last, by):
    """Those of samples `first` to `last` - 1 that have a label."""
    start, source = samples.start, samples.source
    by.end[:] = 0
    for g in range(first, last):
        begin = g * (c.T + 1)
        for e in range(start[begin], start[begin + c.T] if samples.labels[g] >= 0 else start[begin]):
            by.end[source[e]] += 1
    n, total = 0, 0
    for i in range(len(by.end)):
        count = by.end[i]
        by.end[i], by.begin[n], by.sources[n] = total, total, i
        n += count > 0
        total += count
    by.begin[n], by.n[0] = total, n
    for g in range(first, last if total else first):
        for t in range(c.T if samples.labels[g] >= 0 else 0):
            at = g * (c.T + 1) + t
            for e in range(start[at], start[at + 1]):
                by.rows[by.end[source[e]]] = (g - first) * c.T + t
                by.end[source[e]] += 1


@njit(cache=True, _nrt=False, error_model="numpy")
def _add_input_gradient(by, mu, g):
    """g (I, M) gains mu(t) of each spike of its source, a block of columns at a time."""
    for column in range(0, g.shape[1], BLOCK_BYTES // g.itemsize):
        for s in range(by.n[0]):
            add_rows(mu, by.rows, by.begin[s], by.begin[s + 1], g[by.sources[s]], column)


@njit(parallel=True, cache=True, error_model="numpy")
def adam(w, g, mask, m, v, rule):
    """A step of Adam in place, on synapses that exist; g (chunks, rows, columns) is summed and zeroed. Returns the sum
    of the weights, which is finite if they are."""
    total = 0.0
    for r in prange(w.shape[0]):
        _gather(g, r)
        _adam_row(w[r], g[0, r], mask[r], m[r], v[r], rule)
        total += _sum(w[r])
    return total


@njit(parallel=True, cache=True, error_model="numpy")
def descend(w, g, mask, rule):
    """Plain gradient descent, as `adam` otherwise; the gradient is not scaled."""
    total = 0.0
    for r in prange(w.shape[0]):
        _gather(g, r)
        _descend_row(w[r], g[0, r], mask[r], rule)
        total += _sum(w[r])
    return total


@njit(cache=True, error_model="numpy")
def _gather(g, r):
    """Row r of the first thread's gradient gains those of the others, which become 0."""
    for chunk in range(1, len(g)):
        for j in range(g.shape[2]):
            g[0, r, j] += g[chunk, r, j]
            g[chunk, r, j] = 0


@njit(cache=True, error_model="numpy")
def _adam_row(w, g, mask, m, v, rule):
    """One loop without a branch: vector code."""
    for j in range(len(w)):
        gradient = g[j] * rule.scale
        m[j] = m[j] + (1 - rule.beta_1) * (gradient - m[j]) if mask[j] else m[j]
        v[j] = v[j] + (1 - rule.beta_2) * (gradient * gradient - v[j]) if mask[j] else v[j]
        stepped = min(max(w[j] - rule.rate * m[j] / (np.sqrt(v[j]) + rule.epsilon), rule.w_min), rule.w_max)
        w[j] = stepped if mask[j] else w[j]
        g[j] = 0


@njit(cache=True, error_model="numpy")
def _descend_row(w, g, mask, rule):
    for j in range(len(w)):
        stepped = min(max(w[j] - rule.rate * g[j], rule.w_min), rule.w_max)
        w[j] = stepped if mask[j] else w[j]
        g[j] = 0


@njit(cache=True, error_model="numpy", fastmath={"reassoc"})
def _sum(row):
    """In whatever order: of interest is whether it is finite."""
    total = 0.0
    for j in range(len(row)):
        total += row[j]
    return total
