"""The protocol of circuit devices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from torch import Tensor

from neurobench.problems.circuit import Angles, Program


class Expectations(NamedTuple):
    """`...`: the leading axes of the angles, broadcast, here and below."""

    values: Tensor  # (..., n_obs) in [-1, 1]
    cost: Mapping[str, float]  # circuits; exact values take no shots and no device time


class Counts(NamedTuple):
    """How often each basis state was read."""

    counts: Tensor  # (..., 2^n) int64, rows sum to shots
    cost: Mapping[str, float]  # circuits, shots, and device_seconds of a processor that says how long it takes


class CircuitDevice(Protocol):
    """Runs batches of bound circuits."""

    exact: bool  # whether it has expectations; one that only counts is asked for nothing but what a run needs

    def expectation(self, program: Program, angles: Angles) -> Expectations:
        """Exact and differentiable: noise and read-out errors are averaged. ProgramError where `exact` is not."""

    def counts(self, program: Program, angles: Angles, shots: int, seed: int) -> Counts:
        """`shots` of each circuit."""

    def estimate(self, program: Program, counts: Tensor) -> Tensor:
        """(..., 2^n) counts -> (..., n_obs) float64 estimates of the observables, mitigated where the device does."""

    def seconds(self, program: Program, circuits: int, shots: int) -> float | None:
        """Modelled device time of `circuits` with `shots` each; None where nothing is modelled."""

    def ideal(self) -> CircuitDevice:
        """The same without noise. An ideal device returns itself."""

    def variants(self) -> CircuitVariants:
        """Devices that differ from this one in a single respect, to separate the effects of its imperfections."""


class CircuitVariants(NamedTuple):
    """Empty of an ideal device."""

    readout: Mapping[str, CircuitDevice]  # by treatment of read-out errors: "gates_only", "raw", "mitigated"
    noise: Mapping[float, CircuitDevice]  # factor on the errors of gates and read-out -> device
