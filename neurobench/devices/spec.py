"""Specs of devices, which a backend's YAML fills in, and the demands that models make on devices.

A device offers one narrow operation, defined in `protocol.py` of its kind's subpackage. It keeps no random state: each
call is passed its seed, so that a resumed run repeats the same draws. An answer carries its cost (`cost`), which the
runner adds up by phase.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from neurobench.config.spec import Spec
from neurobench.config.targets import load
from neurobench.metrics.costs import SIMULATED, Energy, Price

if TYPE_CHECKING:
    import torch

    from neurobench.devices.jobs import Jobs

BUDGETS = ("max_shots", "max_seconds")  # keys of paid devices: limits for a whole run


@dataclass(frozen=True)
class Demand:
    """Requirements of a model on a device for a given task."""

    layers: tuple[int, ...] = ()  # units of each layer, inputs first, outputs last
    recurrent: bool = False  # each hidden layer is also fully connected to itself
    qubits: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)  # keys of the model that some devices cannot serve
    connections: tuple[int, ...] = ()  # synapses into each layer except the first; (): all to all

    @property
    def inputs(self) -> int:
        return self.layers[0]

    @property
    def neurons(self) -> int:
        """Number of units that are not inputs."""
        return sum(self.layers[1:])

    @property
    def pairs(self) -> int:
        """Number of pairs of units that could be connected."""
        within = sum(n * n for n in self.layers[1:-1]) if self.recurrent else 0
        return within + sum(one * other for one, other in itertools.pairwise(self.layers))

    @property
    def synapses(self) -> int:
        return sum(self.connections) if self.connections else self.pairs


@dataclass(frozen=True)
class DeviceSpec(Spec):
    """Parameters of a device. `opens` is the dotted name of a callable: (spec, seed, torch device) -> the device."""

    kind: ClassVar[str]  # "sampler", "mac", ...: fields of models that the device can fill, see `Uses`
    energy: ClassVar[Energy | str] = SIMULATED  # published figures, or why there are none
    mesh: ClassVar[str | None] = None  # dotted name of the chip's architecture model, see `devices/core/mesh.py`

    def refuse(self, demand: Demand) -> str | None:
        """Reason why the device cannot meet the demand, and the remedy; None if it can."""
        return None

    def price(self) -> Price | str:
        """The device's published list price, or why there is none."""
        return "nothing, it is computed on this machine"

    def open(self, seed: int, device: torch.device, jobs: Jobs | None = None) -> Any:
        """Open the device. `seed` is the identity of an emulated chip; `device` is where torch computes; `jobs`, the
        run's jobs under way, is for devices that answer later."""
        return load(self.opens)(self, seed, device)


class Deferred:
    """A device that is opened when it is first used, so that a model is read or exported without a vendor's package or
    account."""

    def __init__(self, open_device: Callable[[], Any]) -> None:
        self._open_device = open_device

    @cached_property
    def _device(self) -> Any:
        return self._open_device()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Python's protocols (copy, pickle) must not open the device
            raise AttributeError(name)
        return getattr(self._device, name)
