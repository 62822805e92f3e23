"""Spec of NEST as a learning core, without heavy imports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from neurobench.config.bounds import Fault
from neurobench.config.errors import not_installed
from neurobench.config.targets import is_installed
from neurobench.devices.learning_core.specs import LearningCore, Pool
from neurobench.devices.spec import Demand, DeviceSpec


@dataclass(frozen=True, kw_only=True)
class Nest(DeviceSpec):
    """NEST 3.10 in a separate process with one thread."""

    kind: ClassVar[str] = "learning_core"
    opens: ClassVar[str] = "neurobench.devices.learning_core.nest_specs.open_nest"

    pool: Pool

    def absent_extras(self) -> list[Fault]:
        return [] if is_installed("nest") else [("pool", f": {not_installed('backend=nest', 'nest', 'nest')}")]

    def refuse(self, demand: Demand) -> str | None:
        engine, neuron = (demand.settings.get(name) for name in ("engine", "neuron"))
        if engine != "exact":
            return f"NEST computes like model.engine=exact, not {engine}: set model.engine=exact"
        return None if neuron != "iaf_bsshslm_2020" else f"model.neuron={neuron} needs engine=minibatch and backend=sim"


def open_nest(spec: Nest, seed: int, device: Any) -> LearningCore:
    """Open NEST, which is deterministic: `seed` has no effect."""
    from neurobench.devices.learning_core.nest_core import NestNetwork

    return LearningCore(spec.pool, None, NestNetwork)
