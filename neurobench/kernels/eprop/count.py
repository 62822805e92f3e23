"""What the fast path's predictions cost: spikes that arrive, potentials that change."""

import numpy as np
from numba import njit

from neurobench.kernels.eprop.batch import forward, new_pass
from neurobench.kernels.eprop.neuron import neuron_step
from neurobench.kernels.eprop.records import Neurons


@njit(cache=True, error_model="numpy")
def count(c, a, plain, start, source, weights, wires, f0, G, arrived_in, arrived_rec, tally):
    """Arguments as in `eprop.batch.learn`. Gain: arrived_in (I,) and arrived_rec (N,), spikes of each source that
    arrived within their sample; tally (3,) int64: spikes fired, changes of membranes, changes of readouts.

    A potential changes where the neuron fires, or where it differs from the step before; at a sample's first step
    all are counted.
    """
    T = c.T
    one = new_pass(c, weights, wires, T)
    y, y_before = np.zeros(c.K, weights.w_out.dtype), np.zeros(c.K, weights.w_out.dtype)
    for g in range(G):
        begin = g * (T + 1)
        for e in range(start[begin], start[begin + T]):
            arrived_in[source[e]] += 1
        forward(c, a, plain, start, begin, source, weights, wires, f0, one)
        y[:] = 0
        for t in range(T):
            y_before[:] = y
            y *= a.alpha_out
            for s in range(one.n_fired[t - 1] if t else 0):
                i = one.fired[t - 1, s]
                arrived_rec[i] += 1
                y += weights.w_out[i, : c.K]
            tally[0] += one.n_fired[t]
            for k in range(c.K):
                tally[2] += t == 0 or y[k] != y_before[k]
        tally[1] += _membranes(c, a, plain, one)


@njit(cache=True, error_model="numpy")
def _membranes(c, a, plain, one):
    """Changes of the N potentials in a sample that has been run with its whole input kept."""
    changed = 0
    v, z = np.zeros(c.N, one.x.dtype), np.zeros(c.N, np.uint8)
    blank = np.zeros((4, c.N))
    state = Neurons(blank[0], blank[1], np.zeros(c.N, np.int64), blank[2], blank[3], z, blank[0], blank[0])
    for t in range(c.T):
        if plain:
            for j in range(c.N):
                now = a.alpha * v[j] + one.x[t, j]
                changed += t == 0 or one.z[t, j] == 1 or now != v[j]
                v[j] = now - a.v_th * one.z[t, j]
        else:
            for j in range(c.N):
                before = state.v[j]
                neuron_step(c, j, float(one.x[t, j]), state)
                changed += t == 0 or z[j] == 1 or state.v[j] != before
    return changed
