"""`njit` of every kernel: numba's, less the function that it makes beside each for callers in C, of whom there are
none. That would be optimised and made machine code like the kernel itself, a fifth of the time of compiling."""

from functools import partial

import numba

njit = partial(numba.njit, no_cfunc_wrapper=True)
