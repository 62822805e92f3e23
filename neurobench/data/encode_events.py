"""Values to events: by latency, by rate, by the emulated camera. Times are in microseconds."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from neurobench.data.encoders import Latency, Rate
from neurobench.data.events import Events
from neurobench.data.stored_events import StoredEvents

BLOCK = 1000  # samples at a time: bounds memory, changes no event


def responses(x: Tensor, cells: int) -> Tensor:
    """What each cell of the sensor is told, (N, polarities, rows, columns) in [0, 1].

    An image (N, C, H, W) is left as it is. Value v of a vector (N, D) is told by cells with their middles c at even
    distances over [0, 1]: exp(-(v - c)^2 / (2 s^2)), s being the distance; a single cell is told v itself.
    """
    if x.dim() == 4:
        return x
    if cells == 1:
        return x[:, None, :, None]
    middles = torch.linspace(0, 1, cells)
    return torch.exp(-0.5 * ((x[:, None, :, None] - middles) * (cells - 1)) ** 2)


def latencies(x: Tensor, recipe: Latency) -> Events:
    """See `Latency`. Nothing is random."""
    parts = []
    for block in x.split(BLOCK):
        told = responses(block, recipe.cells)
        owner, p, row, column = (told >= max(recipe.dimmest, 1e-6)).nonzero(as_tuple=True)
        first = (1 - told[owner, p, row, column].double()) * recipe.window * 1000
        again = torch.arange(recipe.repeats) * recipe.window * 1000
        t = (first[:, None] + again).round().to(torch.int32).flatten()
        cells = [part.repeat_interleave(recipe.repeats) for part in (column, row, p)]
        parts.append(_ordered(t, owner.repeat_interleave(recipe.repeats), cells, len(block), tuple(told.shape[1:])))
    return _joined(parts)


def trains(x: Tensor, ids: Tensor, recipe: Rate) -> Events:
    """See `Rate`. Bernoulli draws in steps of 1 ms, the event anywhere within its step."""
    from neurobench.kernels.random import derive, uniforms

    steps = int(recipe.duration)
    parts = []
    for block, numbers in zip(x.split(BLOCK // 10), ids.split(BLOCK // 10), strict=True):
        told = responses(block, recipe.cells)
        told = torch.where(told >= max(recipe.dimmest, 1e-6), told, 0)
        shape = tuple(told.shape[1:])
        draws = torch.stack([uniforms(derive(recipe.noise_seed, int(k)), (steps, *shape)) for k in numbers])
        chance = (told * recipe.rate / 1000)[:, None]
        owner, step, p, row, column = (draws < chance).nonzero(as_tuple=True)
        within = (draws[owner, step, p, row, column] / chance[owner, 0, p, row, column]).double()
        t = ((step + within) * 1000).to(torch.int32)
        parts.append(_ordered(t, owner, [column, row, p], len(block), shape))
    return _joined(parts)


def seen(x: Tensor, ids: Tensor, seed: int) -> StoredEvents:
    """Images (N, 1, 28, 28) as the fitted camera records them; kept in the cache."""
    from neurobench.data.camera import read
    from neurobench.data.camera_store import stored

    images = (x[:, 0] * 255).round().to(torch.uint8).numpy()
    return stored(read(None), seed, images, ids.tolist()).events


def _ordered(t: Tensor, owner: Tensor, cells: list[Tensor], n: int, sensor: tuple[int, ...]) -> Events:
    """Events of n recordings, each in the order of time, events of one time in the order of their cells.

    cells: column, row and polarity of each.
    """
    order = np.lexsort((t.numpy(), owner.numpy()))
    start = torch.cat([torch.zeros(1, dtype=torch.int64), torch.bincount(owner, minlength=n).cumsum(0)])
    x, y, p = (part[order].to(torch.uint8) for part in cells)
    return Events(t[order], x, y, p, start, (sensor[0], sensor[1], sensor[2]))


def _joined(parts: list[Events]) -> Events:
    if not parts:
        none = torch.zeros(0, dtype=torch.uint8)
        return Events(none.to(torch.int32), none, none, none, torch.zeros(1, dtype=torch.int64), (1, 1, 1))
    ends = [0]
    for part in parts:
        ends.append(ends[-1] + int(part.start[-1]))
    starts = [part.start[:-1] + end for part, end in zip(parts, ends, strict=False)]
    start = torch.cat([*starts, torch.tensor(ends[-1:])])
    t, x, y, p = (torch.cat([getattr(part, key) for part in parts]) for key in ("t", "x", "y", "p"))
    return Events(t, x, y, p, start, parts[0].sensor)
