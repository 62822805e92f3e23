"""What finitely many shots show of exact probabilities."""

from __future__ import annotations

import torch
from torch import Tensor

from neurobench.problems.circuit import ProgramError


def draw_counts(probabilities: Tensor, shots: int, seed: int) -> Tensor:
    """(..., 2^n) -> (..., 2^n) int64, one multinomial draw of `shots` for each row.

    Wire by wire: of the shots that read so far, those that read 1 on the next wire are binomial. That is the joint
    distribution, with 2^n - 1 draws instead of `shots`. In float64: of many shots float32 would lose some.
    """
    require_shots(shots)
    p = probabilities.detach().to(torch.float64).clamp(min=0)
    rows = p.shape[:-1]
    draw = torch.Generator(p.device).manual_seed(seed)
    counts = torch.full((*rows, 1), float(shots), dtype=torch.float64, device=p.device)
    while counts.shape[-1] < p.shape[-1]:
        halves = p.unflatten(-1, (counts.shape[-1], 2, -1)).sum(-1)
        share = (halves[..., 1] / halves.sum(-1).clamp(min=1e-300)).clamp(max=1)
        ones = torch.binomial(counts, share, generator=draw)
        counts = torch.stack([counts - ones, ones], -1).flatten(-2)
    return counts.to(torch.int64)


def require_shots(shots: object) -> None:
    if isinstance(shots, bool) or not isinstance(shots, int) or shots < 1:
        raise ProgramError(f"shots={shots!r} is not an integer at least 1")
