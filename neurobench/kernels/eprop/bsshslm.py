"""E-prop of Bellec et al. 2020 as NEST's `*_bsshslm_2020` models have it: one gradient a sample, each from rest.

As `eprop.batch`: the filters run backward over the learning signals, so a gradient costs a pass over the neurons.
Sources: NEST 3.10, models `eprop_iaf_bsshslm_2020`, `eprop_readout_bsshslm_2020` and `eprop_synapse_bsshslm_2020`;
Bellec et al., Nature Communications 11:3625 (2020). Letters as in `eprop.records`, layouts as in `eprop.batch`.
"""

from numba import prange

from neurobench.kernels.declared import njit
from neurobench.kernels.eprop.batch import errors
from neurobench.kernels.eprop.forward import new_pass, sum_inputs
from neurobench.kernels.eprop.neuron import surrogate
from neurobench.kernels.eprop.simd import copy


@njit(parallel=True, cache=True, error_model="numpy")
def learn(c, a, net, samples, distinct, results):
    """The gradient and the readouts of G samples. Spikes of their steps 0 and T reach nobody. distinct: the same
    samples without a source's repeats within a step, which reach the neurons and leave no trace."""
    for chunk in prange(len(results.w_in)):
        _learn_chunk(c, a, net, samples, distinct, results, chunk)


@njit(cache=True, error_model="numpy")
def _learn_chunk(c, a, net, samples, distinct, results, chunk):
    G, chunks, one = len(samples.labels), len(results.w_in), new_pass(c, net, 1, 1)
    E = one.E[c.T - c.W : c.T]
    for g in range(G * chunk // chunks, G * (chunk + 1) // chunks):
        label, counts = samples.labels[g], results.counts[g]
        sum_inputs(c, net, samples, g, one.psi)
        _forward(c, a, net, one, counts)
        _readouts(c, one.trace, net.w_out, results.window[g])
        if label >= 0:
            errors(results.window[g], label, c.softmax, E, 0.0)
            _add_readout_gradient(c, one.trace, E, results.w_out[chunk])
            _backward(c, a, net, distinct, one, results, chunk, g)


@njit(cache=True, _nrt=False, error_model="numpy")
def _forward(c, a, net, one, counts):
    """v(t) = max(alpha v(t - 1) + gain x(t) - v_th z(t - 1), v_min): the reset comes a step late, undecayed.
    psi at v - v_th; a spike where v >= v_th and not refractory; r(t) = alpha_out r(t - 1) + gain_out z(t)."""
    v, r, left = one.neurons[0], one.neurons[1], one.state.left
    v[:], r[:], left[:], one.psi[0] = 0, 0, 0, 0
    for t in range(c.T):
        _advance(c, a, net, one, t)
        n = 0
        for j in range(c.N):
            u = max(v[j], a.v_min)
            left[j] -= left[j] > 0
            r[j] *= a.alpha_out
            free = left[j] == 0
            one.psi[t, j] = surrogate(c.surrogate, float(u - a.v_th), c.height, c.width) if free else 0.0
            if free and u >= a.v_th:
                one.fired[t, n] = j
                n += 1
                counts[j] += 1
                r[j] += a.gain_out
                left[j] = c.refractory
            v[j] = u
        one.n_fired[t] = n
        if t >= c.T - c.W:
            copy(r, one.trace[t - c.T + c.W])


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _advance(c, a, net, one, t):
    """v decays, gains the input of step t (in psi), and is reset where the neuron fired in the step before."""
    x, v, n = one.psi[t], one.neurons[0], one.n_fired[t - 1] if t > 0 else 0
    for s in range(n):
        i = one.fired[t - 1, s]
        for p in range(net.start[i], net.start[i + 1]):
            x[net.target[p]] += net.w_rec[0, p]
    for j in range(c.N):
        v[j] = a.alpha * v[j] + a.gain * x[j]
    for s in range(n):
        v[one.fired[t - 1, s]] -= a.v_th


@njit(cache=True, _nrt=False, error_model="numpy")
def _readouts(c, trace, w_out, y):
    """y (W, K) = trace (W, N) w_out: a spike of step t is in y of step t, which a readout has a step later."""
    y[:] = 0
    for t in range(c.W):
        for i in range(c.N):
            for k in range(c.K):
                y[t, k] += trace[t, i] * w_out[i, k]


@njit(cache=True, _nrt=False, error_model="numpy")
def _add_readout_gradient(c, trace, E, g):
    """g (N, Q) gains the sum over the window of E_k times the trace of neuron i."""
    for t in range(c.W):
        for i in range(c.N):
            for k in range(c.K):
                g[i, k] += trace[t, i] * E[t, k]


@njit(cache=True, _nrt=False, error_model="numpy")
def _backward(c, a, net, distinct, one, results, chunk, g):
    """Spikes that arrive in step t gain mu(t).

    lambda(t) = kappa lambda(t + 1) + (1 - kappa) sum_k B_k E_k(t)
    mu(t)     = alpha mu(t + 1) + gain psi(t) (lambda(t) + c_reg (f - f_target)),   f: the sample's spikes a step
    """
    lam, mu, regular = one.neurons[0], one.neurons[1], one.neurons[2]
    g_in, g_rec, first = results.w_in[chunk], results.w_rec[chunk, 0], g * (c.T + 1)
    lam[:], mu[:] = 0, 0
    for j in range(c.N):
        regular[j] = a.c_reg * (results.counts[g, j] / c.T - a.f_target)
    for t in range(c.T - 1, 0, -1):
        for j in range(c.N):
            lam[j] *= a.kappa
        if t >= c.T - c.W:
            for k in range(c.K):
                error = a.rest * one.E[t, k]
                for j in range(c.N):
                    lam[j] += net.B[k, j] * error
        for j in range(c.N):
            mu[j] = a.alpha * mu[j] + a.gain * one.psi[t, j] * (lam[j] + regular[j])
        for e in range(distinct.start[first + t], distinct.start[first + t + 1]):
            row = g_in[distinct.source[e]]
            for j in range(c.N):
                row[j] += mu[j]
        for s in range(one.n_fired[t - 1]):
            i = one.fired[t - 1, s]
            for p in range(net.start[i], net.start[i + 1]):
                g_rec[p] += mu[net.target[p]]
