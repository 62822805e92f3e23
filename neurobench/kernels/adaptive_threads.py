"""Choice between all threads and one, by current speed, for repeated work whose bits do not depend on their number.

A kernel that shares out its work waits for its slowest thread. If another process uses one of the cores, a thread is
suspended for milliseconds at a time, and two threads can take four times as long as one; on idle cores they take half.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import ParamSpec, TypeVar

import numba

TRIED = 3  # calls with each number of threads before the decision
SHORTEST, LONGEST = 30, 1000  # calls until the next trial: twice as many whenever the decision stays the same

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def kernel_threads(number: int) -> Iterator[None]:
    """Context manager: run compiled kernels with `number` threads."""
    before = numba.get_num_threads()
    numba.set_num_threads(number)
    try:
        yield
    finally:
        numba.set_num_threads(before)


class AdaptiveThreads:
    """Runner for calls of about equal length: with all available threads or with one, whichever is faster."""

    def __init__(self) -> None:
        self._begin(1)

    def _begin(self, most: int) -> None:
        self.most, self.cold = most, True  # the first call may compile or load its kernel, and touches new memory
        self.tried: dict[int, list[float]] = {}  # threads -> s of a call
        self.fastest = 0  # number of threads; 0: not decided yet
        self.left, self.period = 0, SHORTEST  # calls left until the next trial, and calls between two trials

    def __call__(self, work: Callable[P, R], *args: P.args, **keywords: P.kwargs) -> R:
        most = numba.get_num_threads()
        if most == 1:
            return work(*args, **keywords)
        if most != self.most:  # another run in the same process
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
