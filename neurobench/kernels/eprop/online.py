"""E-prop on a stream in a fixed number of operations per spike: the gap since a source's last spike is not replayed.

With kappa = kappa_r, trace and gradient of a synapse are linear in sums over time that all synapses of a neuron share.
In time s = t - b since a base b, with G = L + (1 - kappa) R:

    X(t) = sum psi (alpha / kappa)^s,    Y(t) = sum G kappa^s
    U(t) = sum G kappa^s X(t),           Q(t) = sum E alpha_o^s

A source stores Z, its trace being alpha^s Z; a synapse stores q, its filtered eligibility being kappa^s (q + Z X).
Between arrivals both are constant, and the gradient from t = m + 1 to l is q [Y(l) - Y(m)] + Z [U(l) - U(m)].
It differs from `eprop.exact` only by rounding, which the network amplifies: 1e-9 of a voltage after some 20 samples.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import types
from numba.extending import intrinsic

from neurobench.kernels.eprop.elementwise import elementwise
from neurobench.kernels.eprop.neuron import deliver, learning_signal, neuron_step, readout_step, record_step
from neurobench.kernels.eprop.online_synapses import (
    OnlineSources,
    OnlineSynapses,
    Step,
    Sums,
    arrive,
    expire,
    rebase,
    update_readouts,
)
from neurobench.kernels.eprop.records import SILENT, Constants, Neurons
from neurobench.kernels.jit import njit
from neurobench.kernels.vectors import lowest_bit, nonzero_bits

LANES = 8  # neurons at a time
LEAST_POWER = 1e-5  # of a decay over a period: sums then keep eleven digits


class Powers(NamedTuple):
    """Powers of the decays, by time since the base, 0 to P + 1 steps; P: `period`."""

    D: np.ndarray  # (P + 2,) float64 alpha^-s
    D_out: np.ndarray  # alpha_o^-s
    slow: np.ndarray  # (alpha / kappa)^s
    kappa: np.ndarray
    alpha_out: np.ndarray


class OnlineNetwork(NamedTuple):
    c: Constants
    syn: OnlineSynapses
    src: OnlineSources
    s: Neurons
    past: Sums
    B: np.ndarray  # (N, K) float64 feedback weights
    powers: Powers
    offset: np.ndarray  # (P,) uint32 bytes from the first number of a row to that of each synapse's target


def period(c: Constants) -> int:
    """Steps from one base to the next: a divisor of T, at most 150, by which no decay falls below LEAST_POWER. Sums
    over a longer period would lose to rounding what late steps add to them, and gradients would be wrong."""
    longest = math.log(LEAST_POWER) / math.log(min(c.alpha, c.alpha_out, c.kappa))
    most = min(c.T, 150, max(1, int(longest)))
    return max(steps for steps in range(1, most + 1) if c.T % steps == 0)


def powers(c: Constants) -> Powers:
    s = np.arange(period(c) + 2.0)
    bases = 1.0 / c.alpha, 1.0 / c.alpha_out, c.alpha / c.kappa, c.kappa, c.alpha_out
    return Powers(*(base**s for base in bases))


@njit(cache=True, _nrt=False, error_model="numpy")
def run(net, learning, steps, window, counts, rec):
    """Run steps of the stream, as `exact.run`."""
    c, s, sums, x, y = net.c, net.s, net.past, rec.x, rec.y
    P, taught = len(net.powers.D) - 2, False
    for n in range(steps.n0, steps.n1):
        base, now = n // P * P - 2, n % 2
        row, since = n - base + 1, n - base
        if n % P == 0:
            _begin_block(c, sums, n, net.powers.slow[1])
        if not learning.frozen:
            if taught or sums.erring[row - 1] != sums.erring[row - 2]:  # else the signal is 0 as before
                taught = learning_signal(s.error, net.B, rec.signal)
            _add_signals(c, rec.signal, sums.reg[now], net.powers.kappa[since - 2], sums.X[now], sums.YU.reshape(-1))
        x[:], y[:] = 0.0, 0.0
        now_at = Step(n, base, net.powers.D[since], net.powers.D_out[since])
        _arrivals(net, learning, steps, now_at, x)
        _recurrent_arrivals(net, learning, now_at, x, y)
        if not learning.frozen:
            expire(c, net.syn, net.offset, net.src, sums, n)
            if (n + 1) % P == 0:
                rebase(c, net.syn, net.offset, net.src, sums, n, base)
        if learning.plain:
            _plain_neurons(s.v, x, s.z, sums.psi[now], c, 1.0 / c.width)
        else:
            for j in range(c.N):
                sums.psi[now, j] = neuron_step(c, j, x[j], s)
        _accumulate(s.z, s.f, sums.psi[now], sums.reg[now], sums.X[1 - now], sums.X[now], c, net.powers.slow[since])
        sample = (n - 2) // c.T - steps.k0
        if sample >= 0:
            _count(counts[sample], s.z)
        readout_step(c, s, y, n, steps, window)
        _add_errors(s.error, net.powers.alpha_out[since], sums.E[now], sums, row)
        if n < rec.until:
            record_step(s, sums.psi[now], rec.signal, rec, n - steps.n0)


@njit(cache=True, _nrt=False, error_model="numpy")
def flush(net, learning, n, rec):
    """Let every source arrive in step n, a multiple of T that has not been run, to apply pending gradients."""
    c, sums, now = net.c, net.past, n % 2
    _begin_block(c, sums, n, net.powers.slow[1])
    learning_signal(net.s.error, net.B, rec.signal)
    _add_signals(c, rec.signal, sums.reg[now], net.powers.kappa[0], sums.X[now], sums.YU.reshape(-1))
    now_at = Step(n, n - 2, net.powers.D[2], net.powers.D_out[2])
    for source in range(len(net.src.last)):
        i = np.uint64(source)
        if net.src.last[i] != n:
            if source >= c.inputs:
                update_readouts(c, net.syn, net.src, sums, i, now_at)
            arrive(net, learning, i, i, now_at, rec.x)


@njit(cache=True, _nrt=False, error_model="numpy")
def _begin_block(c, sums, n, slow):
    """Start the sums of a block with the two steps before step n, its steps b and b + 1."""
    first, second = n % 2, (n + 1) % 2
    sums.YU[:] = 0.0
    for j in range(c.N):
        sums.X[first, j] = sums.psi[first, j]
        sums.X[second, j] = sums.psi[first, j] + sums.psi[second, j] * slow
    sums.Q[0], sums.erring[0] = 0.0, 0
    _add_errors(sums.E[first], 1.0, sums.E[first], sums, 1)
    _add_errors(sums.E[second], c.alpha_out, sums.E[second], sums, 2)


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _add_errors(error, power, E, sums, row):
    """Set E to the error; write Q and the number of steps with an error that is not 0 at `row`."""
    nonzero = False
    for k in range(len(error)):
        nonzero |= error[k] != 0.0
        E[k] = error[k]
        sums.Q[row, k] = sums.Q[row - 1, k] + error[k] * power
    sums.erring[row] = sums.erring[row - 1] + nonzero


@njit(cache=True, _nrt=False, error_model="numpy")
def _add_signals(c, signal, reg, power, X, YU):
    """Add to Y and U a step whose learning signal is now known."""
    rest = 1.0 - c.kappa
    for j in range(len(signal)):
        G = (signal[j] + rest * reg[j]) * power
        YU[2 * j] += G
        YU[2 * j + 1] += G * X[j]


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _arrivals(net, learning, steps, now, x):
    """Process the spikes of inputs that arrive in this step."""
    syn, src, n = net.syn, net.src, now.n
    for e in range(steps.start[n - steps.n0], steps.start[n - steps.n0 + 1]):
        i = np.uint64(steps.source[e])  # unsigned: numba counts negative indices from an array's end
        if learning.frozen or src.last[i] == n:
            deliver(syn, i, x)
        else:
            following = np.uint64(steps.source[min(e + 1, len(steps.source) - 1)])
            arrive(net, learning, i, following, now, x)


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _recurrent_arrivals(net, learning, now, x, y):
    """Process the spikes of recurrent neurons that arrive in this step."""
    c, syn, z = net.c, net.syn, net.s.z
    for word in range(0, c.N, 64):
        bits = nonzero_bits(z, word)
        if word + 64 > c.N:  # the rest of the cache line belongs to no neuron
            bits &= (np.uint64(1) << np.uint64(c.N - word)) - np.uint64(1)
        while bits != np.uint64(0):
            j = word + lowest_bit(bits)
            bits &= bits - np.uint64(1)
            if learning.frozen:
                deliver(syn, c.inputs + j, x)
            else:
                i = np.uint64(c.inputs + j)
                update_readouts(c, syn, net.src, net.past, i, now)
                arrive(net, learning, i, i, now, x)  # too few synapses to prefetch the next source's meanwhile
            for k in range(c.K):
                y[k] += syn.w_out[j, k]


@intrinsic
def _plain_neurons(typingctx, v, x, z, psi, c, per_width):
    """Advance `eprop_iaf` neurons with the piecewise linear surrogate."""

    def step(v, x, z, psi, c, per_width):
        u = c.alpha * v.get() + x.get()
        p = u.like(1.0) - abs((u - c.v_th) * per_width)
        psi.set((c.height * p).where(p >= u.like(0.0)))
        fired = u >= c.v_th
        z.set(fired)
        v.set(u - c.v_th.where(fired))

    return types.void(v, x, z, psi, c, per_width), elementwise(step, LANES)


@intrinsic
def _accumulate(typingctx, z, f, psi, reg, before, X, c, power):
    """Compute filtered firing, R and X of this step, `before` being X of the step before."""

    def step(z, f, psi, reg, before, X, c, power):
        one = power.like(1.0)
        filtered = c.kappa_reg * f.get() + (one - c.kappa_reg).where(z.bits())
        filtered = filtered.where(filtered >= one.like(SILENT))
        f.set(filtered)
        reg.set(c.c_reg * (filtered - c.f_target))
        X.set(before.get() + psi.get() * power)

    return types.void(z, f, psi, reg, before, X, c, power), elementwise(step, LANES)


@intrinsic
def _count(typingctx, counts, z):
    def step(counts, z):
        counts.count(z.bits())

    return types.void(counts, z), elementwise(step, LANES)
