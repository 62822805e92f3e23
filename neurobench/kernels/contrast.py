"""One step along the difference of two correlations, in a single pass over the weights."""

import numpy as np
from numba import njit, prange

from neurobench.kernels.events import active, add_rows

_ZERO = np.float32(0.0)


@njit(parallel=True, cache=True, fastmath={"contract"}, error_model="numpy")
def contrast(v, p, u, q, rate_v, rate_u, decay, momentum, chunks, W, dW):  # type: ignore[no-untyped-def]
    """W (I, O) and its velocity dW after one step; both are changed in place.

        dW = momentum dW + rate_v v'p - rate_u u'q - decay W,    W = W + dW

    v (B, I), p (B, O): visible states and hidden probabilities under the data; u (R, I), q (R, O): under the model.
    A row of W depends on those samples alone in which its unit is on.
    """
    units, outputs = W.shape
    v_of, u_of = np.ascontiguousarray(v.T), np.ascontiguousarray(u.T)  # unit by unit
    gain, loss = p * rate_v, q * -rate_u
    for c in prange(chunks):
        index = np.empty(max(v.shape[0], u.shape[0]), np.uint16)
        step = np.empty(outputs, np.float32)
        for i in range(units * c // chunks, units * (c + 1) // chunks):
            step[:] = _ZERO
            add_rows(v_of[i], index, active(v_of[i], index), gain, step)
            add_rows(u_of[i], index, active(u_of[i], index), loss, step)
            _advance(W[i], dW[i], step, decay, momentum)


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _advance(w, d, step, decay, momentum):  # type: ignore[no-untyped-def]
    for j in range(w.shape[0]):
        d[j] = momentum * d[j] + (step[j] - decay * w[j])
        w[j] += d[j]
