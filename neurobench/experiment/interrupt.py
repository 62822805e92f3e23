"""Ctrl-C between two updates, never inside one."""

import signal
import threading
from types import FrameType, TracebackType


class Interrupted(Exception):
    """The run was asked to stop and left a checkpoint that it can go on from."""


class Interruption:
    """While it is entered, the first Ctrl-C (or SIGTERM, as clusters send it) only sets `asked`.

    An update changes weights in place; a checkpoint of a half-done update could not be resumed to the same result.
    A second Ctrl-C stops at once and leaves the last checkpoint.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
