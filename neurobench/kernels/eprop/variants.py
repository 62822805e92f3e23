"""NEST's other e-prop synapses: adaptive threshold, updates at each replayed step, Adam, batches of time steps."""

import math

from numba import njit


@njit(cache=True, _nrt=False, error_model="numpy")
def replay_variant(c, syn, src, past, i, begin, end, base, eta):
    """As `eprop.replay.replay`, with e = psi (z_bar - beta_a eps), eps = rho eps + e, and an update at each step
    where `each_step` asks for it. After a change of the learning rate the first step still uses the old one."""
    last, z_bar, z_out = src.last[i], src.z_bar[i, 0], src.z_bar[i, 1]
    j = i - c.inputs
    for t in range(begin, end):
        row = t - base
        z = 1.0 if t == last else (src.carry[i] if t == last - 1 else 0.0)
        z_bar = c.alpha * z_bar + z
        for p in range(syn.start[i], syn.start[i + 1]):
            at = syn.target[p]
            e = past.psi_reg[row, at, 0] * (z_bar - c.adapt_beta * syn.eps[p])
            syn.eps[p] = c.rho * syn.eps[p] + e
            syn.e_bar[p] = c.kappa * syn.e_bar[p] + e
            syn.e_reg[p] = c.kappa_reg * syn.e_reg[p] + (1.0 - c.kappa_reg) * e
            syn.g[p] += past.L[row, at] * syn.e_bar[p] + past.psi_reg[row, at, 1] * syn.e_reg[p]
        if j >= 0:
            z_out = c.alpha_out * z_out + z
            for k in range(c.K):
                syn.g_out[j, k] += past.E[row, k] * z_out
        if c.each_step:
            descend(c, syn, src, i, t + 1, src.eta[i] if t == last - 1 else eta)
            if t == last - 1:
                _copy(c, syn.start, i, syn.w, syn.w_out, syn.w_first, syn.w_first_out)
    src.z_bar[i, 0], src.z_bar[i, 1] = z_bar, z_out


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def update(c, syn, src, i, index, eta):
    """An arrival's update, with the learning rate of the update before it."""
    if not c.each_step:
        descend(c, syn, src, i, index, src.eta[i])
    elif eta == 0.0 and src.eta[i] != 0.0:
        # Learning was switched off since the last arrival: of the steps replayed meanwhile only the first counts.
        _copy(c, syn.start, i, syn.w_first, syn.w_first_out, syn.w, syn.w_out)
    src.eta[i] = eta


@njit(cache=True, _nrt=False, error_model="numpy")
def _copy(c, start, i, w, w_out, to, to_out):
    for p in range(start[i], start[i + 1]):
        to[p] = w[p]
    if i >= c.inputs:
        for k in range(c.K):
            to_out[i - c.inputs, k] = w_out[i - c.inputs, k]


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def descend(c, syn, src, i, index, eta):
    """Use up the gradients of source i's synapses at update `index`, a time step.

        w <- clip(w - eta g)

    With a batch, g waits until index // batch has moved on, and is divided by the batch. Adam makes a step of its
    own for every batch that has passed, all but the first with a gradient of 0.
    """
    first, stop, j = syn.start[i], syn.start[i + 1], i - c.inputs
    if not c.adam and c.batch == 1:
        for p in range(first, stop):
            syn.w[p] = max(c.w_min, min(syn.w[p] - eta * syn.g[p], c.w_max))
            syn.g[p] = 0.0
        if j >= 0:
            for k in range(c.K):
                if syn.mask_out[j, k]:
                    syn.w_out[j, k] = max(c.w_min, min(syn.w_out[j, k] - eta * syn.g_out[j, k], c.w_max))
                syn.g_out[j, k] = 0.0
        return
    for p in range(first, stop):
        syn.pending[p] += syn.g[p]
        syn.g[p] = 0.0
    if j >= 0:
        for k in range(c.K):
            syn.pending_out[j, k] += syn.g_out[j, k]
            syn.g_out[j, k] = 0.0
    now = 1 + index // c.batch
    if src.steps[i] >= now:
        return
    for p in range(first, stop):
        syn.pending[p] /= c.batch
    if j >= 0:
        for k in range(c.K):
            syn.pending_out[j, k] /= c.batch
    if c.adam:
        _adam(c, syn, src, i, now, eta)
    else:
        for p in range(first, stop):
            syn.w[p] -= eta * syn.pending[p]
            syn.pending[p] = 0.0
        if j >= 0:
            for k in range(c.K):
                if syn.mask_out[j, k]:
                    syn.w_out[j, k] -= eta * syn.pending_out[j, k]
                syn.pending_out[j, k] = 0.0
    for p in range(first, stop):
        syn.w[p] = max(c.w_min, min(syn.w[p], c.w_max))
    if j >= 0:
        for k in range(c.K):
            if syn.mask_out[j, k]:
                syn.w_out[j, k] = max(c.w_min, min(syn.w_out[j, k], c.w_max))
    src.steps[i] = now


@njit(cache=True, _nrt=False, error_model="numpy")
def _adam(c, syn, src, i, now, eta):
    """m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,  w -= eta sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps)"""
    first, stop, j = syn.start[i], syn.start[i + 1], i - c.inputs
    while src.steps[i] < now:
        src.beta_power[i, 0] *= c.beta_1
        src.beta_power[i, 1] *= c.beta_2
        rate = eta * math.sqrt(1.0 - src.beta_power[i, 1]) / (1.0 - src.beta_power[i, 0])
        for p in range(first, stop):
            g = syn.pending[p]
            syn.m[p] = c.beta_1 * syn.m[p] + (1.0 - c.beta_1) * g
            syn.v[p] = c.beta_2 * syn.v[p] + (1.0 - c.beta_2) * g * g
            syn.w[p] -= rate * syn.m[p] / (math.sqrt(syn.v[p]) + c.epsilon)
            syn.pending[p] = 0.0
        if j >= 0:
            for k in range(c.K):
                if syn.mask_out[j, k]:
                    g = syn.pending_out[j, k]
                    syn.m_out[j, k] = c.beta_1 * syn.m_out[j, k] + (1.0 - c.beta_1) * g
                    syn.v_out[j, k] = c.beta_2 * syn.v_out[j, k] + (1.0 - c.beta_2) * g * g
                    syn.w_out[j, k] -= rate * syn.m_out[j, k] / (math.sqrt(syn.v_out[j, k]) + c.epsilon)
                syn.pending_out[j, k] = 0.0
        src.steps[i] += 1
