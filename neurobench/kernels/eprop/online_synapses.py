"""What a spike does to all synapses of its source in `eprop.online`, and a new base for their sums.

Each synapse reads the sums of its own target, LANES at a time; Y and U of a neuron lie side by side and come in one
load.
"""

import math
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from neurobench.kernels.declared import njit
from neurobench.kernels.eprop import simd
from neurobench.kernels.eprop.neuron import deliver
from neurobench.kernels.eprop.records import LANES, NONE

_FUSED = ("contract",)


class OnlineSynapses(NamedTuple):
    """Laid out as `records.Synapses`."""

    start: np.ndarray  # (S + 1,) int64
    target: np.ndarray  # (P,) uint32
    w: np.ndarray  # (P,) float64
    q: np.ndarray  # (P,) float64
    g: np.ndarray  # (P,) float64 gradient up to the base, where `held` says that there is one
    w_out: np.ndarray  # (N, K) float64
    mask_out: np.ndarray  # (N, K) uint8
    g_out: np.ndarray  # (N, K) float64


class OnlineSources(NamedTuple):
    Z: np.ndarray  # (S,) float64
    Z_out: np.ndarray  # (S,) float64 without the last arrival, whose part is
    D_out: np.ndarray  # (S,) float64
    last: np.ndarray  # (S,) int64 step of the last arrival; -1: none yet
    eta: np.ndarray  # (S,) float64 learning rate of the last update
    held: np.ndarray  # (S,) uint8


class Sums(NamedTuple):
    """Row t - b + 1; row 0 is 0. The base b is the first step of a block of `period(T)`, less 2."""

    X: np.ndarray  # (T + 5, N + 1) float64
    YU: np.ndarray  # (T + 5, N + 1, 2) float64
    Q: np.ndarray  # (T + 5, K) float64
    psi: np.ndarray  # (2, N) float64 of the last two steps of the block, as all below
    reg: np.ndarray  # (2, N) float64 R, row n % 2
    E: np.ndarray  # (2, K) float64


class Step(NamedTuple):
    n: int
    base: int
    D: float  # alpha^-s
    D_out: float  # alpha_o^-s


class Interval(NamedTuple):
    """Synapses begin to end - 1 of one source, whose gradient is due from step m + 1 to step l."""

    begin: int
    end: int
    low: int  # row of m
    high: int  # row of l
    last: int  # row of the last arrival
    Z: float  # of the source


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def fetch(syn, src, i):
    """Bring the synapses of source i into cache while those of another one are worked on."""
    held = src.held[i]
    for p in range(syn.start[i], syn.start[i + 1], simd.LINE // 8):
        simd.prefetch(syn.w, p)
        simd.prefetch(syn.q, p)
        simd.prefetch(syn.target, p)
        if held:
            simd.prefetch(syn.g, p)


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def arrive(net, learning, i, now, x):
    """A spike of source i arrives: gradient, update, delivery (to recurrent neurons), new trace."""
    c, syn, src, sums = net.c, net.syn, net.src, net.past
    last, rate, row, j = src.last[i], src.eta[i], now.n - now.base, i - c.inputs  # row: of step n - 1
    gap = _interval(c, syn, src, i, now.n, now.base)
    src.last[i] = now.n
    src.Z[i] += now.D
    if last == NONE:
        src.eta[i] = learning.eta_first
        for p in range(gap.begin, gap.end):
            syn.q[p] -= now.D * sums.X[row, np.uint64(syn.target[p])]
        deliver(syn, i, x)
        src.D_out[i] = now.D_out
        return
    src.eta[i] = learning.eta
    if src.held[i]:
        src.held[i] = 0
        _apply_held(syn.w[gap.begin : gap.end], syn.g[gap.begin : gap.end], rate)
    _update_and_deliver(c, sums, syn, x, gap, row, now.D, rate)
    if gap.high < row - 1:  # beyond the cutoff
        target, q = syn.target[gap.begin : gap.end], syn.q[gap.begin : gap.end]
        high, now_X = sums.X[gap.high], sums.X[row - 1]
        for p in range(len(q)):
            at = np.uint64(target[p])
            q[p] += gap.Z * (high[at] - now_X[at])
    if j >= 0:
        _add_readout_gradient(c, syn, src, sums, i, gap)
        _update_readouts(c, syn, j, rate)
        src.Z_out[i] += src.D_out[i]
        src.D_out[i] = now.D_out


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _apply_held(w, g, rate):
    for p in range(len(w)):
        w[p] -= rate * g[p]
        g[p] = 0.0


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _interval(c, syn, src, i, n, base):
    """m is the step of the last arrival, less 2; l is n - 2 or lies the cutoff after m."""
    m = src.last[i] - 2
    low = max(m - base + 1, 0)
    high = max(min(n - 2, m + c.cutoff) - base + 1, low)
    return Interval(syn.start[i], syn.start[i + 1], low, high, min(max(m + 2 - base, 0), high), src.Z[i])


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _add_readout_gradient(c, syn, src, sums, i, gap):
    """Z_o [Q(l) - Q(m)], and the last arrival from its own step on."""
    j, Z, D = i - c.inputs, src.Z_out[i], src.D_out[i]
    for k in range(c.K):
        end = sums.Q[gap.high, k]
        syn.g_out[j, k] += syn.mask_out[j, k] * (Z * (end - sums.Q[gap.low, k]) + D * (end - sums.Q[gap.last, k]))


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _update_readouts(c, syn, j, rate):
    for k in range(c.K):
        w = syn.w_out[j, k] - rate * syn.g_out[j, k]
        w = w if w > c.w_min else c.w_min
        syn.w_out[j, k] = w if w < c.w_max else c.w_max
        syn.g_out[j, k] = 0.0


@njit(cache=True, _nrt=False, error_model="numpy")
def rebase(c, syn, src, sums, until, base):
    """Bring every gradient up to step `until`, the base becomes the step after it, and the sums restart at 0."""
    moved = float(until + 1 - base)
    kappa, alpha, alpha_out = math.pow(c.kappa, moved), math.pow(c.alpha, moved), math.pow(c.alpha_out, moved)
    for i in range(len(src.last)):
        if src.last[i] == NONE:
            continue
        gap = _interval(c, syn, src, i, until + 2, base)
        if gap.high > 0:
            _add_gradient(sums, syn, gap, kappa)
            src.held[i] = 1
        else:  # the cutoff lies before the base, where the sums are 0
            for p in range(gap.begin, gap.end):
                syn.q[p] *= kappa
        src.Z[i] *= alpha
        if i >= c.inputs:
            if gap.high > gap.low:
                _add_readout_gradient(c, syn, src, sums, i, gap)
            if src.last[i] <= until + 1:
                src.Z_out[i] += src.D_out[i]
                src.D_out[i] = 0.0
            src.Z_out[i] *= alpha_out
            src.D_out[i] *= alpha_out


@intrinsic
def _update_and_deliver(typingctx, c, sums, syn, x, gap, row, D, rate):
    """Of the synapses of an interval, with sums of their target at the rows l, m and `row`, that of step n - 1:

    w <- clip(w - rate (q [Y(l) - Y(m)] + Z [U(l) - U(m)])),  x[target] += w,  q <- q - D X(row)
    """

    def emit(context, builder, signature, args):
        c, sums, syn, gap = (simd.fields(context, builder, signature.args[at], args[at]) for at in (0, 1, 2, 4))
        x, row = simd.array(context, builder, signature.args[3], args[3]).data, args[5]
        Z, D, rate, w_min, w_max = (simd.splat(builder, one) for one in (gap["Z"], *args[6:], c["w_min"], c["w_max"]))
        with _synapses(builder, syn, gap) as (at, w, q, _):
            old, weight = (builder.load(pointer, align=8) for pointer in (q, w))
            gradient = _gradient(builder, sums, gap, at, old, Z)
            weight = builder.fsub(weight, builder.fmul(rate, gradient, _FUSED), _FUSED)
            weight = builder.select(builder.fcmp_ordered(">", weight, w_min), weight, w_min)
            weight = builder.select(builder.fcmp_ordered("<", weight, w_max), weight, w_max)
            builder.store(weight, w, align=8)
            for lane, one in enumerate(at):
                place = builder.gep(x, [one])
                part = builder.extract_element(weight, ir.Constant(simd.INDEX, lane))
                builder.store(builder.fadd(builder.load(place), part), place)
            drop = builder.fmul(D, _gather_X(builder, sums, row, at), _FUSED)
            builder.store(builder.fsub(old, drop, _FUSED), q, align=8)
        return context.get_dummy_value()

    return types.void(c, sums, syn, x, gap, types.int64, types.float64, types.float64), emit


@intrinsic
def _add_gradient(typingctx, sums, syn, gap, kappa):
    """Of the synapses of an interval:  g += q [Y(l) - Y(m)] + Z [U(l) - U(m)],  q <- kappa (q + Z X(l))"""

    def emit(context, builder, signature, args):
        sums, syn, gap = (simd.fields(context, builder, signature.args[at], args[at]) for at in range(3))
        Z, kappa = simd.splat(builder, gap["Z"]), simd.splat(builder, args[3])
        with _synapses(builder, syn, gap) as (at, _, q, g):
            old, gradient = (builder.load(pointer, align=8) for pointer in (q, g))
            part = _gradient(builder, sums, gap, at, old, Z)
            builder.store(builder.fadd(gradient, part), g, align=8)
            trace = builder.fadd(old, builder.fmul(Z, _gather_X(builder, sums, gap["high"], at), _FUSED), _FUSED)
            builder.store(builder.fmul(kappa, trace), q, align=8)
        return context.get_dummy_value()

    return types.void(sums, syn, gap, types.float64), emit


@contextmanager
def _synapses(builder, syn, gap):
    """A loop over an interval's synapses: their targets, and pointers to w, q and g of LANES of them."""
    step = ir.Constant(simd.INDEX, LANES)
    with cgutils.for_range_slice(builder, gap["begin"], gap["end"], step, simd.INDEX) as (p, _):
        pointers = (simd.vector_at(builder, syn[name].data, p) for name in ("w", "q", "g"))
        yield simd.targets(builder, syn["target"], p), *pointers


def _gradient(builder, sums, gap, at, q, Z):
    """q [Y(l) - Y(m)] + Z [U(l) - U(m)]"""
    width = simd.columns(builder, sums["X"])
    high, low = (
        simd.load_pairs(builder, sums["YU"].data, simd.row_places(builder, gap[row], width, at))
        for row in ("high", "low")
    )
    Y, U = simd.transpose(builder, [builder.fsub(*ends) for ends in zip(high, low, strict=True)])
    return builder.fadd(builder.fmul(q, Y, _FUSED), builder.fmul(Z, U, _FUSED), _FUSED)


def _gather_X(builder, sums, row, at):
    places = simd.row_places(builder, row, simd.columns(builder, sums["X"]), at)
    return simd.gather(builder, sums["X"].data, places)
