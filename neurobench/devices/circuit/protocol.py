"""The protocol of circuit devices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from torch import Tensor

from neurobench.problems.circuit import Angles, Program


class Expectations(NamedTuple):
    """Expectations of observables. `...`: the leading axes of the angles, broadcast, here and below."""

    values: Tensor  # (..., n_obs) in [-1, 1]
    cost: Mapping[str, float]  # circuits; exact values take no shots and no device time


class Counts(NamedTuple):
    """Number of times that each basis state was read."""

    counts: Tensor  # (..., 2^n) int64, rows sum to shots
    cost: Mapping[str, float]  # circuits, shots, jobs if the device takes any, device_seconds if its time is modelled


class CircuitDevice(Protocol):
    """Device that runs batches of bound circuits."""

    exact: bool  # whether it has expectations; a device that only counts receives only the requests of a run

    def expectation(self, program: Program, angles: Angles) -> Expectations:
        """Exact, differentiable means over noise and read-out errors. Raises ProgramError if `exact` is False."""

    def counts(self, program: Program, angles: Angles, shots: int, seed: int) -> Counts:
        """Measure each circuit `shots` times."""

    def estimate(self, program: Program, counts: Tensor) -> Tensor:
        """Estimate the observables: (..., 2^n) counts -> (..., n_obs) float64, mitigated if the device does so."""

    def seconds(self, program: Program, circuits: int, shots: int) -> float | None:
        """Modelled device time of `circuits` with `shots` each; None if it is not modelled."""

    def ideal(self) -> CircuitDevice:
        """Return this device without noise. An ideal device returns itself."""

    def variants(self) -> CircuitVariants:
        """Devices that differ from this one in a single respect, to separate the effects of its imperfections."""


class CircuitVariants(NamedTuple):
    """Variants of a device; empty for an ideal one."""

    readout: Mapping[str, CircuitDevice]  # by treatment of misreading: "gates_only", "raw", "mitigated" if possible
    noise: Mapping[float, CircuitDevice]  # factor on the errors of gates and read-out -> device
