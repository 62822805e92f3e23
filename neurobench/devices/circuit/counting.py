"""A circuit device that only counts: an external simulator, or a chip behind a vendor's software."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NoReturn, Protocol

import numpy as np
import torch
from torch import Tensor

from neurobench.config.errors import UserError
from neurobench.devices.circuit.protocol import CircuitVariants, Counts, Expectations
from neurobench.devices.circuit.sim_statevector import StatevectorDevice, require_shots, sign_table
from neurobench.problems.circuit import Angles, Program, ProgramError, require_angles


class Sampling(Protocol):
    """Interface to run jobs of circuits that differ in their angles alone."""

    @property
    def irreproducible(self) -> str | None:
        """Reason why the same seed may give different counts; None if it cannot."""

    def run(self, program: Program, parts: Sequence[np.ndarray], shots: int, seed: int) -> list[np.ndarray]:
        """Run a job of each part (circuits, slots) -> its counts (circuits, 2^n). Its answer is checked with
        `require_counts`."""

    def shot_seconds(self, program: Program) -> float | None:
        """Modelled time of one shot; None if it is not modelled."""


class CountingDevice:
    """Device that only counts, see `neurobench.devices.circuit.protocol.CircuitDevice`."""

    exact = False

    def __init__(self, name: str, sampling: Sampling, job: int, device: torch.device):
        self.name, self.sampling, self.job, self.device = name, sampling, job, device
        self.irreproducible = sampling.irreproducible

    def expectation(self, program: Program, angles: Angles) -> Expectations:
        raise ProgramError(f"{self.name} returns counts, no exact expectations")

    def counts(self, program: Program, angles: Angles, shots: int, seed: int) -> Counts:
        require_shots(shots)
        require_angles(program, angles)
        values = bindings(angles)
        parts = [values[first : first + self.job] for first in range(0, len(values), self.job)]
        counts = torch.from_numpy(np.concatenate(self.sampling.run(program, parts, shots, seed)))
        modelled = self.seconds(program, len(values), shots)
        cost: dict[str, float] = {"circuits": len(values), "shots": len(values) * shots, "jobs": len(parts)}
        if modelled is not None:
            cost["device_seconds"] = modelled
        return Counts(counts.reshape(*angles.rows, -1).to(angles.sample.device), cost)

    def estimate(self, program: Program, counts: Tensor) -> Tensor:
        table = sign_table(program, torch.float64, counts.device)
        return counts.to(torch.float64) @ table.t() / counts.sum(-1, keepdim=True)

    def seconds(self, program: Program, circuits: int, shots: int) -> float | None:
        shot = self.sampling.shot_seconds(program)
        return None if shot is None else circuits * shots * shot

    def ideal(self) -> StatevectorDevice:
        return StatevectorDevice(self.device)

    def variants(self) -> CircuitVariants:
        return CircuitVariants({}, {})


def bindings(angles: Angles) -> np.ndarray:
    """Values of slots, (circuits, slots) float64, the rows of the angles in order."""
    rows, size = angles.rows, math.prod(angles.rows)
    parts = [part.detach().expand(*rows, part.shape[-1]).reshape(size, part.shape[-1]) for part in angles]
    return torch.cat([part.to("cpu", torch.float64) for part in parts], -1).numpy()


def require_counts(name: str, answer: object, circuits: int, n: int, shots: int) -> np.ndarray:
    """Check a vendor's answer to one job: (circuits, 2^n) int64 whose rows add up to the shots. Raises UserError
    with the device's name."""

    def refuse(fault: str) -> NoReturn:
        raise UserError(f"{name} answered {fault}. Its answer is not used; run it again, or change the device.")

    if not isinstance(answer, np.ndarray) or answer.dtype.kind not in "iuf":
        refuse(f"with a {type(answer).__name__} that is not an array of numbers")
    if answer.shape != (circuits, 2**n):
        refuse(f"with counts of shape {answer.shape}, where ({circuits}, {2**n}) was requested")
    if not np.isfinite(answer).all() or (answer < 0).any() or (answer != np.rint(answer)).any():
        refuse("with counts that are not whole numbers of at least 0")
    if (answer.sum(1) != shots).any():
        refuse(f"with counts that do not add up to the {shots} shots of each circuit")
    return answer.astype(np.int64)
