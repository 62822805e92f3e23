"""Configuration of the hxtorch perceptron and of its training phases."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from neurobench.config.bounds import Bound, BoundsError, Fault
from neurobench.config.errors import UserError, did_you_mean
from neurobench.config.spec import Record, Uses
from neurobench.data.dataset import Layout
from neurobench.devices.spec import Demand
from neurobench.models.common.exchange import FORMATS
from neurobench.models.learner import ModelSpec, Step, Task

FRAMES = 48  # of the animation
TAKEN = ("test", "transfer")  # names of accuracies other than those after a phase


@dataclass(frozen=True, kw_only=True)
class Phase(Record):
    """Training phase, which begins with a fresh Adam.

    `steps` are exact if the run has as many updates as its phases have steps; a run with more or fewer
    (another data set, a smaller scale) stretches all phases and their schedules in proportion.
    """

    where: Literal["host", "device"]  # host: on the host's linear model of the device
    steps: Annotated[int, Bound(0)]
    lr: Annotated[float, Bound(0, 1000, above=True)]
    schedule: Literal["exponential", "cosine"]
    gamma: Annotated[float, Bound(0, 1, above=True)] = 1.0  # factor on lr per step; exponential only
    logit_scale: Annotated[float, Bound(0, 1000, above=True)] = 1.0  # in the loss, since logits reach +-128 LSB


class Position(NamedTuple):
    """Position in a phase: update j (from 0) of `length`."""

    name: str
    j: int
    length: int

    @property
    def ends_phase(self) -> bool:
        return self.j == self.length - 1


def updates_by_phase(phases: Mapping[str, Phase], n: int) -> dict[str, range]:
    """Updates of each phase. Phases share the n updates of a run in proportion to their steps."""
    total = sum(phase.steps for phase in phases.values())
    done, begin, updates = 0, 0, {}
    for name, phase in phases.items():
        done += phase.steps
        end = round(n * done / total)
        updates[name], begin = range(begin, end), end
    return updates


def position(phases: Mapping[str, Phase], at: Step) -> Position:
    """Phase, and position in it, of update at.k of at.n."""
    for name, updates in updates_by_phase(phases, at.n).items():
        if at.k in updates:
            return Position(name, at.k - updates.start, len(updates))
    raise ValueError(f"update {at.k} is not one of {at.n}")


def _phase_faults(path: str, fields: Any) -> list[Fault]:
    if not isinstance(fields, Mapping):
        return [(path, f"={fields!r} is not a section of keys")]
    known = {field.name: field for field in dataclasses.fields(Phase)}
    unknown = [key for key in fields if key not in known]
    faults = [(f"{path}.{key}", f": a phase has no such key.{did_you_mean(str(key), known)}") for key in unknown]
    required = [name for name, field in known.items() if field.default is dataclasses.MISSING]
    faults += [(f"{path}.{name}", " is missing") for name in required if name not in fields]
    if faults:
        return faults
    try:
        Phase(**fields)
    except BoundsError as error:
        return [(f"{path}.{field}", sentence) for field, sentence in error.faults]
    return []


@dataclass(frozen=True, kw_only=True)
class HXTorchMLP(ModelSpec):
    """Linear(I, hidden) -> ConvertingReLU(shift) -> Linear(hidden, C, avg) on an analog matrix multiplier.

    Source: the tutorial "Train DNNs on BrainScaleS-2" (values) and hxtorch 3bfc7aa (formulas).
    """

    opens: ClassVar[str] = "neurobench.models.hxtorch.learner.HXTorchMLPLearner"
    reads: ClassVar[tuple[Layout, ...]] = ("vector", "image")
    figures: ClassVar[str] = "neurobench.models.hxtorch.figures.figures"
    exports: ClassVar[str] = "neurobench.models.hxtorch.learner.exports"
    formats: ClassVar[Mapping[str, str]] = {"safetensors": f"{FORMATS['safetensors']}, in LSB"}
    operations: ClassVar[str] = "neurobench.models.hxtorch.evaluation.operations"
    tutorial_metrics: ClassVar[str] = "neurobench.models.hxtorch.evaluation.tutorial_metrics"
    printout: ClassVar[str] = "neurobench.models.hxtorch.printout.printout"

    hidden: Annotated[int, Bound(1, 100_000)]
    avg: Annotated[int, Bound(1, 256)]
    shift: Annotated[int, Bound(0, 16)]
    bias: bool
    half_lsb: bool
    num_sends: tuple[Annotated[int, Bound(1, 10_000)] | None, ...]
    exact: bool
    passes: Annotated[int, Bound(1, 1000)]
    init_from: str | None
    phases: Mapping[str, Mapping[str, Any]]
    mac: Annotated[str, Uses("mac")]
    grid: Annotated[int, Bound(0, 256)] = 0

    def section_faults(self) -> list[Fault]:
        """Faults of the phases: keys and values, else their order, since weights go from host to device only once."""
        if not isinstance(self.phases, Mapping):
            return [("phases", f"={self.phases!r} is not a section of phases")]
        faults = [fault for name, fields in self.phases.items() for fault in _phase_faults(f"phases.{name}", fields)]
        taken = [name for name in TAKEN if name in self.phases]
        faults += [(f"phases.{name}", f": {name}_accuracy has another meaning; rename the phase") for name in taken]
        transferred = None
        for name, fields in [] if faults else self.phases.items():
            if fields["where"] == "device":
                transferred = transferred or name
            elif transferred:
                sentence = f"=host comes after phase {transferred}, which is on the device; put the host's phases first"
                return [(f"phases.{name}.where", sentence)]
        return faults

    def conflicts(self) -> list[Fault]:
        faults: list[Fault] = []
        if len(self.num_sends) != 2:
            faults.append(("num_sends", f"={list(self.num_sends)!r} is not one entry for each of the 2 layers"))
        if not self.plan:
            on_device = " on the device, and init_from skips the others" if self.init_from else ""
            faults.append(("phases", f": no phase has steps{on_device}"))
        if self.init_from is not None and self.exact:
            faults.append(("init_from", f"={self.init_from} continues a network on a device; exact=true has none"))
        return faults

    @cached_property
    def plan(self) -> dict[str, Phase]:
        """The phases that this run goes through, in order."""
        phases = {name: Phase(**fields) for name, fields in self.phases.items()}
        skipped = ("host",) if self.init_from is not None else ()
        return {name: phase for name, phase in phases.items() if phase.steps and phase.where not in skipped}

    def demand(self, task: Task) -> Demand:
        for name in ("half_lsb", "grid"):
            if getattr(self, name) and task.shape != (4,):
                given = f"{name}={str(getattr(self, name)).lower()}"
                raise UserError(f"{given} is for the inputs x, y, 1 - x, 1 - y; the data have shape {task.shape}")
        return Demand(layers=(prod(task.shape), self.hidden, task.n_classes))

    def device_updates(self, n: int) -> Sequence[range]:
        return [*updates_by_phase(self.plan, n).values()]

    def snapshots(self, at: Step) -> list[str]:
        """Labels of the end of each phase, and of frames: one whenever FRAMES sqrt(updates done / n) passes an integer,
        so that they are denser at first, when more happens."""
        now = position(self.plan, at)
        before, after = (int(FRAMES * (done / at.n) ** 0.5 + 1e-9) for done in (at.k, at.k + 1))
        ends = [f"end/{now.name}"] if now.ends_phase else []
        return [*ends, f"frame/{at.k + 1}"] if after > before else ends
