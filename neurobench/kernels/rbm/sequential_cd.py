"""Contrastive divergence one image at a time, as the QRBM tutorial does it."""

import numpy as np
from numba import njit, uint32

from neurobench.kernels.rbm.cd_update import STILL
from neurobench.kernels.rbm.gibbs import active, add_rows, draw

_ONE = np.float32(1.0)


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def sequential_cd(x, lr, decay_factor, momentum, key, rbm, velocity):
    """One update an image of x (B, V), in order; `rbm` and `velocity` (W, a, b float32) change in place.

        p0 = p(h|v0), h0 ~ p0;  q = p(v|h0), v1 ~ q;  p1 = p(h|v1), h1 ~ p1;  v2 ~ p(v|h1)
        dW = momentum dW + lr (v0 p0' - v2 p1'),   da = momentum da + lr (v0 - v2),   db = momentum db + lr (p0 - p1)
        W = W + dW,   a = a + da,   b = b + db,   lr = lr / decay_factor

    That v2 meets the probabilities of v1 is the tutorial's own. Returns the sum over images of mean (v0 - q)^2.
    """
    (W, a, b), (dW, da, db) = rbm, velocity
    visible, hidden = W.shape
    p0, p1, h = np.empty(hidden, np.float32), np.empty(hidden, np.float32), np.empty(hidden, np.float32)
    q, v = np.empty(visible, np.float32), np.empty(visible, np.float32)
    index = np.empty(visible, np.uint32)
    error = 0.0
    drawn = uint32(0)
    for s in range(x.shape[0]):
        v0 = x[s]
        _sample_hidden(v0, W, b, p0, h, index, drawn, key)
        _sample_visible(h, W, a, q, v, uint32(drawn + uint32(hidden)), key)
        error += _mean_square(v0, q)
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
    draw(p, h, _ONE, counter, key)


@njit(cache=True, fastmath={"contract", "reassoc"}, error_model="numpy")
def _sample_visible(h, W, a, q, v, counter, key):
    for i in range(q.shape[0]):
        w, field = W[i], a[i]
        for j in range(h.shape[0]):
            field += w[j] * h[j]
        q[i] = field
    draw(q, v, _ONE, counter, key)


@njit(cache=True, fastmath={"contract", "reassoc"}, error_model="numpy")
def _mean_square(x, q):
    total = np.float32(0.0)
    for i in range(x.shape[0]):
        total += (x[i] - q[i]) * (x[i] - q[i])
    return total / np.float32(x.shape[0])


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _move_pair(w, d, up, down, gain, loss, momentum):
    """d = momentum d + gain up - loss down;  w = w + d."""
    for j in range(w.shape[0]):
        speed = momentum * d[j] + (gain * up[j] - loss * down[j])
        d[j] = speed if abs(speed) > STILL else np.float32(0.0)
        w[j] += d[j]
