"""Conversions between layouts: the functions that the specs in `encoders` name. Event times are in microseconds."""

from __future__ import annotations

from math import ceil, log

import numpy as np
import torch
from torch import Tensor

from neurobench.data.encoders import Counts, EmulatedCamera, Flat, Latency, Raster, Rate, Square
from neurobench.data.events import Events, StoredEvents, concatenate
from neurobench.kernels.random import derive, uniforms

# Samples encoded at a time: this bounds memory and changes no result.
LATENCY_BLOCK, RATE_BLOCK, COUNTS_BLOCK = 1000, 100, 500


def latency(spec: Latency, x: Tensor, ids: Tensor) -> Events:
    """Encode each value as one event, the larger the earlier. Nothing is random."""
    parts = []
    for block in x.split(LATENCY_BLOCK):
        activity = population_code(block, spec.cells)
        owner, p, row, column = (activity >= max(spec.dimmest, 1e-6)).nonzero(as_tuple=True)
        first = (1 - activity[owner, p, row, column].double()) * spec.window * 1000
        onsets = torch.arange(spec.repeats) * spec.window * 1000
        t = (first[:, None] + onsets).round().to(torch.int32).flatten()
        owner, *cells = (part.repeat_interleave(spec.repeats) for part in (owner, column, row, p))
        parts.append(_in_order(t, owner, cells, activity.shape))
    return concatenate(parts)


def rate(spec: Rate, x: Tensor, ids: Tensor) -> Events:
    """Encode values as Poisson trains: Bernoulli draws in steps of 1 ms, the event anywhere within its step. If the
    last step is shorter, its events after the end are left out."""
    steps = ceil(spec.duration)
    parts = []
    for block, numbers in zip(x.split(RATE_BLOCK), ids.split(RATE_BLOCK), strict=True):
        activity = population_code(block, spec.cells)
        activity = torch.where(activity >= max(spec.dimmest, 1e-6), activity, 0)
        shape = activity.shape[1:]
        draws = torch.stack([uniforms(derive(spec.noise_seed, int(k)), (steps, *shape)) for k in numbers])
        chance = (activity * spec.rate / 1000)[:, None]
        owner, step, p, row, column = (draws < chance).nonzero(as_tuple=True)
        within = (draws[owner, step, p, row, column] / chance[owner, 0, p, row, column]).double()
        t = ((step + within) * 1000).to(torch.int32)
        inside = t < spec.duration * 1000
        t, owner, *cells = (each[inside] for each in (t, owner, column, row, p))
        parts.append(_in_order(t, owner, cells, activity.shape))
    return concatenate(parts)


def population_code(x: Tensor, cells: int) -> Tensor:
    """Activity of each cell of the sensor, (N, polarities, rows, columns) in [0, 1].

    An image (N, C, H, W) is returned unchanged. Value v of a vector (N, D) excites cells whose centres c are evenly
    spaced over [0, 1]: exp(-(v - c)^2 / (2 s^2)), where s is the spacing; a single cell has activity v.
    """
    if x.dim() == 4:
        return x
    if cells == 1:
        return x[:, None, :, None]
    centres = torch.linspace(0, 1, cells)
    return torch.exp(-0.5 * ((x[:, None, :, None] - centres) * (cells - 1)) ** 2)


def _in_order(t: Tensor, owner: Tensor, cells: list[Tensor], shape: torch.Size) -> Events:
    """Events of n recordings, each sorted by time, simultaneous events in the order of their cells.

    cells: column, row and polarity of each event; shape: (n, polarities, rows, columns).
    """
    order = np.lexsort((t.numpy(), owner.numpy()))
    n, polarities, rows, columns = shape
    start = torch.cat([torch.zeros(1, dtype=torch.int64), torch.bincount(owner, minlength=n).cumsum(0)])
    x, y, p = (part[order].to(torch.uint8) for part in cells)
    return Events(t[order], x, y, p, start, (polarities, rows, columns))


def camera(spec: EmulatedCamera, x: Tensor, ids: Tensor) -> StoredEvents:
    """Images (N, 1, 28, 28) as recorded by the fitted camera; stored in the cache."""
    from neurobench.data.camera.emulation import stored
    from neurobench.data.camera.parameters import read

    images = (x[:, 0] * 255).round().to(torch.uint8).numpy()
    return stored(read(None), spec.camera_seed, images, ids.tolist()).events


def counts(spec: Counts, x: Events | StoredEvents, ids: Tensor) -> Tensor:
    """Event counts (N, bins * polarities, rows, columns), float32 in [0, 1]; channel bin * polarities + polarity."""
    shape = spec.shape(x.sensor)
    images = torch.empty((len(x), *shape))
    for first in range(0, len(x), COUNTS_BLOCK):
        events = x[first : first + COUNTS_BLOCK]
        counted = events.t < spec.length * 1000
        width = spec.length * 1000 / spec.bins
        channel = (events.t[counted] / width).long().clamp(max=spec.bins - 1)
        if spec.polarities == "kept":
            channel = channel * x.sensor[0] + events.p[counted]
        row, column = events.y[counted].long() // spec.pool, events.x[counted].long() // spec.pool
        cell = ((events.recording()[counted] * shape[0] + channel) * shape[1] + row) * shape[2] + column
        n = torch.bincount(cell, minlength=len(events) * shape[0] * shape[1] * shape[2])
        grey = torch.log1p(n.float()) / log(1 + spec.full)
        images[first : first + COUNTS_BLOCK] = grey.clamp(max=1).reshape(-1, *shape)
    return images


def raster(spec: Raster, x: Tensor, ids: Tensor) -> Tensor:
    """Bar images of vectors: (N, D) in [0, 1] -> (N, 1, side, side). Row r belongs to value r D // side."""
    band = torch.arange(spec.side) * x.shape[1] // spec.side
    column = torch.linspace(0, 1, spec.side)
    distance = (x[:, band, None] - column) / spec.width
    return torch.exp(-0.5 * distance**2)[:, None]


def square(spec: Square, x: Tensor, ids: Tensor) -> Tensor:
    """Square images of vectors: (N, D) -> (N, 1, side, side)."""
    places, (_, side, _) = spec.places(x.shape[1]), spec.shape((x.shape[1],))
    picture = torch.zeros(len(x), places * places)
    picture[:, : x.shape[1]] = x
    blocks = side // places
    rows = picture.view(-1, 1, places, places).repeat_interleave(blocks, 2)
    return rows.repeat_interleave(blocks, 3)


def flat(spec: Flat, x: Tensor, ids: Tensor) -> Tensor:
    """Flattened images: (N, C, H, W) -> (N, C * H * W)."""
    return x.flatten(1)
