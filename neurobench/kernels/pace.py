"""As many threads as are faster right now, for repeated work that gives the same bits whatever their number.

A kernel that shares its work out waits for its slowest thread. Where another process has one of the cores, that one is
away for milliseconds at a time, and two threads can take four times as long as one; on idle cores they take half.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import ParamSpec, TypeVar

import numba

TRIED = 3  # calls with each number of threads, before it is decided
SHORTEST, LONGEST = 30, 1000  # calls until they are tried again: twice as many whenever the decision stands

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def kernel_threads(number: int) -> Iterator[None]:
    """Within it compiled kernels have so many threads."""
    before = numba.get_num_threads()
    numba.set_num_threads(number)
    try:
        yield
    finally:
        numba.set_num_threads(before)


class Pace:
    """Calls of about the same length are made with all threads that there are, or with one."""

    def __init__(self) -> None:
        self._begin(1)

    def _begin(self, most: int) -> None:
        self.most, self.cold = most, True  # the first call may be compiled or read from a file, and memory is new to it
        self.tried: dict[int, list[float]] = {}  # threads -> s of a call
        self.fastest = 0  # threads; none yet
        self.left, self.period = 0, SHORTEST  # calls until the next trial, and of the next period

    def __call__(self, work: Callable[P, R], *args: P.args, **keywords: P.kwargs) -> R:
        most = numba.get_num_threads()
        if most == 1:
            return work(*args, **keywords)
        if most != self.most:  # another run of the same process
            self._begin(most)
        if self.left:
            self.left -= 1
            with kernel_threads(self.fastest):
                return work(*args, **keywords)
        threads = most if len(self.tried.get(most, [])) < TRIED else 1
        begun = time.perf_counter()
        with kernel_threads(threads):
            result = work(*args, **keywords)
        if not self.cold:
            self.tried.setdefault(threads, []).append(time.perf_counter() - begun)
        self.cold = False
        if len(self.tried.get(1, [])) == TRIED:
            self._decide()
        return result

    def _decide(self) -> None:
        fastest = min(self.tried, key=lambda threads: median(self.tried[threads]))
        self.period = min(2 * self.period, LONGEST) if fastest == self.fastest else SHORTEST
        self.fastest, self.left, self.tried = fastest, self.period, {}
