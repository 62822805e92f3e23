"""Events of a sensor of 34 x 34 pixels in 32 bits each, so that sorting the codes sorts by time."""

from numba import uint32

from neurobench.kernels.declared import njit

SIDE = 34  # pixels, both ways
T_SHIFT, Y_SHIFT, X_SHIFT = 13, 7, 1  # 19 bits time in us, 6 row, 6 column, 1 polarity
LAST = (1 << 19) - 1  # us


@njit(cache=True)
def append_event(codes, n, t, i, darker):
    """Write event n if there is room. Returns n + 1."""
    if n < codes.shape[0]:
        us = min(max(int(t), 0), LAST)
        codes[n] = us << T_SHIFT | (i // SIDE) << Y_SHIFT | (i % SIDE) << X_SHIFT | (1 if darker else 0)
    return n + 1


@njit(cache=True)
def decode(codes, begin, start, t, x, y, p):
    """Recordings that begin at `begin` (B,) of codes, into start[k] to start[k + 1] of t int32, x, y, p uint8."""
    for k in range(begin.shape[0]):
        for e in range(start[k], start[k + 1]):
            code = codes[begin[k] + e - start[k]]
            t[e] = code >> uint32(T_SHIFT)
            y[e] = (code >> uint32(Y_SHIFT)) & uint32(63)
            x[e] = (code >> uint32(X_SHIFT)) & uint32(63)
            p[e] = code & uint32(1)
