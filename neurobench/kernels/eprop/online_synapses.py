"""Changes by a spike in `eprop.online`: the synapses and the trace of its source; and a new base for all sums.

Past sums are not looked up: a synapse stores q Y + Z U of its last arrival as part of g, and sources are linked in the
order of their last arrival, so that the cutoff of each is handled in the step in which it falls.
"""

import math
from typing import NamedTuple

import numpy as np

from neurobench.kernels.eprop.online_updates import add_gradient, resume, update_and_deliver
from neurobench.kernels.eprop.records import NONE
from neurobench.kernels.jit import njit


class OnlineSynapses(NamedTuple):
    """Synapses, laid out as in `records.Synapses`."""

    start: np.ndarray  # (S + 1,) int64
    target: np.ndarray  # (P,) uint32
    w: np.ndarray  # (P,) float64
    q: np.ndarray  # (P,) float64; q + Z X if the source is beyond the cutoff
    g: np.ndarray  # (P,) float64 gradient not yet applied, minus (q Y + Z U) unless beyond the cutoff
    w_out: np.ndarray  # (N, K) float64
    mask_out: np.ndarray  # (N, K) uint8
    g_out: np.ndarray  # (N, K) float64 gradient up to the base, if the source is `held`


class OnlineSources(NamedTuple):
    Z: np.ndarray  # (S,) float64
    Z_out: np.ndarray  # (S,) float64 without the last arrival
    D_out: np.ndarray  # (S,) float64 part of the last arrival
    last: np.ndarray  # (S,) int64 step of the last arrival; -1: none yet
    eta: np.ndarray  # (S,) float64 learning rate of the last update
    held: np.ndarray  # (S,) uint8 whether g_out contains a gradient
    decay: np.ndarray  # (S,) float64 factor on q of its synapses, beyond the cutoff
    older: np.ndarray  # (S + 1,) int64 the source that arrived before it; NONE beyond the cutoff
    newer: np.ndarray  # (S + 1,) int64 the source that arrived after it: a ring that begins and ends at S


class Sums(NamedTuple):
    """Sums since the base b, the first step of a block of `period(c)` minus 2. Q has row t - b + 1; row 0 is 0."""

    X: np.ndarray  # (2, N + 1) float64 of step t in row t % 2, as in all arrays with two rows
    YU: np.ndarray  # (N + 1, 2) float64 of step n - 2
    Q: np.ndarray  # (T + 5, K) float64
    erring: np.ndarray  # (T + 5,) int64 number of steps so far with an error that is not 0
    psi: np.ndarray  # (2, N) float64
    reg: np.ndarray  # (2, N) float64 R
    E: np.ndarray  # (2, K) float64


class Step(NamedTuple):
    n: int
    base: int
    D: float  # alpha^-s
    D_out: float  # alpha_o^-s


class Interval(NamedTuple):
    """Rows of Q that give the readout gradient of a source from step m + 1 to step l."""

    low: int  # row of m
    high: int  # row of l
    last: int  # row of the last arrival


@njit(inner=True, cache=True, forceinline=True, _nrt=False, error_model="numpy")
def arrive(net, learning, i, following, now, x):
    """Process a spike of source i: gradient, update, delivery (to recurrent neurons), new trace. Synapses of the source
    `following` are prefetched meanwhile."""
    c, syn, src, sums = net.c, net.syn, net.src, net.past
    begin, end, ahead = _places(syn, i, following)
    rate, Z, row = src.eta[i], src.Z[i], now.n % 2
    if src.older[i] == NONE:
        resume(sums, syn, net.offset, begin, end, row, Z, src.decay[i])
    update_and_deliver(c, sums, syn, net.offset, x, begin, end, ahead, 1 - row, Z, now.D, -(Z + now.D), rate)
    src.eta[i] = learning.eta_first if src.last[i] == NONE else learning.eta
    src.Z[i], src.last[i] = Z + now.D, now.n
    _make_newest(src, i)


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _make_newest(src, i):
    older, newer, ring = src.older, src.newer, np.uint64(len(src.last))
    if older[i] != NONE:
        newer[np.uint64(older[i])], older[np.uint64(newer[i])] = newer[i], older[i]
    older[i], newer[i] = older[ring], ring
    newer[np.uint64(older[ring])], older[ring] = i, i


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _places(syn, i, following):
    """First place of source i, the end of its places, and how far ahead those of the source `following` lie."""
    begin = syn.start[np.uint64(i)]
    return begin, syn.start[np.uint64(i) + np.uint64(1)], syn.start[np.uint64(following)] - begin


@njit(inner=True, cache=True, _nrt=False, error_model="numpy")
def expire(c, syn, offset, src, sums, n):
    """Retire the sources whose cutoff is step n - 2: no later step counts for them."""
    ring = len(src.last)
    i = src.newer[ring]
    while i != ring and src.last[i] <= n - c.cutoff:
        following = src.newer[i]
        begin, end, ahead = _places(syn, i, following)
        add_gradient(sums, syn, offset, begin, end, ahead, n % 2, src.Z[i], 1.0)
        src.decay[i], src.older[i] = 1.0, NONE
        i = following
    src.newer[ring], src.older[i] = i, ring


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _interval(c, last, n, base):
    """Interval of a source: m is the step of the last arrival minus 2; l is n - 2 or, if earlier, m plus the cutoff."""
    m = last - 2
    low = max(m - base + 1, 0)
    high = max(min(n - 2, m + c.cutoff) - base + 1, low)
    return Interval(low, high, min(max(m + 2 - base, 0), high))


@njit(inner=True, cache=True, forceinline=True, _nrt=False, error_model="numpy")
def update_readouts(c, syn, src, sums, i, now):
    """Update the readout synapses of source i, a recurrent neuron, before its spike arrives at others. Outside the
    learning window their gradient is 0, and nothing changes."""
    if src.last[i] != NONE:
        gap, j, rate = _interval(c, src.last[i], now.n, now.base), i - np.uint64(c.inputs), src.eta[i]
        erring = sums.erring[gap.high] != sums.erring[gap.low]
        if erring:
            _add_readout_gradient(c, syn, src, sums, i, gap)
        if erring or src.held[i]:
            for k in range(c.K):
                w = syn.w_out[j, k] - rate * syn.g_out[j, k]
                w = w if w > c.w_min else c.w_min
                syn.w_out[j, k] = w if w < c.w_max else c.w_max
                syn.g_out[j, k] = 0.0
            src.held[i] = 0
        src.Z_out[i] += src.D_out[i]
    src.D_out[i] = now.D_out


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _add_readout_gradient(c, syn, src, sums, i, gap):
    """Add Z_o [Q(l) - Q(m)] to the gradient, and the last arrival from its own step on."""
    j, Z, D = np.uint64(i) - np.uint64(c.inputs), src.Z_out[i], src.D_out[i]
    for k in range(c.K):
        end = sums.Q[gap.high, k]
        syn.g_out[j, k] += syn.mask_out[j, k] * (Z * (end - sums.Q[gap.low, k]) + D * (end - sums.Q[gap.last, k]))


@njit(inner=True, cache=True, _nrt=False, error_model="numpy")
def rebase(c, syn, offset, src, sums, n, base):
    """Bring every gradient up to step n - 2: the step after it is the new base, where the sums restart at 0."""
    moved = float(n - 1 - base)
    kappa, alpha, alpha_out = math.pow(c.kappa, moved), math.pow(c.alpha, moved), math.pow(c.alpha_out, moved)
    i = src.newer[len(src.last)]
    while i != len(src.last):
        following = src.newer[i]
        begin, end, ahead = _places(syn, i, following)
        add_gradient(sums, syn, offset, begin, end, ahead, n % 2, src.Z[i], kappa)
        i = following
    for i in range(len(src.last)):
        src.Z[i] *= alpha
        src.decay[i] *= kappa
    for i in range(c.inputs, len(src.last)):
        if src.last[i] != NONE:
            gap = _interval(c, src.last[i], n, base)
            if sums.erring[gap.high] != sums.erring[gap.low]:
                _add_readout_gradient(c, syn, src, sums, i, gap)
                src.held[i] = 1
            if src.last[i] < n:
                src.Z_out[i] += src.D_out[i]
                src.D_out[i] = 0.0
            src.Z_out[i] *= alpha_out
            src.D_out[i] *= alpha_out
