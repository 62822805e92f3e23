"""Forward pass of `eprop.batch`, with samples from rest and constant weights; and the cost of predictions."""

from typing import NamedTuple

import numpy as np
from numba import types
from numba.extending import intrinsic

from neurobench.kernels.aligned import copy, rows_on_lines
from neurobench.kernels.eprop.elementwise import elementwise
from neurobench.kernels.eprop.neuron import neuron_step
from neurobench.kernels.eprop.records import Neurons
from neurobench.kernels.eprop.simd import BLOCK_BYTES, sum_rows
from neurobench.kernels.host import WIDTH
from neurobench.kernels.jit import njit
from neurobench.kernels.vectors import lowest_bit

FUSED = {"contract"}  # a product and a sum may be rounded only once; NaN and infinity are preserved


class Matrices(NamedTuple):
    """Weights, or their gradient. M and Q are N and K, padded to whole vectors."""

    w_in: np.ndarray  # (I, M)
    w_rec: np.ndarray  # (1, P) of the P recurrent synapses alone, by source: few of N^2 exist
    w_out: np.ndarray  # (N, Q)


class Network(NamedTuple):
    """`Matrices`, places of recurrent synapses, feedback and state in one flat record, as numba's prange requires."""

    w_in: np.ndarray
    w_rec: np.ndarray
    w_out: np.ndarray
    start: np.ndarray  # (N + 1,) int64 first recurrent synapse of each source
    target: np.ndarray  # (P,) int64
    B: np.ndarray  # (K, M) feedback weights
    f: np.ndarray  # (M,) filtered firing at the beginning of a sample


class Numbers(NamedTuple):
    """Constants of the network, in the kernel's precision."""

    alpha: np.floating
    alpha_out: np.floating
    gain: np.floating
    gain_out: np.floating
    v_th: np.floating
    v_min: np.floating
    height: np.floating
    per_width: np.floating
    kappa: np.floating
    rest: np.floating  # 1 - kappa
    c_reg: np.floating
    f_target: np.floating
    rho: np.floating
    adapt_beta: np.floating
    one: np.floating
    plain: bool  # no variant of the neuron is in use


class Passes(NamedTuple):
    """Results of the passes of S samples, for their gradient."""

    psi: np.ndarray  # (S T, M) input of a step, then psi, mu after the backward pass
    spikes: np.ndarray  # (S, N, T) int32 the steps in which a neuron fired
    trace: np.ndarray  # (S, W, M) the readouts' trace of each neuron's spikes, in the window
    E: np.ndarray  # (S, W, Q) readouts, then their errors
    f: np.ndarray  # (threads, T + 1, M) filtered firing in each thread's last pass, row t + 1
    fired: np.ndarray  # (threads, T, N) int32 the neurons that fired


class Pass(NamedTuple):
    """Results of a sample's forward pass for its backward pass, and scratch. X is 1, or T to store x and z."""

    x: np.ndarray  # (X, M) input of a step
    f: np.ndarray  # (T + 1, M) as in Passes
    z: np.ndarray  # (X, words) uint64 spikes: neuron j is bit j % 64 of word j // 64
    fired: np.ndarray  # (T, N)
    n_fired: np.ndarray  # (T,) int64
    neurons: np.ndarray  # (5, M) scratch
    synapses: np.ndarray  # (P + 4,) int64 scratch
    state: Neurons  # for variants of the neuron


@njit(inner=True, cache=True, error_model="numpy")
def new_passes(c, net, S, threads):
    T, M, like = c.T, net.w_in.shape[1], net.w_in.dtype
    psi, trace = rows_on_lines(S * T, M, net.w_in), rows_on_lines(S * c.W, M, net.w_in).reshape(S, c.W, M)
    samples = psi, np.empty((S, c.N, T), np.int32), trace
    f = rows_on_lines(threads * (T + 1), M, net.w_in).reshape(threads, T + 1, M)
    own = f, np.empty((threads, T, c.N), np.int32)
    return Passes(*samples, np.empty((S, c.W, net.w_out.shape[1]), like), *own)


@njit(inner=True, cache=True, error_model="numpy")
def new_pass(c, net, X, passes, thread):
    M, like = net.w_in.shape[1], net.w_in.dtype
    x, z, neurons = np.empty((X, M), like), np.zeros((X, (M + 63) // 64), np.uint64), np.zeros((5, M), like)
    fired, synapses = passes.fired[thread], np.empty(len(net.target) + 4, np.int64)
    return Pass(x, passes.f[thread], z, fired, np.empty(c.T, np.int64), neurons, synapses, at_rest(c))


@njit(cache=True, error_model="numpy")
def at_rest(c):
    membranes = np.zeros(c.N), np.zeros(c.N), np.zeros(c.N, np.int64), np.zeros(c.N)
    return Neurons(*membranes, np.zeros(c.N), np.zeros(c.N, np.uint8), np.zeros(c.K), np.zeros(c.K))


@njit(inner=True, cache=True, _nrt=False, error_model="numpy")
def sum_inputs(c, net, samples, g, x):
    """Write to x (S T, M) the input of each step of samples g to g + S - 1, a block of columns at a time, whose part of
    the weights stays in cache."""
    start, source = samples.start, samples.source
    for column in range(0, x.shape[1], BLOCK_BYTES // x.itemsize):
        for row in range(len(x)):
            step = g * (c.T + 1) + row + row // c.T
            sum_rows(net.w_in, source, start[step], start[step + 1], x[row], column)


@njit(inner=True, cache=True, _nrt=False, error_model="numpy", fastmath=FUSED)
def forward(c, a, net, one, passes, s, counts):
    """Run sample s of `passes`, whose psi contains the inputs, from rest. Spikes of step t arrive in step t + 1. counts
    (N,): number of each neuron's spikes."""
    T, n, rows = c.T, 0, len(one.x)
    psi, spikes, trace = passes.psi[s * T : (s + 1) * T], passes.spikes[s], passes.trace[s]
    v, r, state = one.neurons[0], one.neurons[1], one.state
    v[:], r[:], state.left[:], state.z[:], counts[:] = 0, 0, 0, 0, 0
    for part in (state.v, state.adapt, state.waiting):
        part[:] = 0
    copy(net.f, one.f[0])
    for t in range(T):
        x, z = psi[t], one.z[t if t < rows else 0]
        for m in range(list_synapses(net.start, one.fired[t - 1], n, one.synapses)):
            p = one.synapses[m]
            x[net.target[p]] += net.w_rec[0, p]
        if rows == T:
            copy(x, one.x[t])
        if t >= T - c.W:
            copy(r, trace[t - T + c.W])
        if a.plain:
            _plain_neurons(psi[t], v, r, one.f[t], one.f[t + 1], z, a)
        else:
            z[:] = 0
            for j in range(c.N):
                psi[t, j] = neuron_step(c, j, float(x[j]), state)
                z[j // 64] |= np.uint64(state.z[j]) << np.uint64(j % 64)
                one.f[t + 1, j] = a.kappa * one.f[t, j] + a.rest * state.z[j]
                r[j] = a.alpha_out * r[j] + state.z[j]
            one.f[t + 1, c.N :] = 0
        n = _list_spikes(z, c.N, t, one.fired[t], spikes, counts)
        one.n_fired[t] = n


@njit(cache=True, _nrt=False, error_model="numpy")
def _list_spikes(z, N, t, fired, spikes, counts):
    """Write the neurons below N whose bits are set, ascending, and the step to each's spikes; returns their number."""
    n = 0
    for word in range(len(z)):
        bits, first = z[word], 64 * word
        if first + 64 > N:  # the padding of the last vector may fire as well
            bits &= (np.uint64(1) << np.uint64(max(N - first, 0))) - np.uint64(1)
        while bits != np.uint64(0):
            j = first + lowest_bit(bits)
            fired[n] = j
            spikes[j, counts[j]] = t
            counts[j] += 1
            n += 1
            bits &= bits - np.uint64(1)
    return n


@njit(inner=True, cache=True, _nrt=False, error_model="numpy")
def list_synapses(start, fired, n, synapses):
    """Write the synapses of the n neurons that fired; returns their number. Most neurons have at most four: unrolled to
    avoid a mispredicted loop exit."""
    m = 0
    for s in range(n):
        i = fired[s]
        p = start[i]
        synapses[m], synapses[m + 1], synapses[m + 2], synapses[m + 3] = p, p + 1, p + 2, p + 3
        k = start[i + 1] - p
        for q in range(4, k):
            synapses[m + q] = p + q
        m += k
    return m


@intrinsic
def _plain_neurons(typingctx, psi, v, r, f_before, f, z, a):
    """Advance `eprop_iaf` neurons with the piecewise linear surrogate, under the input stored in psi."""

    def step(psi, v, r, f_before, f, a):
        u = a.alpha * v.get() + psi.get()
        p = a.one - abs((u - a.v_th) * a.per_width)
        psi.set(a.height * p.where(p >= u.like(0.0)))
        fired = u >= a.v_th
        v.set(u - a.v_th.where(fired))
        f.set(a.kappa * f_before.get() + a.rest.where(fired))
        r.set(a.alpha_out * r.get() + a.one.where(fired))
        return fired

    return types.void(psi, v, r, f_before, f, z, a), elementwise(step, WIDTH // 32, fused=True, bits=5)


@njit(cache=True, error_model="numpy")
def count(c, a, net, samples):
    """Count what predicting the samples costs: spikes of each input (I,) and neuron (N,) that arrived within their
    sample, and in total spikes fired, changes of membranes, changes of readouts (3,). A potential changes if the neuron
    fires, or if it differs from the step before; at a sample's first step all are counted."""
    T, passes = c.T, new_passes(c, net, 1, 1)
    one = new_pass(c, net, T, passes, 0)
    inputs, recurrent, sums = np.zeros(c.inputs, np.int64), np.zeros(c.N, np.int64), np.zeros(3, np.int64)
    y, y_before, counts = np.zeros(c.K, net.w_out.dtype), np.zeros(c.K, net.w_out.dtype), np.zeros(c.N, np.int64)
    for g in range(len(samples.labels)):
        first = g * (T + 1)
        for e in range(samples.start[first], samples.start[first + T]):
            inputs[samples.source[e]] += 1
        sum_inputs(c, net, samples, g, passes.psi)
        forward(c, a, net, one, passes, 0, counts)
        y[:] = 0
        for t in range(T):
            y_before[:] = y
            y *= a.alpha_out
            for s in range(one.n_fired[t - 1] if t else 0):
                i = one.fired[t - 1, s]
                recurrent[i] += 1
                y += net.w_out[i, : c.K]
            sums[0] += one.n_fired[t]
            for k in range(c.K):
                sums[2] += t == 0 or y[k] != y_before[k]
        sums[1] += _membrane_changes(c, a, one)
    return inputs, recurrent, sums


@njit(cache=True, error_model="numpy")
def _membrane_changes(c, a, one):
    """Number of changes of the N potentials in a sample that has been run with its whole input stored."""
    changes, state = 0, at_rest(c)
    v, z = np.zeros(c.N, one.x.dtype), state.z
    for t in range(c.T):
        for j in range(c.N):
            if a.plain:
                now = a.alpha * v[j] + one.x[t, j]
                fired = one.z[t, j // 64] >> np.uint64(j % 64) & np.uint64(1)
                changes += t == 0 or fired == 1 or now != v[j]
                v[j] = now - a.v_th * fired
            else:
                before = state.v[j]
                neuron_step(c, j, float(one.x[t, j]), state)
                changes += t == 0 or z[j] == 1 or state.v[j] != before
    return changes
