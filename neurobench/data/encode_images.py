"""Events or vectors to images."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor

from neurobench.data.encoders import Counts, Raster
from neurobench.data.events import Events
from neurobench.data.stored_events import StoredEvents

BLOCK = 500  # recordings at a time: bounds memory, changes nothing


def counts(x: Events | StoredEvents, recipe: Counts) -> Tensor:
    """(N, bins * polarities, rows, columns) float32 in [0, 1]; channel bin * polarities + polarity."""
    shape = recipe.shape(x.sensor)
    images = torch.empty((len(x), *shape))
    for first in range(0, len(x), BLOCK):
        events = x[first : first + BLOCK]
        kept = events.t < recipe.length * 1000
        owner = torch.repeat_interleave(torch.arange(len(events)), events.start.diff())[kept]
        width = recipe.length * 1000 / recipe.bins
        channel = (events.t[kept] / width).long().clamp(max=recipe.bins - 1)
        if recipe.polarities == "kept":
            channel = channel * x.sensor[0] + events.p[kept]
        row, column = events.y[kept].long() // recipe.pool, events.x[kept].long() // recipe.pool
        cell = ((owner * shape[0] + channel) * shape[1] + row) * shape[2] + column
        n = torch.bincount(cell, minlength=len(events) * shape[0] * shape[1] * shape[2])
        grey = torch.log1p(n.float()) / log(1 + recipe.full)
        images[first : first + BLOCK] = grey.clamp(max=1).reshape(-1, *shape)
    return images


def rasters(x: Tensor, recipe: Raster) -> Tensor:
    """Vectors (N, D) in [0, 1] -> (N, 1, side, side): row r belongs to value r D // side."""
    band = torch.arange(recipe.side) * x.shape[1] // recipe.side
    column = torch.linspace(0, 1, recipe.side)
    away = (x[:, band, None] - column) / recipe.width
    return torch.exp(-0.5 * away**2)[:, None]
