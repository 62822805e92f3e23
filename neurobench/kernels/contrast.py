"""One step of contrastive learning, in a single pass over the weights."""

import numpy as np
from numba import njit, prange

from neurobench.kernels.events import active, add_rows
from neurobench.kernels.transpose import transpose_columns

_ZERO = np.float32(0.0)
STILL = np.float32(1e-30)  # a velocity below it is 0: it would only decay through the denormals, which are slow


@njit(parallel=True, cache=True, fastmath={"contract"}, error_model="numpy")
def contrast(v, p, u, q, rate_v, rate_u, decay, momentum, chunks, W, a, b, dW, da, db):  # type: ignore[no-untyped-def]
    """Weights W (I, O), biases a (I,), b (O,) and their velocities after one step, all changed in place.

        dW = momentum dW + rate_v v'p - rate_u u'q - decay W,      W = W + dW
        da = momentum da + rate_v sum v - rate_u sum u,            a = a + da
        db = momentum db + rate_v sum p - rate_u sum q,            b = b + db

    v (B, I), p (B, O): visible states and hidden probabilities under the data; u (R, I), q (R, O): under the model.
    Returns a number that is finite if all of W, a and b are. A row of W depends on those samples alone in which its
    unit is on, and on no other row: the number of threads makes no difference.
    """
    units, outputs = W.shape
    gain, loss = scaled(p, rate_v), scaled(q, -rate_u)  # by hand: an array expression would be shared out, like prange
    totals = np.empty(units, np.float32)
    for c in prange(chunks):
        index = np.empty(max(v.shape[0], u.shape[0]), np.uint32)
        step = np.empty(outputs, np.float32)
        first, last = units * c // chunks, units * (c + 1) // chunks
        v_of, u_of = np.empty((last - first, v.shape[0]), np.float32), np.empty((last - first, u.shape[0]), np.float32)
        transpose_columns(v, first, last, v_of)
        transpose_columns(u, first, last, u_of)
        for i in range(first, last):
            step[:] = _ZERO
            n = active(v_of[i - first], index)
            add_rows(v_of[i - first], index, n, gain, step)
            drift = rate_v * total(v_of[i - first])
            n = active(u_of[i - first], index)
            add_rows(u_of[i - first], index, n, loss, step)
            drift -= rate_u * total(u_of[i - first])
            advance(W[i], dW[i], step, decay, momentum)
            da[i] = momentum * da[i] + drift
            a[i] += da[i]
            totals[i] = total(W[i]) + a[i]
    advance(b, db, column_sums(gain, loss), _ZERO, momentum)
    return total(totals) + total(b)


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def advance(w, d, step, decay, momentum):  # type: ignore[no-untyped-def]
    """d = momentum d + step - decay w;  w = w + d."""
    for j in range(w.shape[0]):
        speed = momentum * d[j] + (step[j] - decay * w[j])
        d[j] = speed if abs(speed) > STILL else _ZERO
        w[j] += d[j]


@njit(cache=True)
def scaled(x, factor):  # type: ignore[no-untyped-def]
    """x factor, for x (R, O)."""
    out = np.empty_like(x)
    for s in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[s, j] = factor * x[s, j]
    return out


@njit(cache=True)
def column_sums(x, y):  # type: ignore[no-untyped-def]
    """The sum of all rows of x (R, O) and y (S, O).   -> (O,)"""
    out = np.zeros(x.shape[1], np.float32)
    for rows in (x, y):
        for s in range(rows.shape[0]):
            for j in range(out.shape[0]):
                out[j] += rows[s, j]
    return out


@njit(cache=True, fastmath={"reassoc"})
def total(x):  # type: ignore[no-untyped-def]
    """Sum of x, in whatever order is fastest on this machine."""
    acc = _ZERO
    for j in range(x.shape[0]):
        acc += x[j]
    return acc
