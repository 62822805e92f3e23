"""Half a Gibbs step from the active units alone, and the transposed weights for the step back.

Four pixels in five of a digit are dark, as are those that a trained machine draws, so a field is summed over the
units that are on, row by row. Rows of a batch are independent and every sum has a fixed order: the result does not
depend on the number of threads. `key` is two uint32 words: see `neurobench.kernels.random`.
"""

import numpy as np
from numba import prange, uint32

from neurobench.kernels.declared import njit
from neurobench.kernels.logistic import logistic, uniform
from neurobench.kernels.vectors import SIDE, transpose_tile

_GROUP = 8  # states tested at once: most groups of a digit's pixels are dark altogether
_NONE = np.int32(0)
_LINE = 16  # float32 in a cache line of 64 bytes: a transposed copy writes each line whole, once


@njit(parallel=True, cache=True, fastmath={"contract"}, error_model="numpy")
def half_step(x, W, bias, beta, key, chunks, drawn):
    """One layer given the other.

        p = s(beta (bias + x W)),    state = 1 where u < p

    x (B, I), W (I, O), bias (O,) float32; key: of the uniforms u; drawn: p and state (B, O) float32, written.
    """
    p, state = drawn
    rows, outputs = p.shape
    for c in prange(chunks):
        index = np.empty(x.shape[1], np.uint32)
        for s in range(rows * c // chunks, rows * (c + 1) // chunks):
            field = p[s]
            field[:] = bias
            n = active(x[s], index)
            add_rows(x[s], index, n, W, field)
            draw(field, state[s], beta, uint32(s * outputs), key)


@njit(cache=True)
def active(x, index):
    """Write the units of x (I,) float32 that are not 0 into `index`, in order, and return how many they are."""
    bits = x.view(np.int32)
    n = 0
    whole = bits.shape[0] // _GROUP * _GROUP
    for g in range(0, whole, _GROUP):
        some = _NONE
        for i in range(_GROUP):
            some |= bits[g + i]
        if some != _NONE:
            for i in range(g, g + _GROUP):
                index[n] = i  # written over by the next unit if x is 0 here: no branch to mispredict
                n += bits[i] != _NONE
    for i in range(whole, bits.shape[0]):
        index[n] = i
        n += bits[i] != _NONE
    return n


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def add_rows(x, index, n, W, out):
    """out += sum_k x[index[k]] W[index[k]], four rows at a time so that `out` is loaded a quarter as often."""
    k = 0
    while k + 4 <= n:
        i0, i1, i2, i3 = index[k], index[k + 1], index[k + 2], index[k + 3]
        x0, x1, x2, x3 = x[i0], x[i1], x[i2], x[i3]
        w0, w1, w2, w3 = W[i0], W[i1], W[i2], W[i3]
        for j in range(out.shape[0]):
            out[j] += (x0 * w0[j] + x1 * w1[j]) + (x2 * w2[j] + x3 * w3[j])
        k += 4
    while k < n:
        x0, w0 = x[index[k]], W[index[k]]
        for j in range(out.shape[0]):
            out[j] += x0 * w0[j]
        k += 1


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def draw(field, state, beta, counter, key):
    """field (N,) becomes p = s(beta field); state = 1 where uniform number `counter` + j lies below it."""
    k0, k1 = key
    for j in range(field.shape[0]):
        p = logistic(beta * field[j])
        field[j] = p
        state[j] = np.float32(uniform(uint32(counter + uint32(j)), k0, k1) < p)


@njit(parallel=True, cache=True)
def transpose(x, chunks, out):
    """out (N, M) becomes the transpose of x (M, N)."""
    columns = x.shape[1]
    for c in prange(chunks):
        first, last = columns * c // chunks, columns * (c + 1) // chunks
        transpose_columns(x, first, last, out[first:last])


@njit(cache=True, fastmath=False)
def transpose_columns(x, first, last, out):
    """out (last - first, M) becomes the transpose of columns `first` to `last` of x (M, N)."""
    rows = x.shape[0]
    whole, end = rows // _LINE * _LINE, first + (last - first) // SIDE * SIDE
    for row in range(0, whole, _LINE):
        for j in range(first, end, SIDE):
            for half in range(row, row + _LINE, SIDE):
                transpose_tile(x, half, j, out, j - first, half)
        for j in range(end, last):
            for i in range(row, row + _LINE):
                out[j - first, i] = x[i, j]
    for j in range(first, last):
        for i in range(whole, rows):
            out[j - first, i] = x[i, j]
