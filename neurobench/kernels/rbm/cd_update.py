"""Contrastive divergence: one step for a batch in a single pass over the weights, or image by image."""

from typing import NamedTuple

import numpy as np
from numba import prange, uint32

from neurobench.kernels.aligned import rows_on_lines
from neurobench.kernels.jit import njit
from neurobench.kernels.rbm.gibbs import draw, transpose_columns
from neurobench.kernels.rbm.rows import ROOM, active, add_rows
from neurobench.kernels.vectors import dot, squared_distance, total

_ZERO = np.float32(0.0)
_UNITS = 64  # units processed at a time: their states stay in the first-level cache and are not written to the others
STILL = np.float32(1e-30)  # a smaller velocity is set to 0: it would only decay through the denormals, which are slow


class Rates(NamedTuple):
    """Rates of an update, all float32."""

    data: np.float32  # learning rate / samples of the data
    model: np.float32  # learning rate / samples of the model
    decay: np.float32  # learning rate x weight decay
    momentum: np.float32


@njit(parallel=True, cache=True, fastmath={"contract"}, error_model="numpy")
def cd_update(data, model, rates, chunks, rbm, velocity):
    """Take one step on weights W (I, M), of which the first O columns count, biases a (I,), b (O,) of `rbm` and their
    velocities, all changed in place.

        dW = momentum dW + rate_data v'p - rate_model u'q - decay W,      W = W + dW
        da = momentum da + rate_data sum v - rate_model sum u,            a = a + da
        db = momentum db + rate_data sum p - rate_model sum q,            b = b + db

    data: v (B, I), p (B, O), visible states and hidden probabilities; model: u (R, I), q (R, O), likewise.
    Returns a number that is finite if all of W, a and b are. A row of W depends only on the samples in which its unit
    is on, and on no other row, so that the number of threads makes no difference.
    """
    (v, p), (u, q), (W, a, b) = data, model, rbm
    units, outputs, width = len(a), len(b), W.shape[1]
    gain, loss = scaled(p, rates.data, width), scaled(q, -rates.model, width)
    totals = np.empty(units, np.float32)
    for c in prange(chunks):
        index, step = np.empty(max(v.shape[0], u.shape[0]) + ROOM, np.uint32), rows_on_lines(1, width, W)[0]
        v_of, u_of = rows_on_lines(_UNITS, v.shape[0], v), rows_on_lines(_UNITS, u.shape[0], u)
        end = units * (c + 1) // chunks
        for first in range(units * c // chunks, end, _UNITS):
            last = min(first + _UNITS, end)
            transpose_columns(v, first, last, v_of)
            transpose_columns(u, first, last, u_of)
            _update_units(first, last, v_of, gain, u_of, loss, rates, index, step, rbm, velocity, totals)
    advance(b, velocity[2], column_sums(gain, loss, outputs), _ZERO, rates.momentum)
    return total(totals) + total(b)


@njit(cache=True, _nrt=False, fastmath={"contract"}, error_model="numpy")
def _update_units(first, last, v_of, gain, u_of, loss, rates, index, step, rbm, velocity, totals):
    """Update visible units `first` to `last` - 1, whose states are rows of v_of and u_of."""
    (W, a, b), (dW, da, _) = rbm, velocity
    rate_data, rate_model, decay, momentum = rates
    outputs = len(b)
    for i in range(first, last):
        step[:] = _ZERO
        n = active(v_of[i - first], index)
        add_rows(v_of[i - first], index, n, gain, step)
        drift = rate_data * total(v_of[i - first])
        n = active(u_of[i - first], index)
        add_rows(u_of[i - first], index, n, loss, step)
        drift -= rate_model * total(u_of[i - first])
        advance(W[i, :outputs], dW[i, :outputs], step[:outputs], decay, momentum)
        da[i] = momentum * da[i] + drift
        a[i] += da[i]
        totals[i] = total(W[i, :outputs]) + a[i]


@njit(inner=True, cache=True, _nrt=False, fastmath={"contract"}, error_model="numpy")
def advance(w, d, step, decay, momentum):
    """d = momentum d + step - decay w;  w = w + d."""
    for j in range(w.shape[0]):
        speed = momentum * d[j] + (step[j] - decay * w[j])
        d[j] = speed if abs(speed) > STILL else _ZERO
        w[j] += d[j]


@njit(inner=True, cache=True)
def scaled(x, factor, width):
    """x times factor, for x (R, O), with zeros to its right.   -> (R, width)"""
    out = rows_on_lines(x.shape[0], width, x)
    for s in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[s, j] = factor * x[s, j]
        out[s, x.shape[1] :] = _ZERO
    return out


@njit(inner=True, cache=True)
def column_sums(x, y, columns):
    """The sum of all rows of x (R, >= O) and y (S, >= O).   -> (O,)"""
    out = np.zeros(columns, np.float32)
    for rows in (x, y):
        for s in range(rows.shape[0]):
            for j in range(out.shape[0]):
                out[j] += rows[s, j]
    return out


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def sequential_cd(x, lr, decay_factor, momentum, key, rbm, velocity):
    """Make the QRBM tutorial's updates, one per image of x (B, V); `rbm`, `velocity` (W, a, b float32) change in place.

        p0 = p(h|v0), h0 ~ p0;  q = p(v|h0), v1 ~ q;  p1 = p(h|v1), h1 ~ p1;  v2 ~ p(v|h1)
        dW = momentum dW + lr (v0 p0' - v2 p1'),   da = momentum da + lr (v0 - v2),   db = momentum db + lr (p0 - p1)
        W = W + dW,   a = a + da,   b = b + db,   lr = lr / decay_factor

    Pairing v2 with the probabilities of v1 is the tutorial's choice. Returns the sum over images of mean (v0 - q)^2.
    """
    (W, a, b), (dW, da, db) = rbm, velocity
    visible, hidden = W.shape
    p0, p1, h = np.empty(hidden, np.float32), np.empty(hidden, np.float32), np.empty(hidden, np.float32)
    q, v = np.empty(visible, np.float32), np.empty(visible, np.float32)
    index = np.empty(visible + ROOM, np.uint32)
    error = 0.0
    drawn = uint32(0)
    for s in range(x.shape[0]):
        v0 = x[s]
        _sample_hidden(v0, W, b, p0, h, index, drawn, key)
        _sample_visible(h, W, a, q, v, uint32(drawn + uint32(hidden)), key)
        error += squared_distance(v0, q) / np.float32(visible)
        _sample_hidden(v, W, b, p1, h, index, uint32(drawn + uint32(hidden + visible)), key)
        _sample_visible(h, W, a, q, v, uint32(drawn + uint32(2 * hidden + visible)), key)
        drawn = uint32(drawn + uint32(2 * (hidden + visible)))
        rate = np.float32(lr)
        for i in range(visible):
            _move_pair(W[i], dW[i], p0, p1, rate * v0[i], rate * v[i], momentum)
        _move_pair(a, da, v0, v, rate, rate, momentum)
        _move_pair(b, db, p0, p1, rate, rate, momentum)
        lr /= decay_factor
    return error


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _sample_hidden(v, W, b, p, h, index, counter, key):
    p[:] = b
    add_rows(v, index, active(v, index), W, p)
    draw(p, p, h, np.float32(1.0), counter, key)


@njit(cache=True, error_model="numpy")
def _sample_visible(h, W, a, q, v, counter, key):
    for i in range(q.shape[0]):
        q[i] = dot(W[i], h, a[i])
    draw(q, q, v, np.float32(1.0), counter, key)


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _move_pair(w, d, up, down, gain, loss, momentum):
    """d = momentum d + gain up - loss down;  w = w + d."""
    for j in range(w.shape[0]):
        speed = momentum * d[j] + (gain * up[j] - loss * down[j])
        d[j] = speed if abs(speed) > STILL else np.float32(0.0)
        w[j] += d[j]
