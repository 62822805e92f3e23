"""E-prop with weights that are constant within a sample: one forward pass, one backward pass, one scatter-add.

A gradient of e-prop is a sum over steps of a learning signal times filtered traces. The filters are linear, so they
can run backward over the learning signals instead of forward over every synapse's trace: the same number at the cost
of a pass over the neurons. Readouts matter only in the learning window, so theirs uses one forward trace per neuron.
Matrices are [source, target], with targets padded to whole vectors; symbols as in `eprop.records`. All in float32 or
all in float64.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from neurobench.kernels.aligned import copy
from neurobench.kernels.eprop.forward import FUSED, forward, new_pass, new_passes, sum_inputs
from neurobench.kernels.eprop.gradient import (
    TOGETHER,
    add_gradient,
    at_once,
    group_by_source,
    new_groups,
)
from neurobench.kernels.eprop.simd import add_scaled_rows_fused
from neurobench.kernels.jit import njit


class Rule(NamedTuple):
    """Constants of an optimiser step, in the kernel's precision."""

    scale: np.floating  # factor on the summed gradient
    rate: np.floating  # rate of Adam: lr sqrt(1 - beta_2^t) / (1 - beta_1^t)
    beta_1: np.floating
    beta_2: np.floating
    epsilon: np.floating
    w_min: np.floating
    w_max: np.floating


@njit(cache=True, error_model="numpy")
def learn(c, a, net, samples, results, chunks):
    """Compute the gradient and the readouts of G samples, each from a state at rest."""
    S = at_once(len(samples.labels), chunks)
    passes, by = new_passes(c, net, S, chunks), new_groups(samples.source, S, len(net.w_in))
    for first in range(0, len(samples.labels), S):
        n = min(S, len(samples.labels) - first)
        if chunks == 1:  # starting a parallel loop takes as long as some steps
            _respond(c, a, net, samples, passes, by, results, first, n, 0, 1)
        else:
            _respond_together(c, a, net, samples, passes, by, results, first, n, chunks)
        add_gradient(c, net, samples, passes, by, results, first, n, True, chunks)


@njit(parallel=True, cache=True, error_model="numpy")
def _respond_together(c, a, net, samples, passes, by, results, first, n, chunks):
    for chunk in prange(chunks):
        _respond(c, a, net, samples, passes, by, results, first, n, chunk, chunks)


@njit(cache=True, error_model="numpy")
def _respond(c, a, net, samples, passes, by, results, first, n, chunk, chunks):
    """Run both passes for the thread's part of the n samples from `first` on."""
    one, T = new_pass(c, net, 1, passes, chunk), c.T
    end = n * (chunk + 1) // chunks
    for s in range(n * chunk // chunks, end, TOGETHER):
        m = min(TOGETHER, end - s)
        sum_inputs(c, net, samples, first + s, passes.psi[s * T : (s + m) * T])
        for k in range(s, s + m):
            g = first + k
            forward(c, a, net, one, passes, k, results.counts[g])
            copy(one.f[T], results.f[g])
            _readouts(passes.trace[k], net.w_out, passes.E[k], results.window[g])
            if samples.labels[g] >= 0:
                errors(results.window[g], samples.labels[g], c.softmax, passes.E[k], a.one - a.one)
                _backward(c, a, net, one, passes.psi[k * T : (k + 1) * T], passes.E[k])
            by.n[k] = 0
        group_by_source(T, samples, first + s, s, m, 0, by)


@njit(cache=True, _nrt=False, error_model="numpy")
def _readouts(trace, w_out, sums, y):
    """Write y (W, K) = trace (W, N) w_out. sums (W, Q): scratch."""
    for t in range(len(y)):
        sums[t] = 0
        add_scaled_rows_fused(trace, t * trace.shape[1], 1, w_out, sums[t])
        copy(sums[t], y[t])


@njit(inner=True, cache=True, _nrt=False, error_model="numpy")
def errors(y, label, softmax, E, zero):
    """Write the errors E (W, Q) of the window's readouts y (W, K). Softmax's denominator has the type of `zero`."""
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
def _backward(c, a, net, one, psi, E):
    """Replace psi by mu.

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
                error, row = E[t + 1 - (T - c.W), k] / a.kappa, net.B[k]
                for j in range(M):
                    lam[j] += row[j] * error
        if a.adapt_beta != 0:
            _adapting_back(a, weight, one.f[t + 1], psi[t], lam, mu, b)
        else:
            _plain_back(a, weight, one.f[t + 1], psi[t], lam, mu)


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


@njit(parallel=True, cache=True, error_model="numpy")
def adam(w, g, mask, m, v, rule):
    """Take a step of Adam in place, on synapses that exist; g (rows, columns) is zeroed. Returns the sum of the
    weights, in any order, which is finite if they are."""
    total = 0.0
    for r in prange(w.shape[0]):
        _adam_row(w[r], g[r], mask[r], m[r], v[r], rule)
        total += _sum(w[r])
    return total


@njit(parallel=True, cache=True, error_model="numpy")
def descend(w, g, mask, rule):
    """Take a step of plain gradient descent, otherwise as in `adam`; the gradient is not scaled."""
    total = 0.0
    for r in prange(w.shape[0]):
        _descend_row(w[r], g[r], mask[r], rule)
        total += _sum(w[r])
    return total


@njit(cache=True, error_model="numpy")
def _adam_row(w, g, mask, m, v, rule):
    """Step of Adam on one row, in one loop without a branch: vector code."""
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
    """Sum of a row in any order: only whether it is finite matters."""
    total = 0.0
    for j in range(len(row)):
        total += row[j]
    return total
