"""Display of what the program is busy with, on the screen while it works.

    with phase("testing", total=10_000) as progress:
        progress.advance(1000)

On a terminal it is a line with a spinner, the seconds and, if the total is known, a bar and the time left; the line is
cleared once the phase has ended. Elsewhere a plain line is written now and then. It goes to stderr, so that results can
be piped, and needs only the standard library, so that it appears before anything else has been imported. Any subpackage
may name a phase; nothing is shown outside the context manager `shown`, which commands enter.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TextIO, TypeVar

TICK = 0.1  # s between two redraws
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 60.0  # s between lines without a terminal; doubled after each
BAR = 20  # columns
Item = TypeVar("Item")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Phase:
    """Part of the program that takes a while. `total`: its number of steps, if known."""

    def __init__(self, name: str, total: int | None = None):
        self.name, self.total, self.done, self.begun = name, total, 0, time.monotonic()

    def advance(self, steps: int = 1) -> None:
        self.done += steps

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.begun

    @property
    def part(self) -> float | None:
        """Fraction done, in [0, 1]; None if the total is unknown or nothing is done yet."""
        return min(1.0, self.done / self.total) if self.total and self.done else None

    def times(self) -> str:
        """Seconds so far and, once a part is done, the time left if it continues at the same speed."""
        if self.part is None:
            return _duration(self.seconds)
        return f"{_duration(self.seconds)}, {_duration(self.seconds * (1 / self.part - 1))} left"


_open: list[Phase] = []  # the innermost last


@contextmanager
def phase(name: str, total: int | None = None) -> Iterator[Phase]:
    """Context manager: mark the program as busy with `name`. Phases may be nested; the innermost is shown."""
    entry = Phase(name, total)
    _open.append(entry)
    try:
        yield entry
    finally:
        _open.remove(entry)


def tracked(name: str, items: Sequence[Item]) -> Iterator[Item]:
    """Yield the items one after the other, each as a step of a phase."""
    with phase(name, len(items)) as progress:
        for item in items:
            yield item
            progress.advance()


def innermost() -> Phase | None:
    return _open[-1] if _open else None


@contextmanager
def shown() -> Iterator[None]:
    """Context manager: show phases on stderr, and anything printed to the same terminal above their line."""
    outputs, screen = (sys.stdout, sys.stderr), _screen(sys.stderr)
    if isinstance(screen, Terminal):
        sys.stderr = _Above(sys.stderr, screen)
        if sys.stdout.isatty():
            sys.stdout = _Above(sys.stdout, screen)
    ended = threading.Event()
    ticker = threading.Thread(target=_tick, args=(screen, ended), daemon=True)
    screen.show()
    ticker.start()
    try:
        yield
    finally:
        ended.set()
        ticker.join()
        sys.stdout, sys.stderr = outputs
        screen.clear()


def _tick(screen: Screen, ended: threading.Event) -> None:
    while not ended.wait(TICK):
        screen.show()


class Screen(Protocol):
    def show(self) -> None: ...  # the current state of the innermost phase; called every TICK seconds

    def clear(self) -> None: ...


def _screen(stream: TextIO) -> Screen:
    return Terminal(stream) if stream.isatty() and os.environ.get("TERM") != "dumb" else Log(stream)


class Terminal:
    """Display in one line, redrawn at each tick; the cursor stays at its beginning."""

    def __init__(self, stream: TextIO):
        self.stream, self.lock, self.ticks = stream, threading.RLock(), 0
        self.is_drawn = False
        self.at_line_start = True  # otherwise other output is in progress, and the line would cut through it
        unicode = (stream.encoding or "").lower().replace("-", "").startswith("utf")
        self.frames, self.full, self.empty = ("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "━", "─") if unicode else ("|/-\\", "#", ".")

    def show(self) -> None:
        current = innermost()
        with self.lock:
            if current is None or not self.at_line_start:
                return
            width = shutil.get_terminal_size().columns - 1
            self.stream.write(f"\r{self._line(current)[:width]}\x1b[K\r")
            self.stream.flush()
            self.is_drawn = True

    def clear(self) -> None:
        with self.lock:
            if self.is_drawn:
                self.stream.write("\r\x1b[K")
                self.stream.flush()
                self.is_drawn = False

    def _line(self, current: Phase) -> str:
        self.ticks += 1
        words = [f"{self.frames[self.ticks % len(self.frames)]} {current.name}"]
        if current.part is not None:
            cells = round(BAR * current.part)
            words.append(f"{self.full * cells}{self.empty * (BAR - cells)} {current.part:4.0%}")
        return "  ".join([*words, current.times()])


class Log:
    """Display in plain lines, at intervals that grow while a phase lasts."""

    def __init__(self, stream: TextIO):
        self.stream, self.pause, self.spoke = stream, FIRST_PAUSE, time.monotonic()
        self.current: Phase | None = None

    def show(self) -> None:
        current = innermost()
        if current is not self.current:
            self.current, self.pause = current, FIRST_PAUSE
        if current is not None and time.monotonic() - self.spoke >= self.pause:
            part = "" if current.part is None else f", {current.part:.0%}"
            print(f"{current.name}{part}, {current.times()}", file=self.stream, flush=True)
            self.pause, self.spoke = min(2 * self.pause, LONGEST_PAUSE), time.monotonic()

    def clear(self) -> None:
        pass


class _Above:
    """Stream of a terminal: text written to it replaces the phase's line, which follows below."""

    def __init__(self, stream: TextIO, screen: Terminal):
        self._stream, self._screen = stream, screen

    def write(self, text: str) -> int:
        with self._screen.lock:
            self._screen.clear()
            written = self._stream.write(text)
            self._stream.flush()
            visible = _CONTROL.sub("", text)
            if visible:
                self._screen.at_line_start = visible[-1] in "\r\n"
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
