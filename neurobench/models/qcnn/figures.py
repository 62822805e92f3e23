"""Figures of a run: images, training, and of a circuit its gates and its accuracy under shots and noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import MaxNLocator

from neurobench.data.dataset import Split
from neurobench.devices.circuit.protocol import CircuitDevice
from neurobench.models.learner import TrainingRecord
from neurobench.models.qcnn.circuits import CircuitRunner
from neurobench.models.qcnn.comparisons import accuracy, mean_abs_dz
from neurobench.models.qcnn.learner import HybridQCNNLearner
from neurobench.models.qcnn.network import trunk
from neurobench.problems.circuit import Angles, Gate, Program

BLUE, RED, GREEN, ORANGE, PURPLE = "#1f4e79", "#b2182b", "#7aa6a1", "#d1752c", "#8c6bb1"
FIXED, FROM_IMAGE, LEARNED = "#d9d9d9", "#b8d4ea", "#f5cfa8"  # gates
SHOTS = (1, 3, 10, 30, 100, 300, 1024)
_SHOWN = 6  # images
_SEARCHED = 1000  # test images searched for mistakes
_IMAGES = 500  # of the test set, for the figures of devices
_WIDEST = 40  # columns of a diagram; a longer circuit is cut


@torch.no_grad()
def all_figures(learner: HybridQCNNLearner, test: Split, record: TrainingRecord) -> dict[str, Figure]:
    figures = {"samples": samples(learner, test)}
    if record.epochs:
        figures["convergence"] = convergence(learner, record)
    if learner.runner is not None:
        figures["circuit"] = diagram(learner.runner.program)
        figures["shots_and_noise"] = shots_and_noise(learner, test, learner.runner)
        if learner.spec.head == "binary":
            figures["landscape"] = landscape(learner, test, learner.runner)
    return figures


def samples(learner: HybridQCNNLearner, test: Split) -> Figure:
    """The first test images, and below them the first mistakes."""
    test = test.head(_SEARCHED)
    images = learner.images(test.x).cpu()
    confidence, guess = learner.main.head.probabilities(learner.predict(images).cpu()).max(1)
    wrong = (guess != test.y).nonzero()[:_SHOWN, 0].tolist()
    rows = [list(range(min(_SHOWN, len(test)))), *([wrong] if wrong else [])]
    figure = Figure(figsize=(1.5 * _SHOWN, 1.95 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), _SHOWN, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for row, chosen in zip(grid, rows, strict=True):
        for axes, index in zip(row, chosen, strict=False):
            axes.imshow(images[index].mean(0), cmap="gray", vmin=0, vmax=1)
            title, colour = f"class {int(guess[index])}, p {float(confidence[index]):.2f}", "k"
            if guess[index] != test.y[index]:
                title, colour = f"{title}\nis {int(test.y[index])}", "C3"
            axes.set_title(title, fontsize=9, color=colour)
    return figure


def convergence(learner: HybridQCNNLearner, record: TrainingRecord) -> Figure:
    """Training loss and error by epoch, running means while the networks change."""
    epochs = range(1, len(record.epochs) + 1)
    figure = Figure(figsize=(8.4, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(epochs, [row["train_loss"] for row in record.epochs], marker="o", markersize=3, color=BLUE)
    left.set_ylabel("-P(class)" if learner.spec.nll_on_probabilities else "-log P(class)")
    left.set_title(f"{learner.spec.head} head", fontsize=10)
    names = {"train_accuracy": learner.spec.head, **{f"train_{head}_accuracy": head for head in learner.classical}}
    for (key, label), colour in zip(names.items(), (BLUE, ORANGE, GREEN, PURPLE), strict=False):
        errors = [100 * (1 - row[key]) for row in record.epochs]
        right.plot(epochs, errors, marker="o", markersize=3, color=colour, label=label)
    right.set_ylabel("training error (%)")
    right.legend(frameon=False)
    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    return figure


def shots_and_noise(learner: HybridQCNNLearner, test: Split, runner: CircuitRunner) -> Figure:
    """Accuracy and mean |<Z> - ideal <Z>| against shots, and where the device is noisy, against its noise."""
    test = test.head(_IMAGES)
    device, ideal = runner.device, runner.device.ideal()
    devices = {"noiseless": ideal} if device is ideal else {"noiseless": ideal, "device": device}
    noise = device.variants().noise
    figure = Figure(figsize=(9.6 if noise else 5.2, 5.4), layout="constrained")
    grid = figure.subplots(2, 2 if noise else 1, sharey="row", squeeze=False)

    def plot(axes: Any, x: Sequence[float], runners: list[CircuitRunner], colours: list[str], **style: Any) -> None:
        errors = [mean_abs_dz(learner, test, one.device, one.shots) for one in runners]
        accuracies = [accuracy(learner, test, one) for one in runners]
        for one, values, colour in zip(axes, (accuracies, errors), colours, strict=True):
            one.plot(x, values, marker="o", color=colour, **style)

    for (label, one), colour in zip(devices.items(), (GREEN, BLUE), strict=False):
        plot(grid[:, 0], SHOTS, [replace(runner, device=one, shots=n) for n in SHOTS], [colour] * 2, label=label)
    _label(grid[:, 0], "shots of each circuit")
    if noise:
        levels = [level for level in noise if level > 0]
        for shots, style, label in ((None, "-", "exact"), (100, "--", "100 shots"), (1, ":", "1 shot")):
            runners = [replace(runner, device=noise[level], shots=shots) for level in levels]
            plot(grid[:, 1], levels, runners, [BLUE, RED], linestyle=style, label=label)
        _label(grid[:, 1], "noise, times that of the device")
    figure.suptitle(f"the first {len(test)} test images", fontsize=10)
    return figure


def _label(axes: Any, x: str) -> None:
    for one, name in zip(axes, ("test accuracy", "mean |dZ|"), strict=True):
        one.set_xscale("log")
        one.set_ylabel(name)
        one.grid(alpha=0.3)
    axes[1].set_yscale("log")
    axes[1].set_xlabel(x)
    axes[1].legend(frameon=False)


def landscape(learner: HybridQCNNLearner, test: Split, runner: CircuitRunner) -> Figure:
    """P(1) against the one angle: exact, as the device gives it, from 100 shots; and where the test images lie."""
    device, program = runner.device, runner.program
    p, blocks = learner.main.named(), torch.arange(len(test)).split(_IMAGES)
    z = torch.cat([trunk(p, learner.images(test.batch(index).x)).z for index in blocks])
    reach = float(z.abs().max().clamp(min=3.2))
    theta = torch.linspace(-reach, reach, 241, device=learner.device)[:, None]
    angles = Angles(theta, theta.new_zeros(0))
    figure = Figure(figsize=(7.6, 4.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    curves: dict[str, tuple[CircuitDevice, str]] = {"(1 + sin z) / 2": (device.ideal(), GREEN)}
    if device.ideal() is not device:
        curves["device, many shots"] = (device, BLUE)
    for label, (one, colour) in curves.items():
        p_one = (1 - one.expectation(program, angles).values[:, 0].cpu()) / 2
        above.plot(theta[:, 0].cpu(), p_one, color=colour, label=label)
    counts = device.counts(program, Angles(theta[::6], angles.shared), 100, seed=learner.seeds.training).counts
    p_one = (1 - device.estimate(program, counts)[:, 0].cpu()) / 2
    above.plot(theta[::6, 0].cpu(), p_one, ".", color=RED, markersize=5, label="device, 100 shots")
    above.axhline(0.5, color="gray", linewidth=0.8, linestyle=":")
    above.set_ylabel("P(1), the score of class 0")
    for digit, colour in ((0, BLUE), (1, ORANGE)):
        below.hist(z[test.y == digit, 0].cpu(), bins=60, color=colour, alpha=0.7, label=f"class {digit}")
    below.set_ylabel("test images")
    below.set_xlabel("angle z (rad)")
    for axes in (above, below):
        axes.legend(frameon=False, fontsize=8)
        axes.grid(alpha=0.3)
    return figure


def diagram(program: Program) -> Figure:
    """Wires from left to right, gates in the first column that is free."""
    placed, free = [], [0] * program.n  # a gate of two wires takes all wires between them too
    for gate in program.gates:
        span = slice(min(gate.wires), max(gate.wires) + 1)
        column = max(free[span])
        free[span] = [column + 1] * len(free[span])
        placed.append((column, gate))
    last = max((column for column, _ in placed), default=0)
    width = min(last, _WIDEST) + 3
    figure = Figure(figsize=(1.2 + 0.62 * width, 0.9 + 0.55 * program.n), layout="constrained")
    axes = figure.subplots()
    for wire in range(program.n):
        axes.plot([-0.7, width - 1.4], [wire, wire], color="black", linewidth=0.8, zorder=0)
        axes.text(-0.8, wire, f"q{wire}  |0>", ha="right", va="center", fontsize=9)
        _box(axes, width - 1.5, wire, "M", "white")
    for column, gate in placed:
        if column <= _WIDEST:
            _draw(axes, column, gate, program)
    if last > _WIDEST:
        axes.text(_WIDEST + 1, -0.8, "...", fontsize=12)
    axes.set_xlim(-2.2, width - 0.6)
    axes.set_ylim(program.n - 0.3, -0.9)
    axes.set_aspect("equal")
    axes.axis("off")
    for colour, label in ((FROM_IMAGE, "angle from the image"), (LEARNED, "learned weight"), (FIXED, "fixed")):
        axes.scatter([], [], marker="s", s=60, color=colour, label=label)
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    return figure


def _draw(axes: Axes, column: int, gate: Gate, program: Program) -> None:
    if len(gate.wires) == 1:
        label, colour = gate.name.upper(), FIXED
        if gate.slot is not None and gate.slot < program.n_sample:
            label, colour = f"{label}\nx{gate.slot}", FROM_IMAGE
        elif gate.slot is not None:
            label, colour = f"{label}\nw{gate.slot - program.n_sample}", LEARNED
        _box(axes, column, gate.wires[0], label, colour)
        return
    marker, size = ("o", 6) if gate.name == "cz" else ("P", 9)
    axes.plot([column, column], gate.wires, color="black", linewidth=1.2)
    axes.plot(column, gate.wires[0], "o", color="black", markersize=6)
    axes.plot(column, gate.wires[1], marker, color="black", markersize=size)


def _box(axes: Axes, column: float, wire: int, label: str, colour: str) -> None:
    corner, style = (column - 0.36, wire - 0.36), "round,pad=0.02"
    axes.add_patch(FancyBboxPatch(corner, 0.72, 0.72, boxstyle=style, facecolor=colour, edgecolor="black"))
    axes.text(column, wire, label, ha="center", va="center", fontsize=7, linespacing=0.95)
