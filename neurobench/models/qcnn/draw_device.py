"""What finitely many shots and a noisy device make of a trained network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurobench.models.qcnn.beside import mean_abs_dz, scores_by
from neurobench.models.qcnn.gradients import Way
from neurobench.problems.circuit import Angles

if TYPE_CHECKING:
    from neurobench.data.dataset import Split
    from neurobench.devices.circuit.protocol import CircuitDevice
    from neurobench.models.qcnn.learner import HybridQCNNLearner

SHOTS = (1, 3, 10, 30, 100, 300, 1024)
ACCURACY, DZ, IDEAL = "#1f4e79", "#b2182b", "#7aa6a1"
_IMAGES = 500  # of the test set


def shots_and_noise(learner: HybridQCNNLearner, test: Split) -> Figure:
    """Accuracy and mean |<Z> - ideal <Z>| against shots, and where the device is noisy, against its noise."""
    assert learner.way is not None
    test = test.head(_IMAGES)
    device, ideal = learner.way.device, learner.way.device.ideal()
    devices = {"noiseless": ideal} if device is ideal else {"noiseless": ideal, "device": device}
    noise = device.variants().noise
    figure = Figure(figsize=(9.6 if noise else 5.2, 5.4), layout="constrained")
    grid = figure.subplots(2, 2 if noise else 1, sharey="row", squeeze=False)
    for (name, one), colour in zip(devices.items(), (IDEAL, ACCURACY), strict=False):
        accuracy = [_accuracy(learner, test, replace(learner.way, device=one, shots=n)) for n in SHOTS]
        off = [mean_abs_dz(learner, test, one, shots=n) for n in SHOTS]
        grid[0, 0].plot(SHOTS, accuracy, marker="o", color=colour, label=name)
        grid[1, 0].plot(SHOTS, off, marker="o", color=colour, label=name)
    _finish(list(grid[:, 0]), "shots of each circuit")
    grid[1, 0].legend(frameon=False)
    if noise:
        _against_noise(learner, test, noise, list(grid[:, 1]))
    figure.suptitle(f"the first {len(test)} test images", fontsize=10)
    return figure


def _against_noise(
    learner: HybridQCNNLearner, test: Split, noise: Mapping[float, CircuitDevice], axes: list[Axes]
) -> None:
    assert learner.way is not None
    levels = [level for level in noise if level > 0]
    for shots, style in ((None, "-"), (100, "--"), (1, ":")):
        label = "exact" if shots is None else f"{shots} shot{'s' if shots > 1 else ''}"
        accuracy, off = [], []
        for level in levels:
            way: Way = replace(learner.way, device=noise[level], shots=shots)
            accuracy.append(_accuracy(learner, test, way))
            off.append(mean_abs_dz(learner, test, noise[level], shots))
        axes[0].plot(levels, accuracy, style, marker="o", color=ACCURACY, label=label)
        axes[1].plot(levels, off, style, marker="o", color=DZ, label=label)
    _finish(axes, "noise, times that of the device")
    axes[1].legend(frameon=False)


def _finish(axes: list[Axes], what: str) -> None:
    for one, name in zip(axes, ("test accuracy", "mean |dZ|"), strict=True):
        one.set_xscale("log")
        one.set_ylabel(name)
        one.grid(alpha=0.3)
    axes[1].set_yscale("log")
    axes[1].set_xlabel(what)


def _accuracy(learner: HybridQCNNLearner, test: Split, way: Way) -> float:
    found = torch.cat(list(scores_by(learner, test, way))).argmax(1)
    return float((found == test.y.to(found.device)).double().mean())


def landscape(learner: HybridQCNNLearner, test: Split) -> Figure:
    """P(1) against the one angle: exact, as the device gives it, from 100 shots; and where the test images lie."""
    assert learner.way is not None
    device, program = learner.way.device, learner.way.program
    z = torch.cat([learner.main.z(learner.images(test.batch(i).x)) for i in torch.arange(len(test)).split(_IMAGES)])
    reach = float(z.abs().max().clamp(min=3.2))
    theta = torch.linspace(-reach, reach, 241, device=learner.device)[:, None]
    angles = Angles(theta, theta.new_zeros(0))
    figure = Figure(figsize=(7.6, 4.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    curves: dict[str, tuple[CircuitDevice, str]] = {"(1 + sin z) / 2": (device.ideal(), IDEAL)}
    if device.ideal() is not device:
        curves["device, many shots"] = (device, ACCURACY)
    for label, (one, colour) in curves.items():
        above.plot(theta[:, 0].cpu(), (1 - one.expectation(program, angles)[:, 0].cpu()) / 2, color=colour, label=label)
    some = Angles(theta[::6], angles.shared)
    counted = device.estimate(program, device.counts(program, some, 100, seed=learner.seeds.training))
    above.plot(
        theta[::6, 0].cpu(), (1 - counted[:, 0].cpu()) / 2, ".", color=DZ, markersize=5, label="device, 100 shots"
    )
    above.axhline(0.5, color="gray", linewidth=0.8, linestyle=":")
    above.set_ylabel("P(1), the score of class 0")
    above.legend(frameon=False, fontsize=8)
    for digit, colour in ((0, ACCURACY), (1, "#d1752c")):
        below.hist(z[test.y == digit, 0].cpu(), bins=60, color=colour, alpha=0.7, label=f"class {digit}")
    below.legend(frameon=False, fontsize=8)
    below.set_ylabel("test images")
    below.set_xlabel("angle z (rad)")
    for axes in (above, below):
        axes.grid(alpha=0.3)
    return figure
