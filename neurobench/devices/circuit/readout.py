"""From probabilities to what is read: finitely many shots, misread bits, and what can be done about those."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from neurobench.problems.circuit import Program, ProgramError, signs


@lru_cache(maxsize=16)
def sign_table(program: Program, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(n_obs, 2^n) entries +-1: the value of each observable in each basis state."""
    return torch.tensor(signs(program), dtype=dtype, device=device)


def draw_counts(probabilities: Tensor, shots: int, seed: int) -> Tensor:
    """(..., 2^n) -> (..., 2^n) int64, one multinomial draw of `shots` for each row.

    Wire by wire: of the shots that read so far, those that read 1 on the next wire are binomial. That is the joint
    distribution, with 2^n - 1 draws instead of `shots`. In float64: of many shots float32 would lose some.
    """
    require_shots(shots)
    p = probabilities.detach().to(torch.float64).clamp(min=0)
    generator = torch.Generator(p.device).manual_seed(seed)
    counts = torch.full((*p.shape[:-1], 1), float(shots), dtype=torch.float64, device=p.device)
    while counts.shape[-1] < p.shape[-1]:
        halves = p.unflatten(-1, (counts.shape[-1], 2, -1)).sum(-1)
        p_one = (halves[..., 1] / halves.sum(-1).clamp(min=1e-300)).clamp(max=1)
        ones = torch.binomial(counts, p_one, generator=generator)
        counts = torch.stack([counts - ones, ones], -1).flatten(-2)
    return counts.to(torch.int64)


def require_shots(shots: object) -> None:
    if isinstance(shots, bool) or not isinstance(shots, int) or shots < 1:
        raise ProgramError(f"shots={shots!r} is not an integer at least 1")


def confusion(p1_given_0: float, p0_given_1: float) -> Tensor:
    """(2, 2) float64, row: bit read, column: true bit."""
    return torch.tensor([[1 - p1_given_0, p0_given_1], [p1_given_0, 1 - p0_given_1]], dtype=torch.float64)


def on_bits(distribution: Tensor, matrix: Tensor, n: int) -> Tensor:
    """A (2, 2) matrix on each of the n bits of (..., 2^n)."""
    by_bit = distribution.unflatten(-1, (2,) * n)
    for axis in range(-n, 0):
        by_bit = (by_bit.movedim(axis, -1) @ matrix.t()).movedim(-1, axis)
    return by_bit.flatten(-n)


def mitigated(frequencies: Tensor, matrix: Tensor, n: int) -> Tensor:
    """Quasi-probabilities (..., 2^n) before the confusion. They may be negative, and stay so: <Z> is linear in them,
    and cutting them would bias it. Variance grows about as 1 / (1 - p1_given_0 - p0_given_1)^2 a wire."""
    return on_bits(frequencies, torch.linalg.inv(matrix), n)
