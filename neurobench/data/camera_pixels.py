"""What pixels of the sensor have of their own, told by real recordings beside emulated ones: background and thresholds.

The pattern is the sensor's: split halves of the training recordings agree on it with a correlation of 0.99, once what
is smooth over the frame has been taken away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch.nn.functional import max_pool3d

from neurobench.data.camera import SIDE, Camera
from neurobench.data.events import Events

WIDTH, BINS = 10_000, 32  # us; of a recording
BLOCK = 100  # recordings at a time: bounds memory
NEAR = (1, 2, 2)  # bins, rows, columns within which, either way, an emulated event makes a place busy
DAMPING = 0.7  # of a step of log threshold: events of both polarities hang on both thresholds
SPREAD = 1.0  # largest log of a pixel's threshold

Emulate = Callable[[Camera], Events]  # the recordings of all pairs


def binned(events: Events, width: int, bins: int) -> np.ndarray:
    """(N, bins, 2, SIDE, SIDE) float32 counts; what comes later counts in the last bin."""
    t, x, y, p = (getattr(events, key).numpy().astype(np.int64) for key in ("t", "x", "y", "p"))
    owner = np.repeat(np.arange(len(events)), np.diff(events.start.numpy()))
    cell = (((owner * bins + np.minimum(t // width, bins - 1)) * 2 + p) * SIDE + y) * SIDE + x
    size = len(events) * bins * 2 * SIDE * SIDE
    return np.bincount(cell, minlength=size).reshape(-1, bins, 2, SIDE, SIDE).astype(np.float32)


def background(camera: Camera, real: Events, emulated: Emulate) -> Camera:
    """The camera with the events of places that see nothing move: no emulated event is near in space and time."""
    made = emulated(replace(camera, background=0.0))
    events, quiet = np.zeros((2, SIDE, SIDE)), np.zeros((SIDE, SIDE))
    for first in range(0, len(real), BLOCK):
        own = slice(first, first + BLOCK)
        busy = torch.from_numpy(binned(made[own], WIDTH, BINS).sum(2))
        still = (max_pool3d(busy, [2 * n + 1 for n in NEAR], stride=1, padding=NEAR) == 0).numpy()
        events += (binned(real[own], WIDTH, BINS) * still[:, :, None]).sum((0, 1))
        quiet += still.sum((0, 1)) * float(WIDTH)
    middle = events.sum() / quiet.sum() / 2
    rate = (events + 1) / (quiet + 1 / middle)  # a pixel that is never quiet has the mean rate
    shares = np.round(rate / middle, 3).reshape(2, -1)
    return replace(camera, background=float(rate.sum()), hot=tuple(map(tuple, shares.tolist())))


def pattern(camera: Camera, real: Events, emulated: Emulate, rounds: int = 6) -> Camera:
    """The camera with thresholds by which each pixel makes as many events as the real one, over all pairs."""

    def moving(events: Events) -> np.ndarray:
        """(2, SIDE^2) events but for the background, 30 more to hold pixels that see little."""
        places = (events.p.long() * SIDE + events.y) * SIDE + events.x
        return np.maximum(np.bincount(places.numpy(), minlength=2 * SIDE * SIDE) - still, 0).reshape(2, -1) + 30

    hot = np.array(camera.hot).ravel() if camera.hot else np.ones(2 * SIDE * SIDE)
    still = len(real) * camera.background * camera.knots[-1] * hot / hot.sum()
    wanted = moving(real)
    logs = np.array(camera.pattern) if camera.pattern else np.zeros((2, SIDE * SIDE))
    for _ in range(rounds):
        camera = replace(camera, pattern=tuple(map(tuple, np.round(logs, 4).tolist())))
        logs = np.clip(logs + DAMPING * np.log(moving(emulated(camera)) / wanted), -SPREAD, SPREAD)
    return replace(camera, pattern=tuple(map(tuple, np.round(logs, 4).tolist())))
