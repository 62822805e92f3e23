"""Fitting the camera to the real training recordings: `python -m neurobench.data.camera.fit FILE.json [--pairs N]`.

1. the path of the view, by gradient (`fit_path`): a pixel's brighter minus its darker events add up to the change of
   log luminance, (L(second) - L(first)) / threshold, which depends smoothly on path, turn, blur, black and threshold
2. how late the saccades of each recording are, and the events of pixels that see no motion (`fit_sensor`)
3. optics, thresholds and times of a pixel, and bends of the path, by CMA-ES (the package cmaes; Hansen,
   arXiv:1604.00772) on the difference between emulated and real recordings, each emulated with the saccades as late as
   in the real one of the same image
4. thresholds pixel by pixel, over all pairs (`fit_sensor`); then 3 and 4 once more

The 100 real test recordings are not used. The bundled camera was fitted with another implementation of CMA-ES, so a new
fit ends at a different camera, as it does with another number of threads or another processor: compare it with the
recordings by `neurobench data camera --of FILE.json`; after `--pairs 500`, also compare it with training recordings
that it was not fitted to, by `--fitted-to 500`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d, grid_sample, pad

from neurobench.config.errors import UserError
from neurobench.config.targets import import_extra
from neurobench.data.camera.emulation import emulate
from neurobench.data.camera.fit_sensor import RESTS, background, lateness, pattern
from neurobench.data.camera.likeness import Summary, cosine, difference, summary
from neurobench.data.camera.parameters import SENSOR, SIDE, Camera, as_json
from neurobench.data.events import Events, StoredEvents
from neurobench.data.mnist import checked_root, read
from neurobench.data.specs import NMNIST

BIN, BINS = 5000, 62  # us; bins of the path, up to 310 ms
# Read by eye from event maps: ms, row and column of the image's corner.
READINGS = (
    (5, 1, 0), (25, 2, 0), (35, 3, 0), (45, 4, 0), (55, 5, 1), (65, 6, 1), (75, 6.5, 2), (105, 6.5, 2), (125, 6, 3),
    (145, 5, 4), (155, 4, 4), (165, 3, 5), (175, 2, 5), (195, 2, 5), (205, 1, 6), (225, 1, 6), (235, 2, 5),
    (245, 1, 5), (255, 2, 3), (265, 2, 2), (275, 1, 2), (285, 1, 1), (305, 1, 1),
)  # fmt: skip
# Fitted parameters, and the relative amount by which each is varied at first.
VARIED = {
    "gamma": 0.08, "black": 0.1, "blur": 0.1, "brighter": 0.05, "darker": 0.05, "refractory": 0.07,
    "refractory_darker": 0.07, "refractory_tail": 0.2, "delay": 0.2, "rate": 0.2, "rate_gain": 0.2,
    "threshold_noise": 0.2, "lost": 0.3,
}  # fmt: skip
TURN = 0.01  # variation of each entry
# us: times at which the path is bent
BENDS = 1000.0 * np.array([0, 20, 40, 60, 80, 105, 130, 150, 170, 210, 235, 255, 275, 312])
BEND = 0.12  # pixels
# Start of the search: round numbers near the results of earlier searches.
START: dict[str, Any] = {
    "gamma": 2.2, "black": 0.5, "blur": 0.5, "brighter": 0.16, "darker": 0.16, "mismatch": 0.0, "refractory": 2000.0,
    "refractory_darker": 2200.0, "refractory_tail": 300.0, "delay": 300.0, "rate": 3.5e-4, "rate_gain": 3.5e-4,
    "threshold_noise": 0.13, "lost": 0.1, "background": 4.5e-4,
}  # fmt: skip
END = BIN * BINS + 2000.0  # us


@dataclass(frozen=True)
class Pairs:
    """Real recordings and the images they show."""

    real: Events
    images: np.ndarray  # (N, 28, 28) uint8
    ids: list[int]
    late: np.ndarray  # (N, 2) us, measured delay of the second and third saccade

    def emulated(self, camera: Camera) -> Events:
        """Emulate the images, with the saccades of each as late as in the real recording."""
        made, counts = emulate(camera, 0, self.images, self.ids, self.late)
        return StoredEvents.contiguous(made, counts, SENSOR)[:]

    def every(self, n: int) -> Pairs:
        """Every n-th pair."""
        chosen = torch.arange(0, len(self.ids), n)
        return Pairs(self.real[chosen], self.images[::n], self.ids[::n], self.late[::n])


def fit(n: int = 1000, rounds: int = 90, every: int = 20, verbose: bool = True) -> Camera:
    """Fit a camera to the first `n` training pairs. 1 in `every` judges the candidates of two searches of `rounds`
    rounds each.

    Raises UserError if cmaes is not installed.
    """
    _cma()
    split = NMNIST(validation=0).load(0).train.head(n)
    assert isinstance(split.x, Events)
    with checked_root(None) as root:
        images = read(root, True)[0][split.ids]
    camera = begin(split.x[::5], images[::5].float() / 255)
    pairs = Pairs(split.x, images.numpy(), split.ids.tolist(), np.zeros((n, 2)))
    late = lateness(pairs.real, pairs.emulated(camera))
    pairs = replace(pairs, late=late - late.mean(0))
    camera = replace(sooner(camera, -late.mean()), late=tuple(late.std(0).tolist()))
    camera = background(camera, pairs.real, pairs.emulated)
    for _ in range(2):
        camera = search(camera, pairs.every(every), rounds, verbose)
        camera = pattern(camera, pairs.real, pairs.emulated)
    return rounded(camera)


def search(camera: Camera, pairs: Pairs, rounds: int, verbose: bool = False) -> Camera:
    """Camera fitted by CMA-ES from `camera`: the mean of the last round's distribution."""
    real = summary(pairs.real)

    def loss(v: np.ndarray) -> float:
        return unlikeness(real, summary(pairs.emulated(moved(camera, v)))) + 1e-4 * float(v @ v)

    return moved(camera, minimise(loss, len(VARIED) + 4 + 2 * len(BENDS), rounds, verbose))


def _cma() -> Any:
    return import_extra("cmaes", "camera-fit", "fitting a camera").CMA


def minimise(loss: Callable[[np.ndarray], float], n: int, rounds: int, verbose: bool = False) -> np.ndarray:
    """Mean (n,) of the distribution of candidates after `rounds` rounds of 14, starting at 0 with sd 0.5."""
    optimizer = _cma()(mean=np.zeros(n), sigma=0.5, seed=0, population_size=14)
    for k in range(rounds):
        candidates = [optimizer.ask() for _ in range(optimizer.population_size)]
        losses = [loss(v) for v in candidates]
        optimizer.tell(list(zip(candidates, losses, strict=True)))
        if verbose:
            print(f"round {k + 1}/{rounds}: {min(losses):.4f}", flush=True)
    return optimizer.mean


def rounded(camera: Camera) -> Camera:
    """Camera rounded to six digits, as it is written."""

    def short(value: Any) -> Any:
        return tuple(map(short, value)) if isinstance(value, tuple) else float(f"{value:.6g}")

    return Camera(**{key: short(value) for key, value in asdict(camera).items()})


def begin(events: Events, images: torch.Tensor) -> Camera:
    """Camera with the parameters START and the path fitted to the events."""
    path = fit_path(events, images)
    corner = path["corner"].double().numpy()
    row, column = np.concatenate([corner, corner[-1:]]).T
    knots = np.append(np.arange(BINS + 1) * float(BIN), END)
    turn, late = tuple(map(tuple, path["turn"].tolist())), (0.0,) * len(RESTS)
    return Camera(**START, turn=turn, knots=tuple(knots), row=tuple(row), column=tuple(column), rests=RESTS, late=late)


def sooner(camera: Camera, us: float) -> Camera:
    """Camera with its whole path `us` earlier. Events lag behind the view by the delay of the pixels' low-pass."""
    times = np.array(camera.knots) + us
    row, column = (tuple(np.interp(times, camera.knots, axis)) for axis in (camera.row, camera.column))
    return replace(camera, row=row, column=column)


def moved(camera: Camera, v: np.ndarray) -> Camera:
    """Camera at point v of the search space; v = 0 is the camera itself."""
    n = len(VARIED)
    factors = np.exp(list(VARIED.values()) * v[:n])
    scaled = {name: getattr(camera, name) * float(factor) for name, factor in zip(VARIED, factors, strict=True)}
    turn = np.array(camera.turn) + TURN * v[n : n + 4].reshape(2, 2)
    bend = BEND * v[n + 4 :].reshape(2, -1)
    row, column = (
        tuple(np.array(axis) + np.interp(camera.knots, BENDS, by))
        for axis, by in ((camera.row, bend[0]), (camera.column, bend[1]))
    )
    scaled["lost"] = min(scaled["lost"], 1.0)
    return replace(camera, **scaled, turn=tuple(map(tuple, turn.tolist())), row=row, column=column)


def unlikeness(real: Summary, made: Summary) -> float:
    """Dissimilarity, 0 if none, in where and when events fall, how many, and how closely they follow each other."""
    total = 1 - cosine(real.maps, made.maps) + float(np.abs(made.events / real.events - 1).mean())
    total += 0.7 * difference(real.curve, made.curve) + 0.5 * difference(real.pixels, made.pixels)
    return total + 0.4 * difference(real.between, made.between)


def signed(events: Events) -> Tensor:
    """Brighter minus darker events of each bin, (N, BINS, SIDE, SIDE)."""
    within = events.t < BIN * BINS
    time, row, column = (events.t[within] // BIN).long(), events.y[within].long(), events.x[within].long()
    signs = 1.0 - 2.0 * events.p[within]
    counts = torch.zeros(len(events), BINS, SIDE, SIDE)
    return counts.index_put_((events.recording()[within], time, row, column), signs, accumulate=True)


def fit_path(events: Events, images: Tensor, steps: int = 90, batch: int = 60) -> dict[str, Tensor]:
    """Fit the path to recordings and their images, (N, 28, 28) in [0, 1]: corner (BINS + 1, 2) in pixels at each bin's
    edge, turn (2, 2), blur in pixels, black and threshold."""
    change = signed(events)
    draw = torch.Generator().manual_seed(0)
    readings = torch.tensor(READINGS)
    edges = torch.arange(BINS + 1) * BIN / 1000
    ms, row, column = readings.T.contiguous()
    corner = torch.stack([_interpolated(edges, ms, axis) for axis in (row, column)], 1).requires_grad_()
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
    """Log luminance that each pixel sees at each bin's edge, (N, BINS + 1, SIDE, SIDE)."""
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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m neurobench.data.camera.fit")
    parser.add_argument("file", metavar="FILE.json", type=Path)
    parser.add_argument(
        "--pairs", type=int, default=1000, help="number of training recordings, from the first; default all"
    )
    args = parser.parse_args()
    try:
        args.file.write_text(as_json(fit(args.pairs)))
    except UserError as error:
        sys.exit(str(error))
