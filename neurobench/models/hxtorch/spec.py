"""What a configuration says of the hxtorch perceptron."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Annotated, Any, ClassVar

from neurobench.config.bounds import Bound, Fault
from neurobench.config.errors import UserError
from neurobench.config.spec import Uses
from neurobench.data.dataset import Layout
from neurobench.devices.spec import Demand
from neurobench.models.hxtorch.phases import Phase, phase_faults, position
from neurobench.models.learner import ModelSpec, Step, Task

FRAMES = 48  # of the animation


@dataclass(frozen=True, kw_only=True)
class HXTorchMLP(ModelSpec):
    """Linear(I, hidden) -> ConvertingReLU(shift) -> Linear(hidden, C, avg) on an analog matrix multiplier.

    Source: the tutorial "Train DNNs on BrainScaleS-2" (values) and hxtorch 3bfc7aa (formulas).
    """

    opens: ClassVar[str] = "neurobench.models.hxtorch.learner.HXTorchMLPLearner"
    reads: ClassVar[tuple[Layout, ...]] = ("vector", "image")
    figures: ClassVar[str] = "neurobench.models.hxtorch.figures.figures"
    operations: ClassVar[str] = "neurobench.models.hxtorch.evaluation.operations"
    tutorial_metrics: ClassVar[str] = "neurobench.models.hxtorch.evaluation.tutorial_metrics"

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

    def section_faults(self) -> list[Fault]:
        return phase_faults(self.phases)

    def conflicts(self) -> list[Fault]:
        faults: list[Fault] = []
        if len(self.num_sends) != 2:
            faults.append(("num_sends", f"={list(self.num_sends)!r} is not one entry for each of the 2 layers"))
        if not self.plan:
            on_device = " on the device, and init_from skips the others" if self.init_from else ""
            faults.append(("phases", f": no phase has steps{on_device}"))
        if self.init_from is not None and self.exact:
            faults.append(("init_from", f"={self.init_from} goes on with a network on a device; exact=true has none"))
        return faults

    @cached_property
    def plan(self) -> dict[str, Phase]:
        """The phases that this run goes through, in order."""
        phases = {name: Phase(**fields) for name, fields in self.phases.items()}
        skipped = ("host",) if self.init_from is not None else ()
        return {name: phase for name, phase in phases.items() if phase.steps and phase.where not in skipped}

    def demand(self, task: Task) -> Demand:
        if self.half_lsb and task.shape != (4,):
            raise UserError(f"half_lsb=true is for the inputs x, y, 1 - x, 1 - y; the data have shape {task.shape}")
        return Demand(layers=(prod(task.shape), self.hidden, task.n_classes))

    def snapshots(self, at: Step) -> list[str]:
        """The end of each phase, and frames: one wherever FRAMES sqrt(updates done / n) passes an integer, so that
        they are denser at first, when more happens."""
        now = position(self.plan, at)
        before, after = (int(FRAMES * (done / at.n) ** 0.5 + 1e-9) for done in (at.k, at.k + 1))
        ends = [f"end/{now.name}"] if now.ends_phase else []
        return [*ends, f"frame/{at.k + 1}"] if after > before else ends
