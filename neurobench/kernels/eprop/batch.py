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
from neurobench.kernels.eprop.forward import FUSED, forward, list_synapses, new_pass
from neurobench.kernels.eprop.simd import add_rows, copy


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
    counts: np.ndarray  # (G, N) int64, gains the spikes
    f: np.ndarray  # (G, M) filtered firing at the end


@njit(parallel=True, cache=True, error_model="numpy")
def learn(c, a, net, samples, results):
    """The gradient and the readouts of G samples, each from a state at rest."""
    for chunk in prange(len(results.w_in)):
        _learn_chunk(c, a, net, samples, results, chunk)


@njit(cache=True, error_model="numpy")
def _learn_chunk(c, a, net, samples, results, chunk):
    G, T, chunks = len(samples.labels), c.T, len(results.w_in)
    one, steps = new_pass(c, net, 1), np.empty(len(samples.source), np.int32)
    for g in range(G * chunk // chunks, G * (chunk + 1) // chunks):
        forward(c, a, net, samples, g, one)
        for t in range(T):
            for s in range(one.n_fired[t]):
                results.counts[g, one.fired[t, s]] += 1
        copy(one.f[T], results.f[g])
        _readouts(c, one.trace, net.w_out, results.window[g])
        if samples.labels[g] >= 0:
            errors(results.window[g], samples.labels[g], c.softmax, one.E[T - c.W : T], a.one - a.one)
            _backward(c, a, net, one, results.w_rec[chunk, 0])
            _add_readout_gradient(c, one.trace, one.E, results.w_out[chunk])
            _add_input_gradient(samples, g * (T + 1), one, steps, results.w_in[chunk])


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
def _backward(c, a, net, one, g_rec):
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
                error, row = one.E[t + 1, k] / a.kappa, net.B[k]
                for j in range(M):
                    lam[j] += row[j] * error
        if a.adapt_beta != 0:
            _adapting_back(a, weight, one.f[t + 1], one.psi[t], lam, mu, b)
        else:
            _plain_back(a, weight, one.f[t + 1], one.psi[t], lam, mu)
        if t > 0:
            for s in range(list_synapses(net.start, one.fired[t - 1], one.n_fired[t - 1], one.synapses)):
                p = one.synapses[s]
                g_rec[p] += mu[net.target[p]]


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
def _add_input_gradient(samples, begin, one, steps, g):
    """g (I, M) gains mu(t) of each spike of its source: a source at a time, so that its row stays in cache. For that
    the spikes' steps are grouped by source: steps[first[i] : first[i + 1]], ascending."""
    start, source, first, mu = samples.start, samples.source, one.first, one.psi
    first[:] = 0
    for e in range(start[begin], start[begin + len(mu)]):
        first[source[e] + 2] += 1
    for i in range(2, len(first)):
        first[i] += first[i - 1]
    for t in range(len(mu)):
        for e in range(start[begin + t], start[begin + t + 1]):
            i = source[e]
            steps[first[i + 1]] = t
            first[i + 1] += 1
    for i in range(len(g)):
        if first[i] < first[i + 1]:
            add_rows(mu, steps, first[i], first[i + 1], g[i])


@njit(cache=True, forceinline=True, error_model="numpy")
def _take(g, chunks, r, j):
    """The sum of the threads' gradients, which become 0."""
    total = g[0, r, j]
    g[0, r, j] = 0
    for chunk in range(1, chunks):
        total += g[chunk, r, j]
        g[chunk, r, j] = 0
    return total


@njit(parallel=True, cache=True, error_model="numpy")
def adam(w, g, mask, m, v, rule):
    """A step of Adam in place, on synapses that exist; g (chunks, rows, columns) is summed and zeroed. Returns the sum
    of the weights, which is finite if they are."""
    total = 0.0
    for r in prange(w.shape[0]):
        for j in range(w.shape[1]):
            gradient = _take(g, len(g), r, j)
            if mask[r, j]:
                gradient *= rule.scale
                m[r, j] += (1 - rule.beta_1) * (gradient - m[r, j])
                v[r, j] += (1 - rule.beta_2) * (gradient * gradient - v[r, j])
                stepped = w[r, j] - rule.rate * m[r, j] / (np.sqrt(v[r, j]) + rule.epsilon)
                w[r, j] = min(max(stepped, rule.w_min), rule.w_max)
                total += w[r, j]
    return total


@njit(parallel=True, cache=True, error_model="numpy")
def descend(w, g, mask, rule):
    """Plain gradient descent, as `adam` otherwise; the gradient is not scaled."""
    total = 0.0
    for r in prange(w.shape[0]):
        for j in range(w.shape[1]):
            gradient = _take(g, len(g), r, j)
            if mask[r, j]:
                w[r, j] = min(max(w[r, j] - rule.rate * gradient, rule.w_min), rule.w_max)
                total += w[r, j]
    return total
