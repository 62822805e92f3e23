"""Memory that begins a line of the cache.

numpy aligns to 16 bytes, numba to 32. Of vectors that lie askew in it every second one of 256 bits is in two lines, and
every one of 512 bits: each is then read, or written, twice.
"""

from typing import Any

import numpy as np

from neurobench.kernels.declared import njit

LINE = 64  # bytes
FLOATS = LINE // 4  # float32 in a line


def on_lines(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Unwritten. Its last line is its own to the end: it can be read in whole lines."""
    kind = np.dtype(dtype)
    size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
    space = np.empty(size + 2 * LINE, np.uint8)
    first = -space.ctypes.data % LINE
    return space[first : first + size].view(kind).reshape(shape)


def aligned(values: np.ndarray, dtype: Any = None) -> np.ndarray:
    """A copy of them there."""
    copied = on_lines(values.shape, values.dtype if dtype is None else dtype)
    copied[...] = values
    return copied


@njit(cache=True, error_model="numpy", fastmath=False)
def rows_on_lines(rows, width, like):
    """The same within a kernel: a matrix (rows, width) of the type of the array `like`."""
    size = rows * width * like.itemsize
    space = np.empty(size + LINE, np.uint8)
    first = -space.ctypes.data % LINE
    return space[first : first + size].view(like.dtype).reshape(rows, width)


@njit(cache=True, _nrt=False, error_model="numpy", fastmath=False)
def copy(row, to):
    """For kernels that count no references (`_nrt=False`), where numba does not know `to[:] = row`."""
    for j in range(len(to)):
        to[j] = row[j]
