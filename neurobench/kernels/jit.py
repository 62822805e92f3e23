"""The `njit` decorator of all kernels: numba's, without unused wrappers.

Numba compiles two wrappers with each kernel, one for callers in C and one for callers in Python. No kernel of this
package is called from C, and no inner one from Python. Wrappers are optimised like the kernel itself, and again in each
kernel that calls it: a quarter of the compile time.
"""

from collections.abc import Callable
from typing import Any

import numba
from numba.core.registry import CPUDispatcher


class Inner(CPUDispatcher):
    """Dispatcher of a kernel that only kernels call; without it, Python calls would jump to a missing function."""

    def __call__(self, *args: Any) -> Any:
        raise TypeError(f"{self.py_func.__name__} is an inner kernel: it can be called by kernels alone")


def njit(inner: bool | None = None, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Declare a kernel. inner: called by kernels alone; by default those whose names begin with an underscore."""

    def declared(function: Callable[..., Any]) -> Any:
        is_inner = function.__name__.startswith("_") if inner is None else inner
        kernel = numba.njit(**options, no_cfunc_wrapper=True, no_cpython_wrapper=is_inner)(function)
        if is_inner and isinstance(kernel, CPUDispatcher):  # NUMBA_DISABLE_JIT leaves the function unchanged
            kernel.__class__ = Inner
        return kernel

    return declared
