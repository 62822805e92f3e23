"""What a quantum processor does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

from neurobench.problems.circuit import Angles, Program

if TYPE_CHECKING:
    from torch import Tensor


class Expectations(NamedTuple):
    """`...` stands for the leading axes of the angles, broadcast, here and below."""

    values: Tensor  # (..., n_obs) in [-1, 1]
    cost: Mapping[str, float]  # circuits; exact values take no shots, and no time that a processor would know


class Counts(NamedTuple):
    """How often each basis state was read."""

    counts: Tensor  # (..., 2^n) int64, rows sum to shots
    cost: Mapping[str, float]  # circuits, shots, and device_seconds of a processor that says how long it takes


class CircuitDevice(Protocol):
    """Runs batches of bound circuits."""

    def expectation(self, program: Program, angles: Angles) -> Expectations:
        """Exact and differentiable: noise and errors of the read-out averaged."""
        ...

    def counts(self, program: Program, angles: Angles, shots: int, seed: int) -> Counts:
        """`shots` of each circuit."""
        ...

    def estimate(self, program: Program, counts: Tensor) -> Tensor:
        """(..., 2^n) counts -> (..., n_obs) float64 estimates of the observables, mitigated where the device does."""
        ...

    def seconds(self, program: Program, circuits: int, shots: int) -> float | None:
        """Modelled device time of so many circuits with so many shots each; None where nothing is modelled."""
        ...

    def ideal(self) -> CircuitDevice:
        """The same without noise: what host software can compute. An ideal device is its own."""
        ...

    def variants(self) -> CircuitVariants:
        """Devices that differ from this one in a single respect, to tell what its imperfections do."""
        ...


class CircuitVariants(NamedTuple):
    """Empty of an ideal device."""

    readout: Mapping[str, CircuitDevice]  # "gates_only", "raw", "mitigated": what is done about the read-out's errors
    noise: Mapping[float, CircuitDevice]  # factor on the errors of gates and read-out -> device
