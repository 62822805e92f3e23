"""E-prop as NEST 3.10 computes it, in its order of operations: the same bits, spike by spike.

Weights change when a source's spike arrives: each synapse replays the steps since the source's last arrival,
updates, and delivers its new weight. Nothing here may be reordered or contracted. Source: NEST's models `eprop_iaf*`,
`eprop_readout` and `eprop_synapse`; Bellec et al., Nature Communications 11:3625 (2020).
"""

import math
from typing import NamedTuple

import numpy as np

from neurobench.kernels.aligned import copy
from neurobench.kernels.eprop.neuron import deliver, learning_signal, neuron_step, readout_step, record_step
from neurobench.kernels.eprop.records import NONE, SILENT, Constants, Neurons, Past, Sources, Synapses
from neurobench.kernels.eprop.replay import replay
from neurobench.kernels.eprop.variants import replay_variant, update
from neurobench.kernels.jit import njit


class Network(NamedTuple):
    c: Constants
    syn: Synapses
    src: Sources
    s: Neurons
    past: Past
    B: np.ndarray  # (N, K) float64 feedback weights


@njit(cache=True, _nrt=False, error_model="numpy")
def run(net, learning, steps, window, counts, rec):
    """Run steps of the stream (`records.Steps`). window (G, W, K) and counts (G, N) receive y and the spikes of samples
    k0 to k0 + G - 1, rec the recorded steps."""
    c, s, past, x, y = net.c, net.s, net.past, rec.x, rec.y
    for n in range(steps.n0, steps.n1):
        row = n % c.T + 2  # row of step n in `past`
        past.taught[row - 2] = learning_signal(s.error, net.B, past.L[row - 2])
        x[:], y[:] = 0.0, 0.0
        _arrivals(net, learning, steps, n, x, y)
        sample = (n - 2) // c.T - steps.k0
        for j in range(c.N):
            past.psi_reg[row, j, 0] = neuron_step(c, j, x[j], s)
            filtered = c.kappa_reg * s.f[j] + (1.0 - c.kappa_reg) * s.z[j]
            s.f[j] = 0.0 if filtered < SILENT else filtered
            past.psi_reg[row, j, 1] = c.c_reg * (s.f[j] - c.f_target)
            if sample >= 0:
                counts[sample, j] += s.z[j]
        past.erring[row] = readout_step(c, s, y, n, steps, window)
        for k in range(c.K):
            past.E[row, k] = s.error[k]
        if n < rec.until:
            record_step(s, past.psi_reg[row, :, 0], past.L[row - 2], rec, n - steps.n0)
        if (n + 1) % c.T == 0:
            for i in range(0 if learning.frozen else len(net.src.last)):
                if net.src.last[i] != NONE:
                    _replay_to(net, learning, i, n)
            _shift(past, c.T)


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _arrivals(net, learning, steps, n, x, y):
    """Process the spikes of inputs, then of recurrent neurons, that arrive in step n."""
    c, syn = net.c, net.syn
    for e in range(steps.start[n - steps.n0], steps.start[n - steps.n0 + 1]):
        if not learning.frozen:
            _arrive(net, learning, steps.source[e], n)
        deliver(syn, steps.source[e], x)
    for j in range(c.N):
        if net.s.z[j]:
            if not learning.frozen:
                _arrive(net, learning, c.inputs + j, n)
            deliver(syn, c.inputs + j, x)
            for k in range(c.K):
                if syn.mask_out[j, k]:
                    y[k] += syn.w_out[j, k]


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _arrive(net, learning, i, n):
    """Process a spike of source i in step n: replay, update, decay over the steps beyond the cutoff."""
    c, syn, src = net.c, net.syn, net.src
    last = src.last[i]
    if last == n:
        return  # the same source twice in one step: its trace counts only one
    if last == NONE:
        src.eta[i] = learning.eta_first
    else:
        _replay_to(net, learning, i, n)
        replayed = min(n - last, c.cutoff)
        update(c, syn, src, i, n - 1, learning.eta)
        if n - last > replayed:
            steps = float(n - last - replayed)
            src.z_bar[i, 0] *= math.pow(c.alpha, steps)
            src.z_bar[i, 1] *= math.pow(c.alpha_out, steps)
            kappa, kappa_reg, rho = math.pow(c.kappa, steps), math.pow(c.kappa_reg, steps), math.pow(c.rho, steps)
            for p in range(syn.start[i], syn.start[i + 1]):
                syn.e_bar[p] *= kappa
                syn.e_reg[p] *= kappa_reg
                syn.eps[p] *= rho
        if replayed > 0:
            src.carry[i] = 1.0 if replayed == 1 else 0.0
    src.last[i] = n
    src.done[i] = n - 1


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _replay_to(net, learning, i, n):
    """Replay source i's steps up to n - 2, or to the cutoff."""
    src, base = net.src, n // net.c.T * net.c.T - 2
    end = min(n - 2, src.last[i] - 2 + net.c.cutoff) + 1
    begin = src.done[i]
    if begin < end:
        if learning.plain:
            replay(net, i, begin, end, base)
        else:
            replay_variant(net, i, begin, end, base, learning.eta)
        src.done[i] = end


@njit(cache=True, _nrt=False, error_model="numpy")
def _shift(past, T):
    """Copy the last two steps of a block to the first two of the next."""
    for row in range(2):
        copy(past.L[row + T], past.L[row])
        copy(past.E[row + T], past.E[row])
        past.taught[row], past.erring[row] = past.taught[row + T], past.erring[row + T]
        for j in range(past.psi_reg.shape[1]):
            copy(past.psi_reg[row + T, j], past.psi_reg[row, j])


@njit(cache=True, _nrt=False, error_model="numpy")
def flush(net, learning, n, rec):
    """Let every source arrive in step n, a multiple of T that has not been run, to apply pending gradients. `rec` is
    scratch for engines whose sources also deliver a spike then."""
    net.past.taught[0] = learning_signal(net.s.error, net.B, net.past.L[0])
    for i in range(len(net.src.last)):
        _arrive(net, learning, i, n)
