"""Half a Gibbs step from the active units alone, up to the hidden layer or down to the visible one.

Four pixels in five of a digit are dark, also of one that a trained machine draws, so a field is summed over the units
that are on, row by row. Rows of a batch are independent and every sum has a fixed order: the result does not depend on
the number of threads. `key` is two uint32 words: see `neurobench.kernels.random`.
"""

import numpy as np
from numba import prange, uint32

from neurobench.kernels.aligned import FLOATS, rows_on_lines
from neurobench.kernels.jit import njit
from neurobench.kernels.logistic import logistic, uniform
from neurobench.kernels.rbm.rows import ROOM, active, add_rows
from neurobench.kernels.vectors import SIDE, transpose_tile

PANEL = 80  # columns of W' at a time: 96 kB with 300 hidden units; 48, 64 and 160 were slower


@njit(parallel=True, cache=True, fastmath={"contract"}, error_model="numpy")
def half_step(x, W, bias, beta, key, chunks, drawn):
    """Sample one layer given the other.

        p = s(beta (bias + x W)),    state = 1 where u < p

    x (B, I), W (I, M), of which the first O columns count, bias (O,) float32; key: gives the uniforms u; drawn: p and
    state (B, O) float32, written; (B, 0) for one that is not needed.
    """
    rows = len(x)
    for c in prange(chunks):
        index, field = np.empty(x.shape[1] + ROOM, np.uint32), rows_on_lines(1, W.shape[1], W)[0]
        field[len(bias) :] = np.float32(0.0)
        _draw_rows(rows * c // chunks, rows * (c + 1) // chunks, x, W, bias, beta, key, index, field, drawn)


@njit(cache=True, _nrt=False, fastmath={"contract"}, error_model="numpy")
def _draw_rows(first, last, x, W, bias, beta, key, index, field, drawn):
    (p, state), outputs = drawn, len(bias)
    for s in range(first, last):
        for j in range(outputs):
            field[j] = bias[j]
        add_rows(x[s], index, active(x[s], index), W, field)
        draw(field, p[s], state[s], beta, uint32(s * outputs), key)


@njit(parallel=True, cache=True, fastmath={"contract"}, error_model="numpy")
def half_step_down(x, W, bias, beta, key, chunks, drawn):
    """`half_step` with W', of which one panel of columns is made at a time: it stays in cache until it has been used
    for all rows of x. Threads share out the panels.

    x (B, I), W (O, M), of which the first I columns count.
    """
    rows, outputs = len(x), len(bias)
    index, n = np.empty((rows, x.shape[1] + ROOM), np.uint32), np.empty(rows, np.int64)
    for s in range(rows):
        n[s] = active(x[s], index[s])
    panels = -(-outputs // PANEL)
    for c in prange(chunks):
        panel, field = rows_on_lines(x.shape[1], PANEL, x), rows_on_lines(1, PANEL, x)[0]
        panel[:] = np.float32(0.0)
        field[:] = np.float32(0.0)
        for at in range(panels * c // chunks, panels * (c + 1) // chunks):
            first, last = at * PANEL, min(at * PANEL + PANEL, outputs)
            transpose_columns(W[first:last], 0, x.shape[1], panel)
            _draw_columns(first, last, x, index, n, panel, bias, beta, key, field, drawn)


@njit(cache=True, _nrt=False, fastmath={"contract"}, error_model="numpy")
def _draw_columns(first, last, x, index, n, panel, bias, beta, key, field, drawn):
    (p, state), outputs = drawn, len(bias)
    for s in range(len(x)):
        for j in range(first, last):
            field[j - first] = bias[j]
        add_rows(x[s], index[s], n[s], panel, field)
        draw(field, p[s, first:last], state[s, first:last], beta, uint32(s * outputs + first), key)


@njit(inner=True, cache=True, _nrt=False, fastmath={"contract"}, error_model="numpy")
def draw(field, p, state, beta, counter, key):
    """Write p (N,) = s(beta field), also in place, and state = 1 where uniform number `counter` + j is below p; only
    one of them if the other has no entries."""
    k0, k1 = key
    if state.shape[0] == 0:
        for j in range(p.shape[0]):
            p[j] = logistic(beta * field[j])
    elif p.shape[0] == 0:
        for j in range(state.shape[0]):
            state[j] = np.float32(uniform(uint32(counter + uint32(j)), k0, k1) < logistic(beta * field[j]))
    else:
        for j in range(p.shape[0]):
            probability = logistic(beta * field[j])
            p[j] = probability
            state[j] = np.float32(uniform(uint32(counter + uint32(j)), k0, k1) < probability)


@njit(parallel=True, cache=True)
def transpose(x, chunks, out):
    """Write the transpose of x (M, >= N) to out (N, >= M)."""
    columns = out.shape[0]
    for c in prange(chunks):
        first, last = columns * c // chunks, columns * (c + 1) // chunks
        transpose_columns(x, first, last, out[first:last])


@njit(inner=True, cache=True, fastmath=False)
def transpose_columns(x, first, last, out):
    """Write the transpose of columns `first` to `last` of x (M, N) to out (last - first, >= M)."""
    rows = x.shape[0]
    whole, end = rows // FLOATS * FLOATS, first + (last - first) // SIDE * SIDE
    for row in range(0, whole, FLOATS):
        for j in range(first, end, SIDE):
            for half in range(row, row + FLOATS, SIDE):
                transpose_tile(x, half, j, out, j - first, half)
        for j in range(end, last):
            for i in range(row, row + FLOATS):
                out[j - first, i] = x[i, j]
    for j in range(first, last):
        for i in range(whole, rows):
            out[j - first, i] = x[i, j]
