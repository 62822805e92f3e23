"""E-prop of Bellec et al. 2020 as in NEST's `*_bsshslm_2020` models: one gradient per sample, each from rest.

As in `eprop.batch`, the filters run backward over the learning signals: a gradient costs a pass over the neurons.
Sources: NEST 3.10, models `eprop_iaf_bsshslm_2020`, `eprop_readout_bsshslm_2020` and `eprop_synapse_bsshslm_2020`;
Bellec et al., Nature Communications 11:3625 (2020). Symbols as in `eprop.records`, layouts as in `eprop.batch`.
"""

from numba import prange

from neurobench.kernels.aligned import copy
from neurobench.kernels.eprop.batch import errors
from neurobench.kernels.eprop.forward import new_pass, new_passes, sum_inputs
from neurobench.kernels.eprop.gradient import (
    TOGETHER,
    add_gradient,
    at_once,
    group_by_source,
    new_groups,
)
from neurobench.kernels.eprop.neuron import surrogate
from neurobench.kernels.eprop.simd import add_scaled_rows
from neurobench.kernels.jit import njit


@njit(cache=True, error_model="numpy")
def learn(c, a, net, samples, distinct, results, chunks):
    """Compute the gradient and the readouts of G samples. Spikes of their steps 0 and T reach no neuron. distinct: the
    samples without a source's repeats within a step, which reach the neurons but leave no trace."""
    S = at_once(len(samples.labels), chunks)
    passes, by = new_passes(c, net, S, chunks), new_groups(distinct.source, S, len(net.w_in))
    for first in range(0, len(samples.labels), S):
        n = min(S, len(samples.labels) - first)
        if chunks == 1:  # starting a parallel loop takes as long as some steps
            _respond(c, a, net, samples, distinct, passes, by, results, first, n, 0, 1)
        else:
            _respond_together(c, a, net, samples, distinct, passes, by, results, first, n, chunks)
        add_gradient(c, net, samples, passes, by, results, first, n, False, chunks)


@njit(parallel=True, cache=True, error_model="numpy")
def _respond_together(c, a, net, samples, distinct, passes, by, results, first, n, chunks):
    for chunk in prange(chunks):
        _respond(c, a, net, samples, distinct, passes, by, results, first, n, chunk, chunks)


@njit(cache=True, error_model="numpy")
def _respond(c, a, net, samples, distinct, passes, by, results, first, n, chunk, chunks):
    """Run both passes for the thread's part of the n samples from `first` on."""
    one, T = new_pass(c, net, 1, passes, chunk), c.T
    end = n * (chunk + 1) // chunks
    for s in range(n * chunk // chunks, end, TOGETHER):
        m = min(TOGETHER, end - s)
        sum_inputs(c, net, samples, first + s, passes.psi[s * T : (s + m) * T])
        for k in range(s, s + m):
            g, psi = first + k, passes.psi[k * T : (k + 1) * T]
            label, counts = samples.labels[g], results.counts[g]
            _forward(c, a, net, one, psi, passes.spikes[k], passes.trace[k], counts)
            _readouts(passes.trace[k], net.w_out, passes.E[k], results.window[g])
            if label >= 0:
                errors(results.window[g], label, c.softmax, passes.E[k], 0.0)
                _backward(c, a, net, one, psi, passes.E[k], counts)
            by.n[k] = 0
        group_by_source(T, distinct, first + s, s, m, 1, by)


@njit(cache=True, _nrt=False, error_model="numpy")
def _forward(c, a, net, one, psi, spikes, trace, counts):
    """v(t) = max(alpha v(t - 1) + gain x(t) - v_th z(t - 1), v_min): the reset comes a step late, undecayed.
    psi at v - v_th; a spike if v >= v_th and not refractory; r(t) = alpha_out r(t - 1) + gain_out z(t)."""
    v, r, left = one.neurons[0], one.neurons[1], one.state.left
    v[:], r[:], left[:], psi[0], counts[:] = 0, 0, 0, 0, 0
    for t in range(c.T):
        _advance(c, a, net, one, psi[t], t)
        n = 0
        for j in range(c.N):
            u = max(v[j], a.v_min)
            left[j] -= left[j] > 0
            r[j] *= a.alpha_out
            free = left[j] == 0
            psi[t, j] = surrogate(c.surrogate, float(u - a.v_th), c.height, c.width) if free else 0.0
            if free and u >= a.v_th:
                one.fired[t, n] = j
                n += 1
                spikes[j, counts[j]] = t
                counts[j] += 1
                r[j] += a.gain_out
                left[j] = c.refractory
            v[j] = u
        one.n_fired[t] = n
        if t >= c.T - c.W:
            copy(r, trace[t - c.T + c.W])


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _advance(c, a, net, one, x, t):
    """Decay v, add the input x of step t, and reset the neurons that fired in the step before."""
    v, n = one.neurons[0], one.n_fired[t - 1] if t > 0 else 0
    for s in range(n):
        i = one.fired[t - 1, s]
        for p in range(net.start[i], net.start[i + 1]):
            x[net.target[p]] += net.w_rec[0, p]
    for j in range(c.N):
        v[j] = a.alpha * v[j] + a.gain * x[j]
    for s in range(n):
        v[one.fired[t - 1, s]] -= a.v_th


@njit(cache=True, _nrt=False, error_model="numpy")
def _readouts(trace, w_out, sums, y):
    """Readouts as in `eprop.batch`, but each product is rounded: a spike of step t is in y of step t, which a readout
    reaches a step later."""
    for t in range(len(y)):
        sums[t] = 0
        add_scaled_rows(trace, t * trace.shape[1], 1, w_out, sums[t])
        copy(sums[t], y[t])


@njit(cache=True, _nrt=False, error_model="numpy")
def _backward(c, a, net, one, psi, E, counts):
    """Replace psi by mu, which each spike that arrives in step t adds to the gradient.

    lambda(t) = kappa lambda(t + 1) + (1 - kappa) sum_k B_k E_k(t)
    mu(t)     = alpha mu(t + 1) + gain psi(t) (lambda(t) + c_reg (f - f_target)),   f: the sample's spikes per step
    """
    lam, mu, regular = one.neurons[0], one.neurons[1], one.neurons[2]
    lam[:], mu[:] = 0, 0
    for j in range(c.N):
        regular[j] = a.c_reg * (counts[j] / c.T - a.f_target)
    for t in range(c.T - 1, 0, -1):
        for j in range(c.N):
            lam[j] *= a.kappa
        if t >= c.T - c.W:
            for k in range(c.K):
                error = a.rest * E[t - c.T + c.W, k]
                for j in range(c.N):
                    lam[j] += net.B[k, j] * error
        for j in range(c.N):
            mu[j] = a.alpha * mu[j] + a.gain * psi[t, j] * (lam[j] + regular[j])
            psi[t, j] = mu[j]
