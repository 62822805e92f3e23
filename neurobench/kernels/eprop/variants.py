"""NEST's other e-prop synapses: adaptive threshold, updates at each replayed step, Adam, batches of time steps."""

import math
from typing import NamedTuple

import numpy as np

from neurobench.kernels.aligned import copy
from neurobench.kernels.eprop.replay import replay_source
from neurobench.kernels.jit import njit


class Weights(NamedTuple):
    """Views of one source's synapses onto one kind of target, fields as in `records.Synapses`."""

    w: np.ndarray
    w_first: np.ndarray
    g: np.ndarray
    pending: np.ndarray
    m: np.ndarray
    v: np.ndarray


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _by_target(c, syn, i):
    """Synapses onto neurons, and onto readouts: none of an input. Gradients of missing synapses are set to 0."""
    p, q = syn.start[i], syn.start[i + 1]
    j, K = max(i - c.inputs, 0), c.K if i >= c.inputs else 0
    for k in range(K):
        if not syn.mask_out[j, k]:
            syn.g_out[j, k] = 0.0
    neurons = Weights(syn.w[p:q], syn.w_first[p:q], syn.g[p:q], syn.pending[p:q], syn.m[p:q], syn.v[p:q])
    w, w_first, g, pending = syn.w_out[j, :K], syn.w_first_out[j, :K], syn.g_out[j, :K], syn.pending_out[j, :K]
    return neurons, Weights(w, w_first, g, pending, syn.m_out[j, :K], syn.v_out[j, :K])


@njit(inner=True, cache=True, _nrt=False, error_model="numpy")
def replay_variant(net, i, begin, end, base, eta):
    """Replay as `replay.replay`, with e = psi (z_bar - beta_a eps), eps = rho eps + e, and an update at each step if
    `each_step` is set. After a change of the learning rate the first step still uses the old one."""
    c, syn, src, past = net.c, net.syn, net.src, net.past
    for t in range(begin, end):
        replay_source(c, syn, src, past, i, t, t + 1, base)
        row = t - base
        for p in range(syn.start[i], syn.start[i + 1]):
            j = syn.target[p]
            e = past.psi_reg[row, j, 0] * (past.series[row] - c.adapt_beta * syn.eps[p])
            syn.eps[p] = c.rho * syn.eps[p] + e
            syn.e_bar[p] = c.kappa * syn.e_bar[p] + e
            syn.e_reg[p] = c.kappa_reg * syn.e_reg[p] + (1.0 - c.kappa_reg) * e
            syn.g[p] += past.L[row, j] * syn.e_bar[p] + past.psi_reg[row, j, 1] * syn.e_reg[p]
        if c.each_step:
            first = t == src.last[i] - 1
            descend(c, syn, src, i, t + 1, src.eta[i] if first else eta)
            if first:
                for s in _by_target(c, syn, i):
                    copy(s.w, s.w_first)


@njit(inner=True, cache=True, forceinline=True, _nrt=False, error_model="numpy")
def update(c, syn, src, i, index, eta):
    """Make an arrival's update, with the learning rate of the update before it."""
    if not c.each_step:
        descend(c, syn, src, i, index, src.eta[i])
    elif eta == 0.0 and src.eta[i] != 0.0:
        # Learning was switched off since the last arrival: of the steps replayed meanwhile only the first counts.
        for s in _by_target(c, syn, i):
            copy(s.w_first, s.w)
    src.eta[i] = eta


@njit(inner=True, cache=True, forceinline=True, _nrt=False, error_model="numpy")
def descend(c, syn, src, i, index, eta):
    """Apply and clear the gradients of source i's synapses at update `index`, a time step.

        w <- clip(w - eta g)

    With a batch, g accumulates until index // batch has advanced, and is divided by the batch size. Adam makes one
    step for every batch that has passed, all but the first with a gradient of 0.
    """
    targets, now = _by_target(c, syn, i), 1 + index // c.batch
    if not c.adam and c.batch == 1:
        for s in targets:
            _gradient_step(c, s.w, s.g, eta)
        return
    for s in targets:
        for p in range(len(s.g)):
            s.pending[p] += s.g[p]
            s.g[p] = 0.0
    if src.steps[i] >= now:
        return
    for s in targets:
        for p in range(len(s.w)):
            s.pending[p] /= c.batch
        if not c.adam:
            _gradient_step(c, s.w, s.pending, eta)
    for _ in range(src.steps[i], now if c.adam else 0):
        src.beta_power[i, 0] *= c.beta_1
        src.beta_power[i, 1] *= c.beta_2
        rate = eta * math.sqrt(1.0 - src.beta_power[i, 1]) / (1.0 - src.beta_power[i, 0])
        for s in targets:
            _adam_step(c, s, rate)
    for s in targets:
        for p in range(len(s.w)):
            s.w[p] = max(c.w_min, min(s.w[p], c.w_max))
    src.steps[i] = now


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _gradient_step(c, w, g, eta):
    for p in range(len(w)):
        w[p] = max(c.w_min, min(w[p] - eta * g[p], c.w_max))
        g[p] = 0.0


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _adam_step(c, s, rate):
    """m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,  w -= eta sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps)"""
    for p in range(len(s.w)):
        g = s.pending[p]
        s.m[p] = c.beta_1 * s.m[p] + (1.0 - c.beta_1) * g
        s.v[p] = c.beta_2 * s.v[p] + (1.0 - c.beta_2) * g * g
        s.w[p] -= rate * s.m[p] / (math.sqrt(s.v[p]) + c.epsilon)
        s.pending[p] = 0.0
