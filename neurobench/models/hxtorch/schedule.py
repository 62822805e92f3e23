"""Where an update lies among the phases of a training, and which learning rate it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from neurobench.models.common import schedules
from neurobench.models.hxtorch.spec import Phase
from neurobench.models.learner import Step


class Place(NamedTuple):
    """Update j (from 0) of the `length` of a phase."""

    name: str
    j: int
    length: int

    @property
    def last(self) -> bool:
        return self.j == self.length - 1


def place(phases: Mapping[str, Phase], at: Step) -> Place:
    """Which phase update at.k of at.n belongs to. Phases share the updates in proportion to their steps."""
    total = sum(phase.steps for phase in phases.values())
    done, begin = 0, 0
    for name, phase in phases.items():
        done += phase.steps
        end = round(at.n * done / total)
        if at.k < end:
            return Place(name, at.k - begin, end - begin)
        begin = end
    raise ValueError(f"update {at.k} is not one of {at.n}")


def rate(phase: Phase, at: Place) -> float:
    """lr gamma^j, or lr (1 + cos(pi j / steps)) / 2; j counted in the phase's own steps."""
    if phase.schedule == "cosine":
        return phase.lr * schedules.cosine(at.j, at.length)
    return phase.lr * schedules.exponential(at.j, at.length, phase.gamma, phase.steps)
