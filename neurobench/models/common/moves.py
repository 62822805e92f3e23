"""Images shifted by whole pixels, for training. Pixels that enter from the edge are 0."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import pad


def moved(x: Tensor, reach: int, seed: int) -> Tensor:
    """Images (B, C, H, W), each shifted randomly by up to `reach` pixels along both axes."""
    if reach == 0:
        return x
    draw = torch.Generator().manual_seed(seed)
    return _placed(x, reach, torch.randint(0, 2 * reach + 1, (2, len(x)), generator=draw))


def moved_copies(x: Tensor, reach: int, copies: int, seed: int) -> Iterator[Tensor]:
    """Copies of all images (B, C, H, W); in each, an image has a different random shift of up to `reach` pixels (at
    least 1) and never 0. Once an image has had all shifts, they repeat."""
    side = 2 * reach + 1
    draw = torch.Generator().manual_seed(seed)
    order = torch.rand(len(x), side * side - 1, generator=draw).argsort(1)
    order += order >= side * side // 2  # skip the shift by 0
    for copy in range(copies):
        place = order[:, copy % order.shape[1]]
        yield _placed(x, reach, torch.stack([place // side, place % side]))


def _placed(x: Tensor, reach: int, by: Tensor) -> Tensor:
    """Shifted images. by (2, B): rows and columns, 0 to 2 `reach`, where `reach` means no shift."""
    by = by.to(x.device)
    rows, columns = (torch.arange(side, device=x.device) + by[k, :, None] for k, side in enumerate(x.shape[2:]))
    wide = pad(x, (reach,) * 4).movedim(1, -1)
    each = torch.arange(len(x), device=x.device)[:, None, None]
    return wide[each, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)
