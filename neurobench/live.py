"""Live views of a computation in progress: a sampler's job, the decision map of a network.

    if live.wanted():
        live.publish(live.ClassMap(title, probabilities))

If nobody watches, nothing is computed for a view. A publisher uses values that it has already, or separate random
draws, so that a watched run gives the same bits. Only the standard library is needed; any subpackage may publish.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

PAUSE = 0.1  # s between two views


class Job(NamedTuple):
    """Current state of a sampler's job."""

    number: int
    seconds: float
    chips: int  # requested reads, one per chip
    done: int  # number of them that have finished
    step: int  # step reached by the others
    steps: int
    energy: float  # lowest of the chips examined last
    best: float  # lowest so far


class ClassMap(NamedTuple):
    """Class probabilities over the unit square: [y from 0 up][x][class]."""

    title: str
    probabilities: Sequence[Sequence[Sequence[float]]]


View = Job | ClassMap
Watcher = Callable[[View], None]
_watchers: list[Watcher] = []
_numbers = itertools.count(1)
_shown = float("-inf")  # time of the last view


def watched() -> bool:
    return bool(_watchers)


def wanted() -> bool:
    """Whether anybody is watching and the last view is at least PAUSE seconds old."""
    return bool(_watchers) and time.monotonic() - _shown >= PAUSE


def publish(view: View) -> None:
    global _shown
    _shown = time.monotonic()
    for watcher in _watchers:
        watcher(view)


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Context manager: pass every view to `watcher`."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


class JobMonitor:
    """Publisher of the progress of a job. `lowest` is called only if somebody is watching."""

    def __init__(self, chips: int, steps: int):
        self.chips, self.steps, self.best = chips, steps, float("inf")
        self.number = next(_numbers) if _watchers else 0
        self.begun = time.monotonic()

    def ended(self, before: int, done: int, lowest: Callable[[], float]) -> None:
        """Report that `before` + `done` chips have finished."""
        self.at(before + done, self.steps, lowest)

    def at(self, done: int, step: int, lowest: Callable[[], float]) -> None:
        """Report that `done` chips have finished and the others have reached `step`. The end of the job is always
        shown."""
        if not (_watchers and done == self.chips) and not wanted():
            return
        energy = lowest()
        self.best = min(self.best, energy)
        seconds = time.monotonic() - self.begun
        publish(Job(self.number, seconds, self.chips, done, step, self.steps, energy, self.best))
