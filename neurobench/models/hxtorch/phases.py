"""The phases of a training: where each computes its forward pass, its share of the updates, its learning rates."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

from neurobench.config.bounds import Bound, BoundsError, Fault
from neurobench.config.errors import did_you_mean
from neurobench.config.spec import Record
from neurobench.models.learner import Step


@dataclass(frozen=True, kw_only=True)
class Phase(Record):
    """Begins with a fresh Adam.

    `steps` are exact where the run has as many updates as its phases have steps; a run with more or fewer
    (another data set, a smaller scale) stretches all phases and their schedules alike.
    """

    where: Literal["host", "device"]  # host: on the linear model that the host has of the device
    steps: Annotated[int, Bound(0)]
    lr: Annotated[float, Bound(0, 1000, above=True)]
    schedule: Literal["exponential", "cosine"]
    gamma: Annotated[float, Bound(0, 1, above=True)] = 1.0  # factor on lr a step; exponential only
    logit_scale: Annotated[float, Bound(0, 1000, above=True)] = 1.0  # in the loss: logits reach +-128 LSB


class Position(NamedTuple):
    """Update j (from 0) of the `length` of a phase."""

    name: str
    j: int
    length: int

    @property
    def ends_phase(self) -> bool:
        return self.j == self.length - 1


def position(phases: Mapping[str, Phase], at: Step) -> Position:
    """Which phase update at.k of at.n belongs to. Phases share the updates in proportion to their steps."""
    total = sum(phase.steps for phase in phases.values())
    done, begin = 0, 0
    for name, phase in phases.items():
        done += phase.steps
        end = round(at.n * done / total)
        if at.k < end:
            return Position(name, at.k - begin, end - begin)
        begin = end
    raise ValueError(f"update {at.k} is not one of {at.n}")


def learning_rate(phase: Phase, at: Position) -> float:
    """lr gamma^j, or lr (1 + cos(pi j / steps)) / 2; j counted in the phase's own steps."""
    from neurobench.models.common import training  # torch with it, which a spec must not import

    if phase.schedule == "cosine":
        return phase.lr * training.cosine(at.j, at.length)
    return phase.lr * training.exponential(at.j, at.length, phase.gamma, phase.steps)


def phase_faults(phases: Any) -> list[Fault]:
    """What is wrong with a section of phases: their keys, their values, or else their order."""
    if not isinstance(phases, Mapping):
        return [("phases", f"={phases!r} is not a section of phases")]
    faults = [fault for name, fields in phases.items() for fault in _faults_of(f"phases.{name}", fields)]
    return faults or _order_faults(phases)


def _faults_of(path: str, fields: Any) -> list[Fault]:
    if not isinstance(fields, Mapping):
        return [(path, f"={fields!r} is not a section of keys")]
    known = {field.name: field for field in dataclasses.fields(Phase)}
    faults = [
        (f"{path}.{key}", f": a phase has no such key.{did_you_mean(str(key), known)}")
        for key in fields
        if key not in known
    ]
    required = [name for name, field in known.items() if field.default is dataclasses.MISSING]
    faults += [(f"{path}.{name}", " is missing") for name in required if name not in fields]
    if faults:
        return faults
    try:
        Phase(**fields)
    except BoundsError as error:
        return [(f"{path}.{field}", sentence) for field, sentence in error.faults]
    return []


def _order_faults(phases: Mapping[str, Mapping[str, Any]]) -> list[Fault]:
    """Weights are transferred once, from the host to the device."""
    transferred = None
    for name, fields in phases.items():
        if fields["where"] == "device":
            transferred = transferred or name
        elif transferred:
            sentence = f"=host comes after phase {transferred}, which is on the device; put the host's phases first"
            return [(f"phases.{name}.where", sentence)]
    return []
