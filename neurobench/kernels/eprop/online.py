"""E-prop's stream in a fixed number of operations a spike: the gap since a source's last spike is not replayed.

With kappa = kappa_r, trace and gradient of a synapse are linear in sums over time that all synapses of a neuron share.
In time s = t - b since a base b, with G = L + (1 - kappa) R:

    X(t) = sum psi (alpha / kappa)^s,    Y(t) = sum G kappa^s
    U(t) = sum G kappa^s X(t),           Q(t) = sum E alpha_o^s

A source keeps Z, its trace being alpha^s Z; a synapse keeps q, its filtered eligibility being kappa^s (q + Z X).
Between arrivals both are constant, and the gradient from t = m + 1 to l is q [Y(l) - Y(m)] + Z [U(l) - U(m)].
It differs from `eprop.exact` by rounding alone, which the network amplifies: 1e-9 of a voltage after some 20 samples.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from neurobench.kernels.eprop.gather import arrive, settle
from neurobench.kernels.eprop.neuron import neuron_step
from neurobench.kernels.eprop.records import Constants

NONE = -1


class OnlineSynapses(NamedTuple):
    """Laid out as `eprop.records.Synapses`."""

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


class Powers(NamedTuple):
    """Of the decays, by time since the base, 0 to period + 1 steps."""

    D: np.ndarray  # (P + 2,) float64 alpha^-s
    D_out: np.ndarray  # alpha_o^-s
    slow: np.ndarray  # (alpha / kappa)^s
    kappa: np.ndarray
    alpha_out: np.ndarray


def powers(c: Constants) -> Powers:
    s = np.arange(period(c.T) + 2.0)
    bases = 1.0 / c.alpha, 1.0 / c.alpha_out, c.alpha / c.kappa, c.kappa, c.alpha_out
    return Powers(*(base**s for base in bases))


@njit(cache=True, _nrt=False)
def period(T):
    """Steps from one base to the next: a divisor of T, at most 150, so that powers of the decays stay moderate and
    little is lost in differences of sums."""
    steps = min(T, 150)
    while T % steps:
        steps -= 1
    return steps


@njit(cache=True, _nrt=False, error_model="numpy")
def run(
    c, syn, src, s, sums, B, powers, eta, first, n0, n1, k0, event_start, events, labels, plain, frozen, window,
    counts, rec
):  # fmt: skip
    """As `eprop.exact.run`."""
    T, N, K = c.T, c.N, c.K
    P = period(T)
    for n in range(n0, n1):
        base = n // P * P - 2
        row, since = n - base + 1, n - base
        x, y = rec.x, rec.y
        if n % P == 0:
            _begin_block(c, sums, n, powers.slow[1])
        if not frozen:
            _finish(c, s, sums, B, rec, row - 2, powers.kappa[since - 2], (n - 2) % 2)
        for j in range(N + 1):
            x[j] = 0.0
        for k in range(K):
            y[k] = 0.0
        D, D_out = powers.D[since], powers.D_out[since]
        for e in range(event_start[n - n0], event_start[n - n0 + 1]):
            i = events[e]
            if frozen or src.last[i] == n:
                _deliver(syn, i, x)
            else:
                _arrive(c, syn, src, sums, i, n, base, eta, first, D, D_out, x)
        for j in range(N):
            if s.z[j]:
                i = c.inputs + j
                if frozen:
                    _deliver(syn, i, x)
                else:
                    _arrive(c, syn, src, sums, i, n, base, eta, first, D, D_out, x)
                for k in range(K):
                    y[k] += syn.w_out[j, k]
        sample = (n - 2) // T - k0
        now = n % 2
        if plain:
            _plain_neurons(c, 1.0 / c.width, s.v, x, s.z, sums.psi[now])
        else:
            for j in range(N):
                sums.psi[now, j] = neuron_step(c, j, x[j], s)
        _accumulate(c, s.z, s.f, sums.psi[now], sums.reg[now], sums.X[row - 1], sums.X[row], powers.slow[since])
        if sample >= 0:
            for j in range(N):
                counts[sample, j] += s.z[j]
        at = (n - 2) % T - (T - c.W)
        erring = n >= 2 and at >= 0
        label = labels[(n - 2) // T - (n0 - 2) // T]
        for k in range(K):
            s.y[k] = y[k] + c.alpha_out * s.y[k]
            s.error[k] = 0.0
            if erring and label >= 0:
                s.error[k] = s.y[k] - (1.0 if k == label else 0.0)
            sums.E[now, k] = s.error[k]
            sums.Q[row, k] = sums.Q[row - 1, k] + s.error[k] * powers.alpha_out[since]
            if erring and sample >= 0:
                window[sample, at, k] = s.y[k]
        if n < rec.until:
            for j in range(N):
                rec.v[n - n0, j] = s.v[j]
                rec.z[n - n0, j] = s.z[j]
                rec.psi[n - n0, j] = sums.psi[now, j]
                rec.L[n - n0, j] = rec.signal[j]
            for k in range(K):
                rec.out[n - n0, k] = s.y[k]
                rec.error[n - n0, k] = s.error[k]
        if (n + 1) % P == 0 and not frozen:
            rebase(c, syn, src, sums, n - 2, base)


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _deliver(syn, i, x):
    for p in range(syn.start[i], syn.start[i + 1]):
        x[np.uint64(syn.target[p])] += syn.w[p]


@njit(cache=True, _nrt=False, error_model="numpy")
def _plain_neurons(c, per_width, v, x, z, psi):
    """`eprop_iaf` with the piecewise linear surrogate. Short loops: the compiler turns each into vector code."""
    N = len(v)
    for j in range(N):
        v[j] = c.alpha * v[j] + x[j]
    for j in range(N):
        p = 1.0 - abs((v[j] - c.v_th) * per_width)
        psi[j] = c.height * p if p > 0.0 else 0.0
    for j in range(N):
        z[j] = v[j] >= c.v_th
    for j in range(N):
        v[j] -= c.v_th if v[j] >= c.v_th else 0.0


@njit(cache=True, _nrt=False, error_model="numpy")
def _accumulate(c, z, f, psi, reg, X_before, X, power):
    """Filtered firing, R and X of this step."""
    rest = 1.0 - c.kappa_reg
    for j in range(len(z)):
        f[j] = c.kappa_reg * f[j] + rest * z[j]
    for j in range(len(z)):
        reg[j] = c.c_reg * (f[j] - c.f_target)
    for j in range(len(z)):
        X[j] = X_before[j] + psi[j] * power


@njit(cache=True, _nrt=False, error_model="numpy")
def _begin_block(c, sums, n, slow):
    """X and Q of the two steps before step n, which are b and b + 1 in the block that begins."""
    first, second = n % 2, (n + 1) % 2
    for j in range(c.N):
        sums.X[0, j] = 0.0
        sums.YU[0, j, 0] = sums.YU[0, j, 1] = 0.0
        sums.X[1, j] = sums.psi[first, j]
        sums.X[2, j] = sums.psi[first, j] + sums.psi[second, j] * slow
    for k in range(c.K):
        sums.Q[0, k] = 0.0
        sums.Q[1, k] = sums.E[first, k]
        sums.Q[2, k] = sums.E[first, k] + sums.E[second, k] * c.alpha_out


@njit(cache=True, _nrt=False, error_model="numpy")
def _finish(c, s, sums, B, rec, row, power, parity):
    """Y and U of step n - 2, whose learning signal is known now: L_j = sum_k B_jk E_k(n - 1)."""
    some = False
    for k in range(c.K):
        some |= s.error[k] != 0.0
    signal, reg, rest = rec.signal, sums.reg[parity], 1.0 - c.kappa
    for j in range(c.N):
        signal[j] = 0.0
    if some:
        for j in range(c.N):
            for k in range(c.K):
                signal[j] += B[j, k] * s.error[k]
    _add_signals(signal, reg, rest, power, sums.X[row], sums.YU[row - 1], sums.YU[row])


@njit(cache=True, _nrt=False, error_model="numpy")
def _add_signals(signal, reg, rest, power, X, before, YU):
    for j in range(len(signal)):
        G = (signal[j] + rest * reg[j]) * power
        YU[j, 0] = before[j, 0] + G
        YU[j, 1] = before[j, 1] + G * X[j]


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _arrive(c, syn, src, sums, i, n, base, eta, first, D, D_out, x):
    """A spike of source i arrives in step n: gradient, update, delivery (to recurrent neurons), new trace."""
    X, begin, end = sums.X, syn.start[i], syn.start[i + 1]
    before, Z, j = src.last[i], src.Z[i], i - c.inputs
    now = n - base  # the row of step n - 1
    src.last[i] = n
    src.Z[i] = Z + D
    if before == NONE:
        src.eta[i] = first
        for p in range(begin, end):
            at = np.uint64(syn.target[p])
            syn.q[p] -= D * X[now, at]
            x[at] += syn.w[p]
        src.D_out[i] = D_out
        return
    low, high = _rows(c, before, n, base)
    rate = src.eta[i]
    src.eta[i] = eta
    if src.held[i]:
        src.held[i] = 0
        for p in range(begin, end):
            syn.w[p] -= rate * syn.g[p]
            syn.g[p] = 0.0
    arrive(X, sums.YU, syn.target, syn.w, syn.q, x, begin, end, high, low, now, Z, D, rate, c.w_min, c.w_max)
    if high < now - 1:  # beyond the cutoff
        for p in range(begin, end):
            at = np.uint64(syn.target[p])
            syn.q[p] += Z * (X[high, at] - X[now - 1, at])
    if j >= 0:
        _gradient_out(c, syn, src, sums, i, before, low, high, base)
        for k in range(c.K):
            w = syn.w_out[j, k] - rate * syn.g_out[j, k]
            w = w if w > c.w_min else c.w_min
            syn.w_out[j, k] = w if w < c.w_max else c.w_max
            syn.g_out[j, k] = 0.0
        src.Z_out[i] += src.D_out[i]
        src.D_out[i] = D_out


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _rows(c, before, n, base):
    """Rows of the steps m and l: the gradient since the last arrival is that of m + 1 to l."""
    low = max(before - 2 - base + 1, 0)
    high = min(n - 2, before - 2 + c.cutoff) - base + 1
    return low, max(high, low)


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _gradient_out(c, syn, src, sums, i, before, low, high, base):
    """Readout: Z_o [Q(l) - Q(m)], and the last arrival from its own step on."""
    j = i - c.inputs
    own = min(max(before - 1 - base + 1, 0), high)
    Z, D = src.Z_out[i], src.D_out[i]
    for k in range(c.K):
        g = Z * (sums.Q[high, k] - sums.Q[low, k]) + D * (sums.Q[high, k] - sums.Q[own, k])
        syn.g_out[j, k] += syn.mask_out[j, k] * g


@njit(cache=True, _nrt=False, error_model="numpy")
def rebase(c, syn, src, sums, until, base):
    """Bring every gradient up to step `until`, the base becomes the step after it, and the sums restart at 0."""
    moved = float(until + 1 - base)
    kappa, alpha, alpha_out = math.pow(c.kappa, moved), math.pow(c.alpha, moved), math.pow(c.alpha_out, moved)
    end = until - base + 1
    for i in range(len(src.last)):
        before, Z = src.last[i], src.Z[i]
        if before == NONE:
            continue
        low, high = _rows(c, before, until + 2, base)
        high = min(high, end)
        low = min(low, high)
        if high > 0:
            settle(sums.X, sums.YU, syn.target, syn.g, syn.q, syn.start[i], syn.start[i + 1], high, low, Z, kappa)
            src.held[i] = 1
        else:  # the cutoff lies before the base, where the sums are 0
            for p in range(syn.start[i], syn.start[i + 1]):
                syn.q[p] *= kappa
        src.Z[i] = alpha * Z
        if i >= c.inputs:
            if high > low:
                _gradient_out(c, syn, src, sums, i, before, low, high, base)
            if before <= until + 1:
                src.Z_out[i] += src.D_out[i]
                src.D_out[i] = 0.0
            src.Z_out[i] *= alpha_out
            src.D_out[i] *= alpha_out
