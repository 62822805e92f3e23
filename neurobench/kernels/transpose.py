"""A transposed copy, sixteen rows at a time: then each line of memory is written whole, once."""

from numba import njit, prange

_ROWS = 16  # of float32: the 64 bytes of a cache line


@njit(parallel=True, cache=True)
def transpose(x, chunks, out):  # type: ignore[no-untyped-def]
    """out (N, M) becomes the transpose of x (M, N)."""
    columns = x.shape[1]
    for c in prange(chunks):
        first, last = columns * c // chunks, columns * (c + 1) // chunks
        transpose_columns(x, first, last, out[first:last])


@njit(cache=True)
def transpose_columns(x, first, last, out):  # type: ignore[no-untyped-def]
    """out (last - first, M) becomes the transpose of columns `first` to `last` of x (M, N)."""
    whole = x.shape[0] // _ROWS
    for block in range(whole + 1):
        row = block * _ROWS
        if block < whole:
            for j in range(first, last):
                for i in range(_ROWS):
                    out[j - first, row + i] = x[row + i, j]
        else:
            for j in range(first, last):
                for i in range(row, x.shape[0]):
                    out[j - first, i] = x[i, j]
