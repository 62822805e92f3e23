"""What the fast path's predictions cost: spikes that arrive, potentials that change."""

import numpy as np
from numba import njit

from neurobench.kernels.eprop_batch import _forward, _inputs
from neurobench.kernels.eprop_neuron import neuron_step
from neurobench.kernels.eprop_records import Neurons


@njit(cache=True, error_model="numpy")
def count(c, a, plain, start, source, weights, wires, f0, G, arrived_in, arrived_rec, tally):  # type: ignore[no-untyped-def]
    """Arguments as in `eprop_batch.learn`. Gain: arrived_in (I,) and arrived_rec (N,), spikes of each source that
    arrived within their sample; tally (3,) int64: spikes fired, changes of membranes, changes of readouts.

    A potential changes where the neuron fires, or where it differs from the step before; at a sample's first step
    all are counted.
    """
    T, M, Q = c.T, weights.w_in.shape[1], weights.w_out.shape[1]
    x = np.empty((T, M), weights.w_in.dtype)
    psi, f = np.empty_like(x), np.empty_like(x)
    fired, n_fired = np.empty((T, M + 1), np.int64), np.empty(T, np.int64)
    y = np.zeros((T, Q), x.dtype)
    for g in range(G):
        at = start[g * (T + 1) : g * (T + 1) + T + 1]
        for e in range(at[0], at[T]):
            arrived_in[source[e]] += 1
        _inputs(at, source, weights.w_in, x)
        _forward(c, a, plain, weights, wires, x, f0, psi, f, fired, n_fired, y)
        for t in range(T):
            tally[0] += n_fired[t]
            for s in range(n_fired[t] if t + 1 < T else 0):
                arrived_rec[fired[t, s]] += 1
            for k in range(c.K):
                tally[2] += t == 0 or y[t, k] != y[t - 1, k]
        tally[1] += _membranes(c, a, plain, x, fired, n_fired)


@njit(cache=True, error_model="numpy")
def _membranes(c, a, plain, x, fired, n_fired):  # type: ignore[no-untyped-def]
    """Changes of the N potentials under their whole input x (T, M), which `_forward` leaves."""
    changed = 0
    v, z = np.zeros(c.N, x.dtype), np.zeros(c.N, np.uint8)
    blank = np.zeros((4, c.N))
    state = Neurons(blank[0], blank[1], np.zeros(c.N, np.int64), blank[2], blank[3], z, blank[0], blank[0])
    for t in range(x.shape[0]):
        if plain:
            z[:] = 0
            for s in range(n_fired[t]):
                z[fired[t, s]] = 1
            for j in range(c.N):
                now = a.alpha * v[j] + x[t, j]
                changed += t == 0 or z[j] == 1 or now != v[j]
                v[j] = now - a.v_th * z[j]
        else:
            for j in range(c.N):
                before = state.v[j]
                neuron_step(c, j, float(x[t, j]), state)
                changed += t == 0 or z[j] == 1 or state.v[j] != before
    return changed
