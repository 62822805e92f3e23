"""What the process of a command spares itself: looking for garbage among what it has imported.

Torch and its company are a million objects that stay to the end. Python's collector of reference cycles goes through
all of them several times while they are made and again when the process ends: 3 s of a run. It goes on as ever in a
process that is not ours, such as a notebook's.
"""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from neurobench.phases import phase

MANY = 100  # modules; of fewer, what is frozen with them would be garbage of earlier runs above all
_runs_one_command = _is_worker = False


def run_one_command(as_worker: bool = False) -> None:
    """This process ends with its command, or is a worker of its sweep: what is alive then is left to the operating
    system."""
    global _runs_one_command, _is_worker
    _runs_one_command, _is_worker = True, as_worker
    atexit.register(gc.freeze)  # registered first, called last


def runs_alone() -> bool:
    """Whether it is the one process of a command, which may start another for a core that would be idle."""
    return _runs_one_command and not _is_worker


@contextmanager
def importing(what: str) -> Iterator[None]:
    """Within it modules are imported, which is a phase of its own; they are not looked through, then or ever after."""
    with phase(f"importing {what}".rstrip()):
        if not _runs_one_command:
            yield
            return
        known = len(sys.modules)
        gc.disable()
        try:
            yield
        finally:
            if len(sys.modules) > known + MANY:
                gc.freeze()
            gc.enable()
