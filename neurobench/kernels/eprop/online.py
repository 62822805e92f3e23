"""E-prop's stream in a fixed number of operations a spike: the gap since a source's last spike is not replayed.

With kappa = kappa_r, trace and gradient of a synapse are linear in sums over time that all synapses of a neuron share.
In time s = t - b since a base b, with G = L + (1 - kappa) R:

    X(t) = sum psi (alpha / kappa)^s,    Y(t) = sum G kappa^s
    U(t) = sum G kappa^s X(t),           Q(t) = sum E alpha_o^s

A source keeps Z, its trace being alpha^s Z; a synapse keeps q, its filtered eligibility being kappa^s (q + Z X).
Between arrivals both are constant, and the gradient from t = m + 1 to l is q [Y(l) - Y(m)] + Z [U(l) - U(m)].
It differs from `eprop.exact` by rounding alone, which the network amplifies: 1e-9 of a voltage after some 20 samples.
"""

from typing import NamedTuple

import numpy as np

from neurobench.kernels.declared import njit
from neurobench.kernels.eprop.neuron import deliver, learning_signal, neuron_step, readout_step, record_step
from neurobench.kernels.eprop.online_synapses import OnlineSources, OnlineSynapses, Step, Sums, arrive, fetch, rebase
from neurobench.kernels.eprop.records import Constants, Neurons


class Powers(NamedTuple):
    """Of the decays, by time since the base, 0 to period + 1 steps."""

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
def run(net, learning, steps, window, counts, rec):
    """As `exact.run`."""
    c, s, sums, x, y = net.c, net.s, net.past, rec.x, rec.y
    P = period(c.T)
    for n in range(steps.n0, steps.n1):
        base, now = n // P * P - 2, n % 2
        row, since = n - base + 1, n - base
        if n % P == 0:
            _begin_block(c, sums, n, net.powers.slow[1])
        if not learning.frozen:
            learning_signal(s.error, net.B, rec.signal)
            _add_signals(c, rec.signal, sums.reg[now], net.powers.kappa[since - 2], sums.X[row - 2],
                         sums.YU[row - 3].reshape(-1), sums.YU[row - 2].reshape(-1))  # fmt: skip
        x[:], y[:] = 0.0, 0.0
        now_at = Step(n, base, net.powers.D[since], net.powers.D_out[since])
        _arrivals(net, learning, steps, now_at, x)
        _recurrent_arrivals(net, learning, now_at, rec.fired, x, y)
        if learning.plain:
            _plain_neurons(c, 1.0 / c.width, s.v, x, s.z, sums.psi[now])
        else:
            for j in range(c.N):
                sums.psi[now, j] = neuron_step(c, j, x[j], s)
        _accumulate(c, s.z, s.f, sums.psi[now], sums.reg[now], sums.X[row - 1], sums.X[row], net.powers.slow[since])
        sample = (n - 2) // c.T - steps.k0
        if sample >= 0:
            for j in range(c.N):
                counts[sample, j] += s.z[j]
        readout_step(c, s, y, n, steps, window)
        for k in range(c.K):
            sums.E[now, k] = s.error[k]
            sums.Q[row, k] = sums.Q[row - 1, k] + s.error[k] * net.powers.alpha_out[since]
        if n < rec.until:
            record_step(s, sums.psi[now], rec.signal, rec, n - steps.n0)
        if (n + 1) % P == 0 and not learning.frozen:
            rebase(c, net.syn, net.src, sums, n - 2, base)


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
def _add_signals(c, signal, reg, power, X, before, YU):
    """Y and U of a step whose learning signal is known now."""
    rest = 1.0 - c.kappa
    for j in range(len(signal)):
        G = (signal[j] + rest * reg[j]) * power
        YU[2 * j] = before[2 * j] + G
        YU[2 * j + 1] = before[2 * j + 1] + G * X[j]


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _arrivals(net, learning, steps, now, x):
    """The spikes of inputs that arrive in this step."""
    syn, src, n = net.syn, net.src, now.n
    for e in range(steps.start[n - steps.n0], steps.start[n - steps.n0 + 1]):
        if e + 1 < len(steps.source):
            fetch(syn, src, steps.source[e + 1])
        i = steps.source[e]
        if learning.frozen or src.last[i] == n:
            deliver(syn, i, x)
        else:
            arrive(net, learning, i, now, x)


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def _recurrent_arrivals(net, learning, now, fired, x, y):
    """The spikes of recurrent neurons that arrive in this step. fired (N,): scratch."""
    c, syn, n = net.c, net.syn, 0
    for j in range(c.N):
        fired[n] = j  # the next neuron writes over it unless j has fired
        n += net.s.z[j]
    for s in range(n):
        j = fired[s]
        if learning.frozen:
            deliver(syn, c.inputs + j, x)
        else:
            arrive(net, learning, c.inputs + j, now, x)
        for k in range(c.K):
            y[k] += syn.w_out[j, k]


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
