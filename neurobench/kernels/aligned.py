"""Arrays that begin at a cache line.

NumPy aligns to 16 bytes, numba to 32. In an array that is not aligned to lines, every second vector of 256 bits and
every one of 512 bits spans two lines: each is then read, or written, twice.
"""

from typing import Any

import numpy as np

from neurobench.kernels.jit import njit

LINE = 64  # bytes
FLOATS = LINE // 4  # float32 in a line


def on_lines(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Uninitialised array that begins at a cache line and shares its last one with no other data, so that it can be
    read in whole lines."""
    kind = np.dtype(dtype)
    size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
    space = np.empty(size + 2 * LINE, np.uint8)
    first = -space.ctypes.data % LINE
    return space[first : first + size].view(kind).reshape(shape)


def aligned(values: np.ndarray, dtype: Any = None) -> np.ndarray:
    """Copy of `values` that begins at a cache line."""
    copied = on_lines(values.shape, values.dtype if dtype is None else dtype)
    copied[...] = values
    return copied


@njit(inner=True, cache=True, error_model="numpy", fastmath=False)
def rows_on_lines(rows, width, like):
    """Uninitialised matrix (rows, width) that begins at a cache line, of the type of the array `like`."""
    size = rows * width * like.itemsize
    space = np.empty(size + LINE, np.uint8)
    first = -space.ctypes.data % LINE
    return space[first : first + size].view(like.dtype).reshape(rows, width)


@njit(inner=True, cache=True, _nrt=False, error_model="numpy", fastmath=False)
def copy(row, to):
    """Copy `row` to `to` in kernels without reference counting (`_nrt=False`), where numba lacks `to[:] = row`."""
    for j in range(len(to)):
        to[j] = row[j]
