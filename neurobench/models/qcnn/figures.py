"""Figures of a run: images, training, and for a circuit its gates and its accuracy under shots and noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from neurobench.data.dataset import Split
from neurobench.devices.circuit.protocol import CircuitDevice
from neurobench.figures.gallery import gallery
from neurobench.figures.style import (
    COLUMN,
    DEVICE,
    IDEAL,
    LIMIT,
    TRAIN,
    align_ylabels,
    by_epoch,
    class_label,
    class_name,
    in_per_cent,
    legend,
    series,
    short,
    stack,
)
from neurobench.metrics.statistics import wilson_interval
from neurobench.models.learner import TrainingRecord
from neurobench.models.qcnn.circuits import CircuitRunner
from neurobench.models.qcnn.comparisons import accuracy, mean_abs_dz
from neurobench.models.qcnn.learner import HybridQCNNLearner
from neurobench.models.qcnn.network import trunk
from neurobench.problems.circuit import Angles, Gate, Program

FIXED, FROM_IMAGE, LEARNED = "#d9d9d9", "#b8d4ea", "#f5cfa8"  # colours of gates
_GATES = {FROM_IMAGE: "angle from the image", LEARNED: "learned weight", FIXED: "fixed"}
SHOTS = (1, 3, 10, 30, 100, 300, 1024)
_SHOWN, _NAMED = 6, 4  # images in a row: with digits, and with names of classes, which are wider
_SEARCHED = 1000  # test images searched for mistakes
_DRAWN = 100  # shots per point of the landscape
_IMAGES = 500  # test images used in the figures of devices
_WIDEST = 40  # columns of a diagram; a longer circuit is cut
_FOLDED = 9  # columns per line of a diagram, so that its labels stay legible


@torch.no_grad()
def all_figures(learner: HybridQCNNLearner, test: Split, record: TrainingRecord) -> dict[str, Figure]:
    figures = {"samples": samples(learner, test)}
    if len(record.epochs) > 1:  # the course of a single epoch is in the learning curve
        figures["convergence"] = convergence(learner, record)
    if learner.runner is not None:
        figures["circuit"] = diagram(learner.runner.program)
    if learner.runner is not None and learner.runner.exact:
        figures["shots_and_noise"] = shots_and_noise(learner, test, learner.runner)
        if learner.spec.head == "binary":
            figures["landscape"] = landscape(learner, test, learner.runner)
    return figures


def samples(learner: HybridQCNNLearner, test: Split) -> Figure:
    """The first test images, and below them the first mistakes."""
    test = test.limited(_SEARCHED)
    images = learner.images(test.x).cpu()
    confidence, guess = learner.main.head.probabilities(learner.predict(images).cpu()).max(1)
    shown = _NAMED if _has_names(test) else _SHOWN
    wrong = (guess != test.y).nonzero()[:shown, 0].tolist()
    chosen = [*range(min(shown, len(test))), *wrong]
    return gallery(
        [images[index].mean(0).numpy() for index in chosen],
        [_caption(test, index, int(guess[index]), float(confidence[index])) for index in chosen],
        [bool(guess[index] != test.y[index]) for index in chosen],
        columns=shown,
    )


def _caption(test: Split, index: int, guess: int, confidence: float) -> str:
    name, true = (short(class_name(test.classes, each), 10) for each in (guess, int(test.y[index])))
    first = f"{name}{chr(10) if _has_names(test) else ', '}p {confidence:.2f}"
    return first if guess == int(test.y[index]) else f"{first}\ntrue: {true}"


def _has_names(test: Split) -> bool:
    return any(len(name) > 2 for name in test.classes)


def convergence(learner: HybridQCNNLearner, record: TrainingRecord) -> Figure:
    """Training loss and error by epoch, as running means while the networks change."""
    epochs = range(1, len(record.epochs) + 1)
    figure, (above, below) = stack(2)
    above.plot(epochs, [row["train_loss"] for row in record.epochs], marker="o", color=TRAIN)
    above.set_ylabel("-P(class)" if learner.spec.nll_on_probabilities else "-log P(class) (nat)")
    names = {"train_accuracy": learner.spec.head, **{f"train_{head}_accuracy": head for head in learner.classical}}
    for number, (key, label) in enumerate(names.items()):
        colour = series(number - 1) if number else TRAIN
        below.plot(epochs, [1 - row[key] for row in record.epochs], marker="o", color=colour, label=f"{label} head")
    below.set_ylabel("training error")
    in_per_cent(below)
    by_epoch(below, len(epochs))
    align_ylabels((above, below))
    legend(figure, below)
    return figure


def shots_and_noise(learner: HybridQCNNLearner, test: Split, runner: CircuitRunner) -> Figure:
    """Accuracy, with its confidence interval over the images, and mean |<Z> - ideal <Z>|, against shots and, if the
    device is noisy, against its noise."""
    test = test.limited(_IMAGES)
    device, ideal = runner.device, runner.device.ideal()
    devices = {"noiseless": ideal} if device is ideal else {"noiseless": ideal, "device": device}
    noise = device.variants().noise
    figure = Figure(figsize=(COLUMN, 4.2), layout="constrained")
    grid = figure.subplots(2, 2 if noise else 1, sharey="row", sharex="col", squeeze=False)

    def plot(axes: Any, x: Sequence[float], runners: list[CircuitRunner], colour: str, **style: Any) -> None:
        right = [accuracy(learner, test, one) for one in runners]
        bounds = [wilson_interval(round(value * len(test)), len(test)) for value in right]
        reach = [
            [value - low for value, (low, _) in zip(right, bounds, strict=True)],
            [high - value for value, (_, high) in zip(right, bounds, strict=True)],
        ]
        axes[0].errorbar(x, right, reach, marker="o", elinewidth=0.6, color=colour, **style)
        errors = [mean_abs_dz(learner, test, one.device, one.shots) for one in runners]
        axes[1].plot(x, errors, marker="o", color=colour, **style)

    for (label, one), colour in zip(devices.items(), (IDEAL, DEVICE), strict=False):
        plot(grid[:, 0], SHOTS, [replace(runner, device=one, shots=n) for n in SHOTS], colour, label=label)
    grid[1, 0].set_xlabel("shots per circuit")
    if noise:
        levels = [level for level in noise if level > 0]
        for shots, style, label in ((None, "-", "device, exact"), (100, "--", "100 shots"), (1, ":", "1 shot")):
            runners = [replace(runner, device=noise[level], shots=shots) for level in levels]
            plot(grid[:, 1], levels, runners, DEVICE, linestyle=style, label=label)
        grid[1, 1].set_xlabel("noise / device noise")
    for axes in grid.flat:
        axes.set_xscale("log")
        axes.grid()
    grid[1, 0].set_yscale("log")
    grid[0, 0].set_ylabel("accuracy, 95 % interval")
    grid[1, 0].set_ylabel("mean |<Z> - ideal <Z>|")
    grid[0, 0].set_title(f"first {len(test)} test images")
    in_per_cent(grid[0, 0])
    align_ylabels([*grid[:, 0]])
    legend(figure, *grid[1])
    return figure


def landscape(learner: HybridQCNNLearner, test: Split, runner: CircuitRunner) -> Figure:
    """P(1) against the only angle: exact, on the device, from 100 shots with standard errors; and the distribution of
    the test images."""
    device, program = runner.device, runner.program
    p, blocks = learner.main.named(), torch.arange(len(test)).split(_IMAGES)
    z = torch.cat([trunk(p, learner.images(test.batch(index).x)).z for index in blocks])
    reach = float(z.abs().max().clamp(min=3.2))
    theta = torch.linspace(-reach, reach, 241, device=learner.device)[:, None]
    angles = Angles(theta, theta.new_zeros(0))
    figure, (above, below) = stack(2, height=1.6, height_ratios=(3, 2))
    curves: dict[str, tuple[CircuitDevice, str]] = {"(1 + sin z) / 2": (device.ideal(), IDEAL)}
    if device.ideal() is not device:
        curves["device, many shots"] = (device, DEVICE)
    for label, (one, colour) in curves.items():
        p_one = (1 - one.expectation(program, angles).values[:, 0].cpu()) / 2
        above.plot(theta[:, 0].cpu(), p_one, color=colour, label=label)
    counts = device.counts(program, Angles(theta[::6], angles.shared), _DRAWN, seed=learner.seeds.training).counts
    p_one = (1 - device.estimate(program, counts)[:, 0].cpu()) / 2
    error = (p_one * (1 - p_one)).clamp(min=0).div(_DRAWN).sqrt()
    label = f"device, {_DRAWN} shots ± standard error"
    above.errorbar(theta[::6, 0].cpu(), p_one, error, fmt=".", color=DEVICE, elinewidth=0.6, label=label)
    above.axhline(0.5, color=LIMIT, linewidth=0.7, linestyle=":")
    names = [class_label(test.classes, number) for number in range(2)]
    above.set_ylabel(f"P(1), the score of class {names[0]}")
    for number, name in enumerate(names):
        values = z[test.y == number, 0].cpu()
        below.hist(values, bins=40, color=series(number), alpha=0.7, label=f"class {name}", histtype="stepfilled")
    below.set(ylabel="test images", xlabel="angle z (rad)")
    align_ylabels((above, below))
    legend(figure, above, below, columns=2)
    return figure


def diagram(program: Program) -> Figure:
    """Circuit diagram: wires from left to right, each gate in the first free column."""
    placed, free = [], [0] * program.n  # a gate on two wires also occupies all wires in between
    for gate in program.gates:
        span = slice(min(gate.wires), max(gate.wires) + 1)
        column = max(free[span])
        free[span] = [column + 1] * len(free[span])
        placed.append((column, gate))
    last = max((column for column, _ in placed), default=0)
    lines = min(last, _WIDEST) // _FOLDED + 1
    width, height = min(last + 1, _FOLDED) + 2.6, program.n + 0.9  # of a line, in units of a gate
    size = min(COLUMN, 0.5 * width)
    figure = Figure(figsize=(COLUMN, 0.35 + lines * height * size / width), layout="constrained")
    axes = figure.subplots()
    for line in range(lines):
        _wires(axes, program.n, line * height, width, ends=line == lines - 1)
    for column, gate in placed:
        if column <= _WIDEST:
            _draw(axes, column % _FOLDED, column // _FOLDED * height, gate, program)
    if last > _WIDEST:
        axes.text(
            width - 2, lines * height - 0.9, f"... {last - _WIDEST} more columns", ha="right", va="top", fontsize=6
        )
    axes.set(xlim=(-1.9, width - 1.9), ylim=(lines * height - 0.7, -0.7), aspect="equal")
    axes.axis("off")
    colours = {_look(gate, program)[1] for gate in program.gates}
    for colour in (colour for colour in _GATES if colour in colours):
        axes.scatter([], [], marker="s", s=30, color=colour, label=_GATES[colour])
    legend(figure, axes)
    return figure


def _wires(axes: Axes, n: int, top: float, width: float, ends: bool) -> None:
    """Draw the wires of n qubits; at the circuit's end they lead to its measurement."""
    right = width - 2.6
    for wire in range(n):
        axes.plot([-0.7, right], [top + wire] * 2, color="black", linewidth=0.6, zorder=0)
        axes.text(-0.8, top + wire, f"q{wire}", ha="right", va="center", fontsize=6)
        if ends:
            _box(axes, right, top + wire, "M", "white")


def _draw(axes: Axes, column: int, top: float, gate: Gate, program: Program) -> None:
    wires = [top + wire for wire in gate.wires]
    if len(wires) == 1:
        _box(axes, column, wires[0], *_look(gate, program))
        return
    marker, size = ("o", 3) if gate.name == "cz" else ("P", 5)
    axes.plot([column, column], wires, color="black", linewidth=0.8)
    axes.plot(column, wires[0], "o", color="black", markersize=3)
    axes.plot(column, wires[1], marker, color="black", markersize=size)


def _look(gate: Gate, program: Program) -> tuple[str, str]:
    """Label and colour of a gate."""
    name = gate.name.upper()
    if gate.slot is None:
        return name, FIXED
    if gate.slot < program.n_sample:
        return f"{name}\nx{gate.slot}", FROM_IMAGE
    return f"{name}\nw{gate.slot - program.n_sample}", LEARNED


def _box(axes: Axes, column: float, wire: float, label: str, colour: str) -> None:
    corner, style = (column - 0.36, wire - 0.36), "round,pad=0.02"
    axes.add_patch(
        FancyBboxPatch(corner, 0.72, 0.72, boxstyle=style, facecolor=colour, edgecolor="black", linewidth=0.6)
    )
    axes.text(column, wire, label, ha="center", va="center", fontsize=5, linespacing=0.95)
