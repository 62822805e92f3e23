"""Bits that are read wrongly, one by one, and what can be done about it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from neurobench.problems.circuit import Program


def confusion(p1_given_0: float, p0_given_1: float) -> Tensor:
    """(2, 2) float64, row: bit read, column: true bit."""
    return torch.tensor([[1 - p1_given_0, p0_given_1], [p1_given_0, 1 - p0_given_1]], dtype=torch.float64)


def on_bits(distribution: Tensor, matrix: Tensor, n: int) -> Tensor:
    """A (2, 2) matrix on each of the n bits of (..., 2^n)."""
    spread = distribution.unflatten(-1, (2,) * n)
    for axis in range(-n, 0):
        spread = (spread.movedim(axis, -1) @ matrix.t()).movedim(-1, axis)
    return spread.flatten(-n)


def mitigated(frequencies: Tensor, matrix: Tensor, n: int) -> Tensor:
    """Quasi-probabilities (..., 2^n) before the confusion. They may be negative, and stay so: <Z> is linear in them,
    and cutting them would bias it. Variance grows about as 1 / (1 - p1_given_0 - p0_given_1)^2 a wire."""
    return on_bits(frequencies, torch.linalg.inv(matrix), n)


def as_probabilities(quasi: Tensor) -> Tensor:
    """Negative entries cut, rows made to sum to 1 again."""
    cut = quasi.clamp(min=0)
    return cut / cut.sum(-1, keepdim=True)


def observed(program: Program, matrix: Tensor, kind: Tensor) -> Tensor:
    """(n_obs, 4^n) Pauli vectors of the observables as read: Z becomes (1 - e10 - e01) Z + (e01 - e10)."""
    e10, e01 = float(matrix[1, 0]), float(matrix[0, 1])
    z = kind.new_tensor([e01 - e10, 0, 0, 1 - e10 - e01])
    one = kind.new_tensor([1.0, 0, 0, 0])
    return torch.stack([_string(wires, z, one, program.n) for wires in program.observables])


def _string(wires: Sequence[int], z: Tensor, one: Tensor, n: int) -> Tensor:
    vector = z.new_ones(1)
    for wire in range(n):
        vector = torch.kron(vector, z if wire in wires else one)
    return vector
