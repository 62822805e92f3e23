"""Compilation of kernels, reported as a phase while it lasts and timed separately from the work: it happens once, at a
kernel's first use, and takes up to half a minute."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from numba.core.event import Listener, install_listener

from neurobench.phases import phase

COMPILING = "compiling kernels, this first time only"


class Compilation(Listener):
    """Listener that times compilation. A kernel loaded from the cache raises no event; one that calls others, which are
    compiled with it, raises nested events."""

    def __init__(self) -> None:
        self.depth, self.open = 0, ExitStack()
        self.begun, self.ended = 0.0, 0.0  # s: start of the current compilation; total of those that have ended

    def on_start(self, event: Any) -> None:
        if self.depth == 0:
            self.open.enter_context(phase(COMPILING))
            self.begun = time.perf_counter()
        self.depth += 1

    def on_end(self, event: Any) -> None:
        self.depth -= 1
        if self.depth == 0:
            self.ended += time.perf_counter() - self.begun
            self.open.close()

    @property
    def seconds(self) -> float:
        """Seconds spent compiling so far."""
        return self.ended + (time.perf_counter() - self.begun if self.depth else 0.0)

    def working_time(self) -> float:
        """Time in seconds on a clock that stops while kernels are compiled."""
        return time.perf_counter() - self.seconds


_listening: list[Compilation] = []


@contextmanager
def named_compilation() -> Iterator[Compilation]:
    """Context manager: report compilation as a separate phase, and exclude it from `working_time`."""
    compilation = Compilation()
    _listening.append(compilation)
    try:
        with install_listener("numba:compile", compilation):
            yield compilation
    finally:
        _listening.remove(compilation)


def working_time() -> float:
    """`Compilation.working_time` of the current run; outside a run, an ordinary clock."""
    return _listening[-1].working_time() if _listening else time.perf_counter()
