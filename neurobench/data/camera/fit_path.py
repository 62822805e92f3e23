"""The path of the view, from what a pixel's events add up to: brighter less darker is the change of log luminance.

    sum of signed events between two times = (L(second) - L(first)) / threshold,    L = log(luminance + black)

Path, turn, blur, black and threshold are fitted to it by gradient descent, since L depends smoothly on all of them.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d, grid_sample, pad

from neurobench.data.events import Events

BIN, BINS, SIDE = 5000, 62, 34  # us; bins up to 310 ms; pixels
# Read off event maps by eye: ms, row and column of the image's corner.
READINGS = (
    (5, 1, 0), (25, 2, 0), (35, 3, 0), (45, 4, 0), (55, 5, 1), (65, 6, 1), (75, 6.5, 2), (105, 6.5, 2), (125, 6, 3),
    (145, 5, 4), (155, 4, 4), (165, 3, 5), (175, 2, 5), (195, 2, 5), (205, 1, 6), (225, 1, 6), (235, 2, 5),
    (245, 1, 5), (255, 2, 3), (265, 2, 2), (275, 1, 2), (285, 1, 1), (305, 1, 1),
)  # fmt: skip


def signed(events: Events) -> Tensor:
    """(N, BINS, SIDE, SIDE) brighter less darker events of each bin."""
    within = events.t < BIN * BINS
    time, row, column = (events.t[within] // BIN).long(), events.y[within].long(), events.x[within].long()
    signs = 1.0 - 2.0 * events.p[within]
    counts = torch.zeros(len(events), BINS, SIDE, SIDE)
    return counts.index_put_((events.recording()[within], time, row, column), signs, accumulate=True)


def fit_path(events: Events, images: Tensor, steps: int = 90, batch: int = 60) -> dict[str, Tensor]:
    """Recordings and what they show, (N, 28, 28) in [0, 1] -> corner (BINS + 1, 2) in pixels at each bin's edge,
    turn (2, 2), blur in pixels, black and threshold."""
    change = signed(events)
    draw = torch.Generator().manual_seed(0)
    readings = torch.tensor(READINGS)
    edges = torch.arange(BINS + 1) * BIN / 1000
    corner = torch.stack(
        [_interpolated(edges, readings[:, 0].contiguous(), readings[:, axis]) for axis in (1, 2)], 1
    ).requires_grad_()
    turn = torch.eye(2).requires_grad_()
    logs = torch.tensor([-0.7, -1.0, -1.6]).requires_grad_()  # blur, black, threshold
    parts = [{"params": [corner, logs], "lr": 0.05}, {"params": [turn], "lr": 0.003}]
    optimizer = torch.optim.Adam(parts)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2 * steps // 3], gamma=0.3)
    for _ in range(steps):
        chosen = torch.randperm(len(images), generator=draw)[:batch]
        level = _levels(images[chosen], corner, turn, logs)
        loss = (change[chosen] - level.diff(dim=1) / logs[2].exp()).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    blur, black, threshold = logs.detach().exp()
    return {"corner": corner.detach(), "turn": turn.detach(), "blur": blur, "black": black, "threshold": threshold}


def _levels(images: Tensor, corner: Tensor, turn: Tensor, logs: Tensor) -> Tensor:
    """(N, BINS + 1, SIDE, SIDE) log luminance that each pixel sees at each bin's edge."""
    kernel = torch.exp(-(torch.arange(-3.0, 4.0) ** 2) / (2 * (2 * logs[0]).exp()))
    kernel = kernel / kernel.sum()
    blurred = conv2d(pad(images[:, None], (3, 3, 3, 3)), kernel[None, None, :, None])
    blurred = conv2d(blurred, kernel[None, None, None, :])
    rows, columns = torch.meshgrid(torch.arange(float(SIDE)), torch.arange(float(SIDE)), indexing="ij")
    middle = 13.5  # of the image
    y, x = rows - corner[:, 0, None, None] - middle, columns - corner[:, 1, None, None] - middle
    grid = torch.stack([turn[1, 0] * y + turn[1, 1] * x, turn[0, 0] * y + turn[0, 1] * x], -1) / 14
    views = [grid_sample(blurred, g.expand(len(images), -1, -1, -1), align_corners=False) for g in grid]
    return torch.log(torch.cat(views, 1) + logs[1].exp())


def _interpolated(times: Tensor, x: Tensor, y: Tensor) -> Tensor:
    right = torch.searchsorted(x, times).clamp(1, len(x) - 1)
    share = ((times - x[right - 1]) / (x[right] - x[right - 1])).clamp(0, 1)
    return y[right - 1] + share * (y[right] - y[right - 1])
