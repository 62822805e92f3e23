"""Codes of 32 bits for the events of a sensor of 34 x 34 pixels; sorting the codes sorts the events by time."""

from numba import uint32

from neurobench.kernels.jit import njit

SIDE = 34  # pixels in each direction
T_SHIFT, Y_SHIFT, X_SHIFT = 13, 7, 1  # 19 bits time in us, 6 row, 6 column, 1 polarity
LAST = (1 << 19) - 1  # us


@njit(inner=True, cache=True)
def append_event(codes, n, t, i, darker):
    """Write event n into `codes` if there is room. Returns n + 1."""
    if n < codes.shape[0]:
        us = min(max(int(t), 0), LAST)
        codes[n] = us << T_SHIFT | (i // SIDE) << Y_SHIFT | (i % SIDE) << X_SHIFT | (1 if darker else 0)
    return n + 1


@njit(cache=True)
def decode(codes, begin, start, t, x, y, p):
    """Decode recordings: recording k, from codes[begin[k]] on, `begin` (B,), is written to start[k] to start[k + 1] of
    t int32 and x, y, p uint8."""
    for k in range(begin.shape[0]):
        for e in range(start[k], start[k + 1]):
            code = codes[begin[k] + e - start[k]]
            t[e] = code >> uint32(T_SHIFT)
            y[e] = (code >> uint32(Y_SHIFT)) & uint32(63)
            x[e] = (code >> uint32(X_SHIFT)) & uint32(63)
            p[e] = code & uint32(1)
