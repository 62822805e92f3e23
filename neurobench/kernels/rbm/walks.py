"""Annealing walks through the states of a model: its local fields are stored, and only units that flip change them.

A cold chain flips few units: updating the fields costs a few rows of weights per sweep, recomputing them one row per
active unit. Reads are independent and each draws under a separate key, so the result does not depend on the number of
threads. All numbers are float32; `key`: see `neurobench.kernels.random`.
"""

import numpy as np
from numba import prange, uint32

from neurobench.kernels.jit import njit
from neurobench.kernels.logistic import key_of_part, logistic, uniform
from neurobench.kernels.rbm.rows import ROOM, active


@njit(parallel=True, cache=True, fastmath={"contract"}, error_model="numpy")
def walk_layers(rbm, downward, betas, hidden_given, key, chunks, v, h):
    """Run a sweep for each beta: h ~ p(h|v), then v ~ p(v|h), at that inverse temperature; greedy if it is inf.

    rbm: W (V, H), a (1 or R, V), b (1 or R, H), biases of all reads or of each; downward = W' (H, V); betas (S,);
    `hidden_given`: the first sweep leaves h unchanged. v (R, V), h (R, H) in {0, 1} change in place.
    """
    W, a, b = rbm
    reads = v.shape[0]
    for c in prange(chunks):
        changed = np.empty(max(W.shape) + ROOM, np.uint32)
        fresh = np.empty(max(W.shape), np.float32)
        for r in range(reads * c // chunks, reads * (c + 1) // chunks):
            own_key = key_of_part(r, key)
            field_v, field_h = a[r % len(a)].copy(), b[r % len(b)].copy()
            _add(changed, active(v[r], changed), v[r], W, field_h)
            _add(changed, active(h[r], changed), h[r], downward, field_v)
            counter = uint32(0)
            for s in range(len(betas)):
                if s > 0 or not hidden_given:
                    n = _renew(field_h, h[r], fresh, betas[s], counter, own_key, changed)
                    _add(changed, n, h[r], downward, field_v)
                counter = uint32(counter + uint32(len(h[r])))
                n = _renew(field_v, v[r], fresh, betas[s], counter, own_key, changed)
                _add(changed, n, v[r], W, field_h)
                counter = uint32(counter + uint32(len(v[r])))


@njit(parallel=True, cache=True, fastmath={"contract"}, error_model="numpy")
def walk_units(problem, betas, probability, key, chunks, x):
    """Sample one unit after the other, in order, for each beta; a unit is updated with this probability.

        field_i = bias_i + sum_j coupling_ij x_j,    x_i = 1 with probability s(beta field_i)

    problem: coupling (N, N) symmetric with an empty diagonal, bias (N,); betas (S,); x (R, N) in {0, 1} changes in
    place.
    """
    coupling, bias = problem
    reads, units = x.shape
    for c in prange(chunks):
        changed = np.empty(units + ROOM, np.uint32)
        for r in range(reads * c // chunks, reads * (c + 1) // chunks):
            r0, r1 = key_of_part(r, key)
            field = bias.copy()
            _add(changed, active(x[r], changed), x[r], coupling, field)
            counter = uint32(0)
            for beta in betas:
                for i in range(units):
                    turn = probability == 1 or uniform(counter, r0, r1) < probability
                    counter = uint32(counter + uint32(1))
                    if not turn:
                        continue
                    state = _decide(field[i], beta, uniform(counter, r0, r1))
                    counter = uint32(counter + uint32(1))
                    if state != x[r, i]:
                        sign = state - x[r, i]
                        x[r, i] = state
                        row = coupling[i]
                        for j in range(units):
                            field[j] += sign * row[j]


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _decide(field, beta, u):
    """New state of a unit: 1 with probability s(beta field); at infinite beta the state of lower energy."""
    if np.isinf(beta):
        return np.float32(field > 0)
    return np.float32(u < logistic(beta * field))


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _renew(field, state, fresh, beta, counter, key, changed):
    """Resample a layer; write the units that flipped to `changed`, and return their number."""
    if np.isinf(beta):
        for j in range(field.shape[0]):
            fresh[j] = np.float32(field[j] > 0)
    else:
        k0, k1 = key
        for j in range(field.shape[0]):
            fresh[j] = np.float32(uniform(uint32(counter + uint32(j)), k0, k1) < logistic(beta * field[j]))
    n = 0
    for j in range(field.shape[0]):
        changed[n] = j  # overwritten if it does not flip, as in `active`
        n += fresh[j] != state[j]
        state[j] = fresh[j]
    return n


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _add(changed, n, state, W, field):
    """Add to field W[i] for each changed unit i that is on now, - W[i] for each that is off; four rows at a time."""
    k = 0
    while k + 4 <= n:
        i0, i1, i2, i3 = changed[k], changed[k + 1], changed[k + 2], changed[k + 3]
        s0, s1, s2, s3 = _sign(state[i0]), _sign(state[i1]), _sign(state[i2]), _sign(state[i3])
        w0, w1, w2, w3 = W[i0], W[i1], W[i2], W[i3]
        for j in range(field.shape[0]):
            field[j] += (s0 * w0[j] + s1 * w1[j]) + (s2 * w2[j] + s3 * w3[j])
        k += 4
    while k < n:
        s0, w0 = _sign(state[changed[k]]), W[changed[k]]
        for j in range(field.shape[0]):
            field[j] += s0 * w0[j]
        k += 1


@njit(cache=True)
def _sign(state):
    return np.float32(2) * state - np.float32(1)
