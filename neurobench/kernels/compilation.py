"""Compiling is named while it lasts: it happens once, at a kernel's first use, and takes up to half a minute."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from numba.core.event import Listener, install_listener

from neurobench.phases import phase

COMPILING = "compiling kernels, this first time only"


class _Compilation(Listener):
    """A kernel that is read from the cache raises no event; one that calls others, which are compiled with it, several
    inside one another."""

    def __init__(self) -> None:
        self.depth, self.open = 0, ExitStack()

    def on_start(self, event: Any) -> None:
        if self.depth == 0:
            self.open.enter_context(phase(COMPILING))
        self.depth += 1

    def on_end(self, event: Any) -> None:
        self.depth -= 1
        if self.depth == 0:
            self.open.close()


@contextmanager
def named_compilation() -> Iterator[None]:
    """Within it, compiling is a phase of its own."""
    with install_listener("numba:compile", _Compilation()):
        yield
