"""What can be looked at while it is computed: a sampler's job, the decision map of a network.

    if live.wanted():
        live.publish(live.ClassMap(title, probabilities))

Where nobody looks, nothing is computed for it. Whoever publishes computes by what is there already, or by draws of
their own: a run that is looked at gives the same bits. It needs the standard library alone; any room may publish.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

PAUSE = 0.1  # s between two views


class Job(NamedTuple):
    """Of a sampler, as it stands."""

    number: int
    seconds: float
    chips: int  # reads that were asked for; each is a chip's
    done: int  # of them, those that have got to the end
    step: int  # that the others have got to
    steps: int
    energy: float  # lowest of the chips looked at last
    best: float  # lowest so far


class ClassMap(NamedTuple):
    """Class probabilities over the unit square: [y from 0 up][x][class]."""

    title: str
    probabilities: Sequence[Sequence[Sequence[float]]]


View = Job | ClassMap
Watcher = Callable[[View], None]
_watchers: list[Watcher] = []
_numbers = itertools.count(1)
_shown = float("-inf")  # when something was shown last


def watched() -> bool:
    return bool(_watchers)


def wanted() -> bool:
    """Whether anybody looks, and a little while has gone by since there was something to see."""
    return bool(_watchers) and time.monotonic() - _shown >= PAUSE


def publish(view: View) -> None:
    global _shown
    _shown = time.monotonic()
    for watcher in _watchers:
        watcher(view)


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Within it `watcher` is given every view."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


class JobMonitor:
    """Publishes how a job goes on. `lowest` is called where somebody looks, and nowhere else."""

    def __init__(self, chips: int, steps: int):
        self.chips, self.steps, self.best = chips, steps, float("inf")
        self.number = next(_numbers) if _watchers else 0
        self.begun = time.monotonic()

    def ended(self, before: int, done: int, lowest: Callable[[], float]) -> None:
        """`before` + `done` chips have got to the end."""
        self.at(before + done, self.steps, lowest)

    def at(self, done: int, step: int, lowest: Callable[[], float]) -> None:
        """`done` chips have got to the end, the others to `step`. The end of the job is always shown."""
        if not (_watchers and done == self.chips) and not wanted():
            return
        energy = lowest()
        self.best = min(self.best, energy)
        seconds = time.monotonic() - self.begun
        publish(Job(self.number, seconds, self.chips, done, step, self.steps, energy, self.best))
