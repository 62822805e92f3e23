"""E-prop as NEST 3.10 computes it, in its order of operations: the same bits, spike by spike.

Weights change when a source's spike arrives: each synapse replays the steps since the source's last arrival,
updates, and delivers its new weight. Nothing here may be reordered or contracted. Source: NEST's models `eprop_iaf*`,
`eprop_readout` and `eprop_synapse`; Bellec et al., Nature Communications 11:3625 (2020).
"""

import math

import numpy as np
from numba import njit

from neurobench.kernels.eprop.neuron import neuron_step
from neurobench.kernels.eprop.replay import replay
from neurobench.kernels.eprop.variants import replay_variant, update

NONE = -1


@njit(cache=True, _nrt=False, error_model="numpy")
def run(
    c, syn, src, s, past, B, eta, first, n0, n1, k0, event_start, events, labels, plain, frozen, window, counts, rec
):
    """Steps n0 to n1 - 1.

    events[event_start[n - n0] : event_start[n - n0 + 1]] are the inputs that arrive in step n, ascending.
    labels: of samples (n0 - 2) // T (which ends in steps n0 and n0 + 1), and those after it.
    eta: learning rate now; first: the first ever set.  plain: no variant is in use.  frozen: nothing is learned, and
    no trace is kept.
    window (G, W, K) and counts (G, N) receive y and the spikes of samples k0 to k0 + G - 1, rec the recorded steps.
    """
    T, N, K = c.T, c.N, c.K
    for n in range(n0, n1):
        base = n // T * T - 2
        _learning_signal(s.error, B, past, n - 2 - base)
        x, y = rec.x, rec.y
        for j in range(N + 1):
            x[j] = 0.0
        for k in range(K):
            y[k] = 0.0
        for e in range(event_start[n - n0], event_start[n - n0 + 1]):
            i = events[e]
            if not frozen:
                _arrive(c, syn, src, past, i, n, base, eta, first, plain)
            for p in range(syn.start[i], syn.start[i + 1]):
                x[np.uint64(syn.target[p])] += syn.w[p]
        for j in range(N):
            if s.z[j]:
                i = c.inputs + j
                if not frozen:
                    _arrive(c, syn, src, past, i, n, base, eta, first, plain)
                for p in range(syn.start[i], syn.start[i + 1]):
                    x[np.uint64(syn.target[p])] += syn.w[p]
                for k in range(K):
                    if syn.mask_out[j, k]:
                        y[k] += syn.w_out[j, k]
        row = n - base
        sample = (n - 2) // T - k0
        for j in range(N):
            past.psi_reg[row, j, 0] = neuron_step(c, j, x[j], s)
            s.f[j] = c.kappa_reg * s.f[j] + (1.0 - c.kappa_reg) * s.z[j]
            past.psi_reg[row, j, 1] = c.c_reg * (s.f[j] - c.f_target)
            if sample >= 0 and s.z[j]:
                counts[sample, j] += 1
        at = (n - 2) % T - (T - c.W)
        erring = n >= 2 and at >= 0
        label = labels[(n - 2) // T - (n0 - 2) // T]
        for k in range(K):
            s.y[k] = y[k] + c.alpha_out * s.y[k]
            s.error[k] = 0.0
            if erring and label >= 0:
                s.error[k] = s.y[k] - (1.0 if k == label else 0.0)
            past.E[row, k] = s.error[k]
            if erring and sample >= 0:
                window[sample, at, k] = s.y[k]
        past.erring[row] = erring
        if n < rec.until:
            _record(s, past, rec, n - n0, row)
        if (n + 1) % T == 0:
            if not frozen:
                _catch_up(c, syn, src, past, n, base, eta, plain)
            _shift(past, T)


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _learning_signal(error, B, past, row):
    """L_j = sum_k B_jk E_k, k ascending. The error of step n - 1 is credited to step n - 2."""
    N, K = B.shape
    some = False
    for k in range(K):
        some |= error[k] != 0.0
    past.taught[row] = some
    for j in range(N):
        signal = 0.0
        if some:
            for k in range(K):
                signal += B[j, k] * error[k]
        past.L[row, j] = signal


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _arrive(c, syn, src, past, i, n, base, eta, first, plain):
    """A spike of source i arrives in step n: replay, update, decay over what lies beyond the cutoff."""
    before = src.last[i]
    if before == n:
        return  # the same source twice in one step: its trace counts one
    if before == NONE:
        src.eta[i] = first
    else:
        _replay_to(c, syn, src, past, i, n - 2, base, eta, plain)
        replayed = min(n - before, c.cutoff)
        update(c, syn, src, i, n - 1, eta)
        if n - before > replayed:
            _decay(c, syn, src, i, n - before - replayed)
        if replayed > 0:
            src.carry[i] = 1.0 if replayed == 1 else 0.0
    src.last[i] = n
    src.done[i] = n - 1


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _replay_to(c, syn, src, past, i, until, base, eta, plain):
    """Replay source i's steps up to `until`, or to the cutoff."""
    end = min(until, src.last[i] - 2 + c.cutoff) + 1
    begin = src.done[i]
    if begin < end:
        if plain:
            replay(c, syn, src, past, i, begin, end, base, past.series)
        else:
            replay_variant(c, syn, src, past, i, begin, end, base, eta)
        src.done[i] = end


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _decay(c, syn, src, i, steps):
    src.z_bar[i, 0] *= math.pow(c.alpha, float(steps))
    src.z_bar[i, 1] *= math.pow(c.alpha_out, float(steps))
    kappa, kappa_reg = math.pow(c.kappa, float(steps)), math.pow(c.kappa_reg, float(steps))
    rho = math.pow(c.rho, float(steps))
    for p in range(syn.start[i], syn.start[i + 1]):
        syn.e_bar[p] *= kappa
        syn.e_reg[p] *= kappa_reg
        syn.eps[p] *= rho


@njit(cache=True, _nrt=False, error_model="numpy")
def _catch_up(c, syn, src, past, n, base, eta, plain):
    """Replay every source up to step n - 2, so that older steps need not be kept. The sums go on in their order."""
    for i in range(src.last.shape[0]):
        if src.last[i] != NONE:
            _replay_to(c, syn, src, past, i, n - 2, base, eta, plain)


@njit(cache=True, _nrt=False, error_model="numpy")
def _record(s, past, rec, at, row):
    for j in range(len(s.v)):
        rec.v[at, j] = s.v[j]
        rec.z[at, j] = s.z[j]
        rec.psi[at, j] = past.psi_reg[row, j, 0]
        rec.L[at, j] = past.L[row - 2, j]
    for k in range(len(s.y)):
        rec.out[at, k] = s.y[k]
        rec.error[at, k] = s.error[k]


@njit(cache=True, _nrt=False, error_model="numpy")
def _shift(past, T):
    """The last two steps of a block become the first two of the next."""
    for row in range(2):
        for j in range(past.L.shape[1]):
            past.psi_reg[row, j, 0] = past.psi_reg[row + T, j, 0]
            past.psi_reg[row, j, 1] = past.psi_reg[row + T, j, 1]
            past.L[row, j] = past.L[row + T, j]
        past.taught[row] = past.taught[row + T]
        for k in range(past.E.shape[1]):
            past.E[row, k] = past.E[row + T, k]
        past.erring[row] = past.erring[row + T]


@njit(cache=True, _nrt=False, error_model="numpy")
def flush(c, syn, src, s, past, B, n, eta, first, plain):
    """An arrival of every source in step n, a multiple of T that has not been run: applies pending gradients."""
    _learning_signal(s.error, B, past, 0)
    for i in range(src.last.shape[0]):
        _arrive(c, syn, src, past, i, n, n - 2, eta, first, plain)
