"""`njit` of every kernel: numba's, without wrappers that nobody calls.

Numba compiles two with each kernel, one for callers in C and one for callers in Python. Nobody calls ours from C, nor
from Python one whose name begins with an underscore. Wrappers are optimised like the kernel itself, and again in each
kernel that calls it: a quarter of the time of compiling.
"""

from collections.abc import Callable
from typing import Any

import numba
from numba.core.registry import CPUDispatcher


class Inner(CPUDispatcher):
    """Of a kernel that kernels alone call. Without this, Python would jump to where there is no function."""

    def __call__(self, *args: Any) -> Any:
        raise TypeError(f"{self.py_func.__name__} begins with an underscore: it can be called by kernels alone")


def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    def declared(function: Callable[..., Any]) -> Any:
        inner = function.__name__.startswith("_")
        kernel = numba.njit(**options, no_cfunc_wrapper=True, no_cpython_wrapper=inner)(function)
        if inner and isinstance(kernel, CPUDispatcher):  # NUMBA_DISABLE_JIT leaves the function as it is
            kernel.__class__ = Inner
        return kernel

    return declared
