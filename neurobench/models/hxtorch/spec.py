"""What a configuration says about the hxtorch perceptron: parameters, their bounds, and nothing heavy."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Annotated, Any, ClassVar, Literal

from neurobench.config.bounds import Bound, BoundsError, Fault
from neurobench.config.errors import UserError, did_you_mean
from neurobench.config.spec import Record, Uses
from neurobench.data.dataset import Layout
from neurobench.devices.spec import Demand
from neurobench.models.learner import ModelSpec, Task


@dataclass(frozen=True, kw_only=True)
class Phase(Record):
    """Part of the training: where the forward pass is computed, and a fresh Adam with its schedule.

    `steps` are exact where the run has as many updates as its phases have steps; a run with more or fewer
    (another data set, a smaller scale) stretches all phases and their schedules alike.
    """

    where: Literal["host", "device"]  # host: on the linear model that the host has of the device
    steps: Annotated[int, Bound(0)]
    lr: Annotated[float, Bound(0, 1000, above=True)]
    schedule: Literal["exponential", "cosine"]  # cosine: down to 0 at the end of the phase
    gamma: Annotated[float, Bound(0, 1, above=True)] = 1.0  # factor on lr a step; exponential only
    logit_scale: Annotated[float, Bound(0, 1000, above=True)] = 1.0  # in the loss: logits reach +-128 LSB


TUTORIAL: dict[str, dict[str, Any]] = {
    "host": {"where": "host", "steps": 201, "lr": 1.0, "schedule": "exponential", "gamma": 0.99, "logit_scale": 1.0},
    "loop": {"where": "device", "steps": 16, "lr": 0.2, "schedule": "exponential", "gamma": 0.9, "logit_scale": 1.0},
    "tuned": {"where": "device", "steps": 0, "lr": 0.5, "schedule": "cosine", "gamma": 1.0, "logit_scale": 0.25},
}


@dataclass(frozen=True, kw_only=True)
class HXTorchMLP(ModelSpec):
    """Linear(I, hidden) -> ConvertingReLU(shift) -> Linear(hidden, C, avg) on an analog matrix multiplier.

    Source: the tutorial "Train DNNs on BrainScaleS-2" (values) and hxtorch 3bfc7aa (formulas).
    """

    opens: ClassVar[str] = "neurobench.models.hxtorch.learner.HXTorchMLPLearner"
    reads: ClassVar[tuple[Layout, ...]] = ("vector", "image")

    hidden: Annotated[int, Bound(1, 100_000)] = 128
    avg: Annotated[int, Bound(1, 256)] = 5  # columns of the last layer that hold the same weights and are averaged
    shift: Annotated[int, Bound(0, 16)] = 1  # bits that the hidden activations lose on the way to 5-bit inputs
    bias: bool = True
    half_lsb: bool = False  # Yin-Yang: inputs 3 and 4 half a step off, which makes an effective sixth bit of 1 - x
    num_sends: tuple[Annotated[int, Bound(1, 10_000)] | None, ...] = (None, None)  # a layer; null: by its initialiser
    exact: bool = False  # the same network in plain floating point, without a device: what the device costs
    passes: Annotated[int, Bound(1, 1000)] = 5  # over the test set, noise anew, for each phase's accuracy
    init_from: str | None = None  # a run (path, id or name) to go on from: its phases on the host count as done
    phases: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=lambda: TUTORIAL)
    mac: Annotated[str, Uses("mac")]

    def conflicts(self) -> list[Fault]:
        faults = self._phase_faults()
        if len(self.num_sends) != 2:
            faults.append(("num_sends", f"={list(self.num_sends)!r} is not one entry for each of the 2 layers"))
        if not faults and not self.plan():
            on_device = " on the device, and init_from skips the others" if self.init_from else ""
            faults.append(("phases", f": no phase has steps{on_device}"))
        if self.init_from is not None and self.exact:
            faults.append(("init_from", f"={self.init_from} goes on with a network on a device; exact=true has none"))
        return faults

    def plan(self) -> dict[str, Phase]:
        """The phases that this run goes through, in order."""
        phases = {name: Phase(**fields) for name, fields in self.phases.items()}
        skipped = ("host",) if self.init_from is not None else ()
        return {name: phase for name, phase in phases.items() if phase.steps and phase.where not in skipped}

    def _phase_faults(self) -> list[tuple[str, str]]:
        faults: list[tuple[str, str]] = []
        if not isinstance(self.phases, Mapping):
            return [("phases", f"={self.phases!r} is not a section of phases")]
        known = {field.name: field for field in dataclasses.fields(Phase)}
        required = [name for name, field in known.items() if field.default is dataclasses.MISSING]
        for phase, fields in self.phases.items():
            if not isinstance(fields, Mapping):
                faults.append((f"phases.{phase}", f"={fields!r} is not a section of keys"))
                continue
            strange = [key for key in fields if key not in known]
            missing = [name for name in required if name not in fields]
            hint = [f": a phase has no such key.{did_you_mean(str(key), known)}" for key in strange]
            faults += [(f"phases.{phase}.{key}", words) for key, words in zip(strange, hint, strict=True)]
            faults += [(f"phases.{phase}.{name}", " is missing") for name in missing]
            if not strange and not missing:
                faults += self._value_faults(str(phase), fields)
        return faults or self._order_faults()

    def _value_faults(self, name: str, fields: Mapping[str, Any]) -> list[tuple[str, str]]:
        try:
            Phase(**fields)
        except BoundsError as error:
            return [(f"phases.{name}.{field}", sentence) for field, sentence in error.faults]
        return []

    def _order_faults(self) -> list[tuple[str, str]]:
        """Weights are transferred once, from the host to the device."""
        transferred = None
        for name, fields in self.phases.items():
            if fields["where"] == "device":
                transferred = transferred or name
            elif transferred:
                sentence = f"=host comes after phase {transferred}, which is on the device; put the host's phases first"
                return [(f"phases.{name}.where", sentence)]
        return []

    def demand(self, task: Task) -> Demand:
        if self.half_lsb and task.shape != (4,):
            raise UserError(f"half_lsb=true is for the inputs x, y, 1 - x, 1 - y; the data have shape {task.shape}")
        return Demand(layers=(prod(task.shape), self.hidden, task.n_classes))
