"""What a backend's YAML says of a device, and what a model says that it will ask of one.

A device has one narrow verb; `protocol.py` in the room of its kind states it. It keeps no random state: each call is
handed its seed, so that a resumed run repeats the same draws. An answer carries what it cost (`cost`), which the runner
adds up by phase.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from neurobench.config.spec import Spec
from neurobench.config.targets import load
from neurobench.metrics.costs import SIMULATED, Energy, Price

if TYPE_CHECKING:
    import torch

    from neurobench.devices.jobs import Jobs

BUDGETS = ("max_shots", "max_seconds")  # keys of a device that is paid for: limits of a whole run


@dataclass(frozen=True)
class Demand:
    """What a model asks of a device for a task."""

    layers: tuple[int, ...] = ()  # units of each layer, inputs first, outputs last
    recurrent: bool = False  # all units between inputs and outputs are connected to each other too
    qubits: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)  # keys of the model that not every device can have
    connections: tuple[int, ...] = ()  # synapses into each layer but the first; (): all to all

    @property
    def inputs(self) -> int:
        return self.layers[0]

    @property
    def neurons(self) -> int:
        """All units but inputs."""
        return sum(self.layers[1:])

    @property
    def pairs(self) -> int:
        """Of units that could be connected."""
        within = sum(n * n for n in self.layers[1:-1]) if self.recurrent else 0
        return within + sum(one * other for one, other in itertools.pairwise(self.layers))

    @property
    def synapses(self) -> int:
        return sum(self.connections) if self.connections else self.pairs


@dataclass(frozen=True)
class DeviceSpec(Spec):
    """`opens` names what is called with (spec, seed, torch device) and returns the device."""

    kind: ClassVar[str]  # "sampler", "mac", ...: the models' fields that it can fill, see `Uses`
    energy: ClassVar[Energy | str] = SIMULATED  # what is published of it, or why nothing is
    mesh: ClassVar[str | None] = None  # name of the architecture model of its chip, see `devices/core/mesh.py`

    def refuse(self, demand: Demand) -> str | None:
        """Why the device cannot serve a model that asks this of it, with what to change; or None."""
        return None

    def price(self) -> Price | str:
        """Its published list price, or why there is none."""
        return "nothing, it is computed on this machine"

    def open(self, seed: int, device: torch.device, jobs: Jobs | None = None) -> Any:
        """The device. `seed` is the identity of an emulated chip; `device` is where torch computes; `jobs`, what the
        run has under way, is for a device that answers later."""
        return load(self.opens)(self, seed, device)
