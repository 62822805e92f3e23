"""Fitting the camera to the real training recordings: `python -m neurobench.data.camera_fit FILE.json`.

First the path (see `camera_path`), then everything by CMA-ES on how like the real recordings the emulated ones are.
The 100 real test recordings are not looked at. About half an hour on one core.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from neurobench.data.camera import SENSOR, Camera, as_json
from neurobench.data.camera_likeness import Summary, cosine, summary
from neurobench.data.camera_path import BIN, BINS, fit_path
from neurobench.data.camera_store import emulate
from neurobench.data.cma import minimise
from neurobench.data.events import Events
from neurobench.data.mnist import read
from neurobench.data.mnist_files import checked_root
from neurobench.data.nmnist import NMNIST
from neurobench.data.stored_events import StoredEvents

# Parameters that are fitted, and by how much of themselves they are varied at first.
VARIED = {
    "gamma": 0.08, "black": 0.1, "blur": 0.1, "brighter": 0.05, "darker": 0.05, "mismatch": 0.2, "refractory": 0.07,
    "refractory_darker": 0.07, "refractory_tail": 0.2, "delay": 0.2, "rate": 0.2, "rate_gain": 0.2,
    "threshold_noise": 0.2, "background": 0.1,
}  # fmt: skip
TURN = 0.01  # of each entry
BENDS = (
    np.array([0, 20, 40, 60, 80, 105, 130, 150, 170, 210, 235, 255, 275, 312]) * 1000.0
)  # us: where the path is bent
BEND = 0.12  # pixels
END = BIN * BINS + 2000.0  # us


def fit(pairs: int = 40, rounds: int = 120) -> Camera:
    """The fitted camera. `pairs` of the 1000 judge each candidate of a round."""
    split = NMNIST(validation=0).load(0).train
    assert isinstance(split.x, Events)
    with checked_root(None) as root:
        images = read(root, True)[0][split.ids]
    start = begin(split.x[::5], images[::5].float() / 255)
    chosen = torch.arange(1, 1000, 1000 // pairs)
    real, shown = summary(split.x[chosen]), images[chosen].numpy()

    def loss(v: np.ndarray) -> float:
        made, counts = emulate(moved(start, v), 0, shown, chosen.tolist())
        events = StoredEvents(made, counts.cumsum() - counts, counts, SENSOR)[:]
        return unlikeness(real, summary(events)) + 1e-4 * float(v @ v)

    mean = np.zeros(len(VARIED) + 4 + 2 * len(BENDS))
    for k, generation in enumerate(islice(minimise(loss, mean, 0.5, seed=0, size=14), rounds)):
        mean = generation.mean
        print(f"round {k + 1}/{rounds}: {generation.best:.4f}", flush=True)
    return moved(start, mean)


def begin(events: Events, images: torch.Tensor) -> Camera:
    """The path and what goes with it, and round numbers for the rest."""
    found = fit_path(events, images)
    corner = found["corner"].double().numpy()
    knots = np.append(np.arange(BINS + 1) * float(BIN), END)
    corner = np.concatenate([corner, corner[-1:]])
    return Camera(
        gamma=1.0,
        black=float(found["black"]),
        blur=float(found["blur"]),
        brighter=0.18,
        darker=0.18,
        mismatch=0.08,
        refractory=2200.0,
        refractory_darker=2500.0,
        refractory_tail=400.0,
        delay=400.0,
        rate=3.5e-4,
        rate_gain=3.5e-4,
        threshold_noise=0.08,
        background=4.5e-4,
        background_darker=0.5,
        turn=tuple(map(tuple, found["turn"].tolist())),
        knots=tuple(knots),
        row=tuple(corner[:, 0]),
        column=tuple(corner[:, 1]),
    )


def moved(camera: Camera, v: np.ndarray) -> Camera:
    """The camera at point v of the space that is searched; v = 0 is the camera itself."""
    n = len(VARIED)
    scaled = {
        name: getattr(camera, name) * float(np.exp(s * z)) for (name, s), z in zip(VARIED.items(), v, strict=False)
    }
    turn = np.array(camera.turn) + TURN * v[n : n + 4].reshape(2, 2)
    bend = BEND * v[n + 4 :].reshape(2, -1)
    row, column = (
        tuple(np.array(axis) + np.interp(camera.knots, BENDS, by))
        for axis, by in ((camera.row, bend[0]), (camera.column, bend[1]))
    )
    return replace(camera, **scaled, turn=tuple(map(tuple, turn.tolist())), row=row, column=column)


def unlikeness(real: Summary, made: Summary) -> float:
    """0 where nothing differs: where and when events fall, how many, and how close they follow each other."""

    def share(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.abs(b - a).sum() / a.sum())

    each = float(np.abs(made.events / real.events - 1).mean())
    apart = 1 - cosine(real.maps, made.maps)
    rhythm = share(real.between, made.between)
    return apart + each + 0.7 * share(real.curve, made.curve) + 0.5 * share(real.pixels, made.pixels) + 0.4 * rhythm


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(as_json(fit()))
