"""Training images, moved."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad


def moved(x: Tensor, reach: int, seed: int) -> Tensor:
    """Images (B, C, H, W), each moved by up to `reach` pixels along both axes; 0 comes in from the edge."""
    if reach == 0:
        return x
    draw = torch.Generator().manual_seed(seed)
    by = torch.randint(0, 2 * reach + 1, (2, len(x)), generator=draw).to(x.device)
    rows, columns = (torch.arange(side, device=x.device) + by[k, :, None] for k, side in enumerate(x.shape[2:]))
    wide = pad(x, (reach,) * 4).movedim(1, -1)
    each = torch.arange(len(x), device=x.device)[:, None, None]
    return wide[each, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)
