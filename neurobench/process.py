"""The process of a command: the signals that stop it; its readers, who may leave; and imported modules, which are
exempt from garbage collection.

Torch and its dependencies are a million objects that live until the end. Python's collector of reference cycles
traverses all of them several times while they are created and again when the process ends: 3 s of a run. It works as
usual in a process that is not a command's, such as a notebook's.
"""

from __future__ import annotations

import atexit
import errno
import gc
import io
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from neurobench.phases import phase

MANY = 100  # modules; with fewer, freezing would mainly retain garbage of earlier runs
_runs_one_command = _is_worker = False


def run_one_command(as_worker: bool = False) -> None:
    """Declare that this process ends with its command, or is a worker of its sweep: objects alive at the end are left
    to the operating system."""
    global _runs_one_command, _is_worker
    _runs_one_command, _is_worker = True, as_worker
    atexit.register(gc.freeze)  # registered first, called last


def runs_alone() -> bool:
    """Whether this is the only process of a command, which may start another for a core that would be idle."""
    return _runs_one_command and not _is_worker


def stop_signals() -> list[signal.Signals]:
    """Signals that ask this process to stop (Ctrl-C, `kill`, a closed terminal), without those that it ignores: SIGHUP
    under nohup, SIGINT in the background of a script."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]


def is_stop(error: BaseException | None) -> bool:
    """Whether an error is, or was caused by, Ctrl-C or another of these signals: a parallel compiled kernel that was
    running ends in a SystemError instead."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__
    return error is not None


@contextmanager
def stops_as_usual() -> Iterator[None]:
    """Context manager: such a SystemError is the KeyboardInterrupt that callers expect."""
    try:
        yield
    except SystemError as error:
        if is_stop(error):
            raise KeyboardInterrupt from None
        raise


class _Unread(io.FileIO):
    """File of a standard stream that discards what is written once nobody can read it, for which the system reports one
    of the errors `ends`."""

    def __init__(self, number: int, ends: Sequence[int]):
        super().__init__(number, "w", closefd=False)
        self.ends = ends

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in self.ends:
                raise
            return len(data)


def outlive_readers() -> None:
    """Let this process continue if its terminal is closed without a signal (`disown`), or if the reader of its messages
    is gone. If the reader of stdout is gone, each command decides whether it continues."""
    for name, of_pipe in (("stdout", ()), ("stderr", (errno.EPIPE,))):
        stream = getattr(sys, name)
        if stream is not getattr(sys, f"__{name}__") or not isinstance(stream, io.TextIOWrapper):
            continue  # replaced already, such as by the null device; it would be closed with its last reference
        if ends := (errno.EIO,) if stream.isatty() else of_pipe:
            file = _Unread(stream.fileno(), ends)
            buffer = file if stream.write_through else io.BufferedWriter(file)
            layout = (None, stream.line_buffering, stream.write_through)
            setattr(sys, name, io.TextIOWrapper(buffer, stream.encoding, stream.errors, *layout))


@contextmanager
def importing(what: str) -> Iterator[None]:
    """Context manager: import modules, as a separate phase, and exempt them from garbage collection, then and later."""
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
