"""Diagram of the network: populations with their sizes, and connections numbered from 1 to 7 as in the tutorial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from neurobench.figures.style import COLUMN, LIMIT, TRAIN, WRONG, legend

STATIC, PLASTIC, FEEDBACK = "#9a9a9a", TRAIN, WRONG  # connections
FILL, DEVICE = "#e8eef5", "#f2f2f2"  # fill of neurons, and of the devices that send them signals


class Box(NamedTuple):
    x: float  # of the centre; all in inches
    y: float
    width: float
    height: float
    text: str
    fill: str


def architecture(
    sizes: tuple[int, int, int],
    neuron: str,
    sparsity: Sequence[float],
    times: tuple[int, int],
    tau: tuple[float, float],
) -> Figure:
    """Diagram of the network, with the share of existing synapses below each arrow and the membrane time constants.

    sizes: number of inputs, recurrent neurons and readouts; sparsity: shares of missing synapses to recurrent neurons
    from inputs, from each other, and to readouts; times: ms of a sample and of its window with a target; tau: membrane
    time constants (ms) of recurrent neurons and readouts.
    """
    (inputs, recurrent, readouts), (duration, window) = sizes, times
    figure = Figure(figsize=(COLUMN, 2.6), layout="constrained")
    axes = figure.subplots()
    boxes = {
        "events": Box(0.38, 0.95, 0.62, 0.42, f"events of\n{inputs} inputs", DEVICE),
        "input": Box(1.12, 0.95, 0.5, 0.8, f"input\n{inputs}\nneurons", FILL),
        "recurrent": Box(2.02, 0.95, 0.66, 0.8, f"recurrent\n{recurrent}\n{neuron}", FILL),
        "readout": Box(2.98, 0.95, 0.52, 0.8, f"readout\n{readouts} leaky\nneurons", FILL),
        "target": Box(2.7, 2.0, 0.56, 0.34, "target\n" + r"$y^*_k$", DEVICE),
        "window": Box(3.28, 2.0, 0.5, 0.34, f"window\n{window} ms", DEVICE),
    }
    for box in boxes.values():
        _box(axes, box)
    shares = [f"{1 - missing:.0%}" for missing in sparsity]
    flat: dict[str, Any] = {"below": ""}
    _arrow(axes, (0.69, 0.95), (0.87, 0.95), "1", STATIC, **flat)
    _arrow(axes, (1.37, 0.95), (1.69, 0.95), "2", PLASTIC, below=shares[0])
    _arrow(axes, (1.86, 0.55), (2.18, 0.55), "3", PLASTIC, below=shares[1], bend=0.9, at=(2.02, 0.3))
    _arrow(axes, (2.35, 0.95), (2.72, 0.95), "4", PLASTIC, below=shares[2])
    _arrow(axes, (2.85, 1.35), (2.15, 1.35), "5", FEEDBACK, **flat, bend=0.45, at=(2.47, 1.62))
    _arrow(axes, (2.7, 1.83), (2.9, 1.35), "6", STATIC, **flat, at=(2.71, 1.56))
    _arrow(axes, (3.28, 1.83), (3.1, 1.35), "7", STATIC, **flat, at=(3.31, 1.56))
    constants = f"T = {duration} ms; membranes {tau[0]:g} ms, readouts {tau[1]:g} ms"
    axes.text(0.07, 2.12, constants.replace("; ", "\n"), fontsize=6, va="top")
    axes.text(0.07, 1.77, r"$E = \frac{1}{2} \sum_{t,k} (y_k - y_k^*)^2$", fontsize=7, va="top")
    for colour, label in ((PLASTIC, "learned by e-prop"), (FEEDBACK, "fixed feedback"), (STATIC, "signals")):
        axes.plot([], [], color=colour, label=label)
    axes.set(xlim=(0, 3.6), ylim=(0.1, 2.2), aspect="equal")
    axes.set_axis_off()
    legend(figure, axes)
    return figure


def _box(axes: Axes, box: Box) -> None:
    corner = box.x - box.width / 2, box.y - box.height / 2
    style: dict[str, Any] = {"boxstyle": "round,pad=0,rounding_size=0.06", "facecolor": box.fill, "edgecolor": LIMIT}
    axes.add_patch(FancyBboxPatch(corner, box.width, box.height, linewidth=0.6, **style))
    axes.text(box.x, box.y, box.text, ha="center", va="center", fontsize=6, linespacing=1.15)


def _arrow(
    axes: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    number: str,
    colour: str,
    below: str,
    bend: float = 0.0,
    at: tuple[float, float] | None = None,
) -> None:
    """Draw an arrow. `at`: position of its number, by default above its middle; `below`: text below the number."""
    look: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 7, "color": colour, "shrinkA": 0, "shrinkB": 0}
    axes.add_patch(FancyArrowPatch(start, end, connectionstyle=f"arc3,rad={bend}", linewidth=1.1, **look))
    x, y = at or ((start[0] + end[0]) / 2, start[1] + 0.12)
    axes.text(x, y, number, ha="center", va="center", fontsize=7, fontweight="bold", color=colour)
    if below:
        axes.text(x, y - (0.13 if at else 0.24), below, ha="center", va="center", fontsize=5.5)
