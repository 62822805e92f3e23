"""Fits to single pixels and recordings: background, each pixel's thresholds, how late saccades are.

The pattern of thresholds is a property of the sensor: split halves of the training recordings agree on it with a
correlation of 0.99, once its smooth component over the frame has been removed. Saccades: the first begins the
recording; the second and third are late or early by some 3 and 2.5 ms (sd over the training recordings), by about as
much as in the recordings before and after.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch.nn.functional import max_pool3d

from neurobench.data.camera.likeness import BIN, BINS, binned
from neurobench.data.camera.parameters import SIDE, Camera
from neurobench.data.events import Events

BLOCK = 100  # recordings at a time: bounds memory
NEAR = (1, 2, 2)  # distance in bins, rows, columns within which an emulated event makes a place busy
DAMPING = 0.7  # factor of a step of log threshold: events of both polarities depend on both thresholds
SPREAD = 1.0  # largest log of a pixel's threshold

LATE_BIN, LATE_BINS = 2000, 160  # us per bin; bins of a recording
REACH = 8  # bins, largest shift in either direction
# us: pauses between the saccades, in which the view rests
RESTS = ((95_000.0, 125_000.0), (185_000.0, 220_000.0))
WINDOWS = ((54, 106), (108, 160))  # bins of the second and the third saccade

Emulate = Callable[[Camera], Events]  # returns the recordings of all pairs


def background(camera: Camera, real: Events, emulated: Emulate) -> Camera:
    """Camera with the background fitted to places that see no motion: no emulated event is near in space and time."""
    made = emulated(replace(camera, background=0.0))
    events, quiet = np.zeros((2, SIDE, SIDE)), np.zeros((SIDE, SIDE))
    for first in range(0, len(real), BLOCK):
        block = slice(first, first + BLOCK)
        busy = torch.from_numpy(binned(made[block], BIN, BINS).sum(2))
        still = (max_pool3d(busy, [2 * n + 1 for n in NEAR], stride=1, padding=NEAR) == 0).numpy()
        events += (binned(real[block], BIN, BINS) * still[:, :, None]).sum((0, 1))
        quiet += still.sum((0, 1)) * float(BIN)
    mean = events.sum() / quiet.sum() / 2
    rate = (events + 1) / (quiet + 1 / mean)  # a pixel that is never quiet has the mean rate
    shares = np.round(rate / mean, 3).reshape(2, -1)
    return replace(camera, background=float(rate.sum()), hot=tuple(map(tuple, shares.tolist())))


def pattern(camera: Camera, real: Events, emulated: Emulate, rounds: int = 6) -> Camera:
    """Camera with thresholds at which each pixel sends as many events as the real one, over all pairs."""

    def moving(events: Events) -> np.ndarray:
        """Events without the background, (2, SIDE^2), plus 30 to stabilise pixels that see little."""
        places = (events.p.long() * SIDE + events.y) * SIDE + events.x
        return np.maximum(np.bincount(places.numpy(), minlength=2 * SIDE * SIDE) - still, 0).reshape(2, -1) + 30

    hot = np.array(camera.hot).ravel() if camera.hot else np.ones(2 * SIDE * SIDE)
    still = len(real) * camera.background * camera.knots[-1] * hot / hot.sum()
    target = moving(real)
    logs = np.array(camera.pattern) if camera.pattern else np.zeros((2, SIDE * SIDE))
    for _ in range(rounds):
        camera = replace(camera, pattern=tuple(map(tuple, np.round(logs, 4).tolist())))
        logs = np.clip(logs + DAMPING * np.log(moving(emulated(camera)) / target), -SPREAD, SPREAD)
    return replace(camera, pattern=tuple(map(tuple, np.round(logs, 4).tolist())))


def lateness(real: Events, made: Events) -> np.ndarray:
    """Delays (N, 2) in us of the second and third saccade of real recordings relative to the emulated ones."""
    late = np.empty((len(real), len(WINDOWS)))
    for k in range(len(real)):
        one, other = (binned(each[k : k + 1], LATE_BIN, LATE_BINS)[0].reshape(LATE_BINS, -1) for each in (real, made))
        late[k] = [_lag(one, other, first, last) for first, last in WINDOWS]
    return late * LATE_BIN


def _lag(real: np.ndarray, made: np.ndarray, first: int, last: int) -> float:
    """Shift in bins at which `made` (bins, cells) is most similar to `real` from first to last: the cosine's peak."""
    active = np.flatnonzero(real[first:last].any(0) & made[first:last].any(0))
    wide = (np.pad(maps[:, active], ((1, 1), (0, 0))) for maps in (real, made))
    one, other = (maps[:-2] + maps[1:-1] + maps[2:] for maps in wide)  # each bin with its two neighbours
    other = np.pad(other, ((REACH, REACH), (0, 0)))
    cosines = np.empty(2 * REACH + 1)
    for k in range(2 * REACH + 1):
        moved = other[first + 2 * REACH - k : last + 2 * REACH - k]
        cosines[k] = (one[first:last] * moved).sum() / np.sqrt((moved * moved).sum() + 1e-9)
    k = min(max(int(cosines.argmax()), 1), 2 * REACH - 1)
    left, top, right = cosines[k - 1 : k + 2]
    bend = left + right - 2 * top
    return k - REACH + (min(max((left - right) / (2 * bend), -0.5), 0.5) if bend < 0 else 0.0)
