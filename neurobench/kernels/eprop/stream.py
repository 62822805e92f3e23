"""What the engines `exact` and `online` share: samples as one stream of steps, and what a step does besides learning.

A stream's step n is step n - 2 of the samples, one after the other: an input takes two steps to arrive.
"""

from typing import NamedTuple

import numpy as np
from numba import njit


class Learning(NamedTuple):
    eta: float  # learning rate now
    eta_first: float  # the first ever set
    plain: bool  # no variant of neuron, synapse or optimiser is in use
    frozen: bool  # nothing is learned, and no trace is kept


class Steps(NamedTuple):
    """Steps n0 to n1 - 1, and their input spikes: source[start[n - n0] : start[n - n0 + 1]] in step n, ascending."""

    n0: int
    n1: int
    k0: int  # first sample whose readouts and spikes are reported
    start: np.ndarray  # (n1 - n0 + 1,) int64
    source: np.ndarray  # int64
    labels: np.ndarray  # of samples (n0 - 2) // T (which ends in steps n0 and n0 + 1), and those after it; -1: none


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def deliver(syn, i, x):
    """A spike of source i reaches its recurrent targets."""
    for p in range(syn.start[i], syn.start[i + 1]):
        x[np.uint64(syn.target[p])] += syn.w[p]


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def clear(x):
    for j in range(len(x)):
        x[j] = 0.0


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def learning_signal(error, B, L):
    """L_j = sum_k B_jk E_k, k ascending: the error of step n - 1 is credited to n - 2. Returns whether any is not 0."""
    nonzero = False
    for k in range(len(error)):
        nonzero |= error[k] != 0.0
    clear(L)
    if nonzero:
        for j in range(len(B)):
            for k in range(len(error)):
                L[j] += B[j, k] * error[k]
    return nonzero


@njit(cache=True, forceinline=True, _nrt=False, error_model="numpy")
def readout_step(c, s, y, n, steps, window):
    """One step of the readouts under input y (K,), and their error, which is 0 without a label and outside the learning
    window; inside, window (G, W, K) receives y. Returns whether step n is inside."""
    sample, t = (n - 2) // c.T, (n - 2) % c.T - (c.T - c.W)
    inside = n >= 2 and t >= 0
    label = steps.labels[sample - (steps.n0 - 2) // c.T]
    for k in range(c.K):
        s.y[k] = y[k] + c.alpha_out * s.y[k]
        s.error[k] = 0.0
        if inside and label >= 0:
            s.error[k] = s.y[k] - (1.0 if k == label else 0.0)
        if inside and sample >= steps.k0:
            window[sample - steps.k0, t, k] = s.y[k]
    return inside


@njit(cache=True, _nrt=False, error_model="numpy")
def record_step(s, psi, L, rec, row):
    """psi (N,) of this step, L (N,) of two steps before."""
    for j in range(len(s.v)):
        rec.v[row, j] = s.v[j]
        rec.z[row, j] = s.z[j]
        rec.psi[row, j] = psi[j]
        rec.L[row, j] = L[j]
    for k in range(len(s.y)):
        rec.out[row, k] = s.y[k]
        rec.error[row, k] = s.error[k]


@njit(cache=True)
def delay(start, source, wait_start, waiting, T):
    """The spikes of G samples as a stream delivers them, two steps after their own.

    Step T of a sample is step 0 of the next. The spikes of the last samples that wait (wait_start (4,)) arrive in the
    stream's first three steps. Returns start (G T + 4,) and source of the stream: the last three steps are to wait.
    """
    G = (len(start) - 1) // (T + 1)
    out_start = np.empty(G * T + 4, np.int64)
    out = np.empty(len(source) + len(waiting), np.int64)
    n = 0
    for q in range(G * T + 3):
        out_start[q] = n
        begin = n
        if q < 3:
            for e in range(wait_start[q], wait_start[q + 1]):
                out[n] = waiting[e]
                n += 1
        if q >= 2:
            g, r = (q - 2) // T, (q - 2) % T
            if r == 0 and g > 0:
                for e in range(start[g * (T + 1) - 1], start[g * (T + 1)]):
                    out[n] = source[e]
                    n += 1
            if g < G:
                for e in range(start[g * (T + 1) + r], start[g * (T + 1) + r + 1]):
                    _insert(out, begin, n, source[e])
                    n += 1
    out_start[G * T + 3] = n
    return out_start, out[:n]


@njit(cache=True, forceinline=True)
def _insert(source, begin, end, i):
    """Put i into the ascending source[begin:end]."""
    at = end
    while at > begin and source[at - 1] > i:
        source[at] = source[at - 1]
        at -= 1
    source[at] = i
