"""A circuit as its diagram: wires from left to right, gates in the first column that is free."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from neurobench.problems.circuit import Gate, Program

FIXED, OWN, SHARED = "#d9d9d9", "#b8d4ea", "#f5cfa8"
_WIDEST = 40  # columns; a longer circuit is cut


def diagram(program: Program) -> Figure:
    columns = placed(program.gates, program.n)
    last = max((column for column, _ in columns), default=0)
    width = min(last, _WIDEST) + 3
    figure = Figure(figsize=(1.2 + 0.62 * width, 0.9 + 0.55 * program.n), layout="constrained")
    axes = figure.subplots()
    for wire in range(program.n):
        axes.plot([-0.7, width - 1.4], [wire, wire], color="black", linewidth=0.8, zorder=0)
        axes.text(-0.8, wire, f"q{wire}  |0>", ha="right", va="center", fontsize=9)
        _box(axes, width - 1.5, wire, "M", "white")
    for column, gate in columns:
        if column <= _WIDEST:
            _draw(axes, column, gate, program)
    if last > _WIDEST:
        axes.text(_WIDEST + 1, -0.8, "...", fontsize=12)
    axes.set_xlim(-2.2, width - 0.6)
    axes.set_ylim(program.n - 0.3, -0.9)
    axes.set_aspect("equal")
    axes.axis("off")
    for colour, label in ((OWN, "angle from the image"), (SHARED, "learned weight"), (FIXED, "fixed")):
        axes.scatter([], [], marker="s", s=60, color=colour, label=label)
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    return figure


def placed(gates: tuple[Gate, ...], n: int) -> list[tuple[int, Gate]]:
    """Each gate with its column. A gate of two wires takes all wires between them too."""
    free = [0] * n
    found = []
    for gate in gates:
        span = range(min(gate.wires), max(gate.wires) + 1)
        column = max(free[wire] for wire in span)
        for wire in span:
            free[wire] = column + 1
        found.append((column, gate))
    return found


def _draw(axes: Axes, column: int, gate: Gate, program: Program) -> None:
    if len(gate.wires) == 1:
        own = gate.slot is not None and gate.slot < program.n_sample
        colour = FIXED if gate.slot is None else OWN if own else SHARED
        label = gate.name.upper()
        if gate.slot is not None:
            label += f"\n{'x' if own else 'w'}{gate.slot if own else gate.slot - program.n_sample}"
        _box(axes, column, gate.wires[0], label, colour)
        return
    first, second = gate.wires
    axes.plot([column, column], [first, second], color="black", linewidth=1.2)
    axes.plot(column, first, "o", color="black", markersize=6)
    axes.plot(
        column, second, "o" if gate.name == "cz" else "P", color="black", markersize=6 if gate.name == "cz" else 9
    )


def _box(axes: Axes, column: float, wire: int, label: str, colour: str) -> None:
    shape = FancyBboxPatch(
        (column - 0.36, wire - 0.36), 0.72, 0.72, boxstyle="round,pad=0.02", facecolor=colour, edgecolor="black"
    )
    axes.add_patch(shape)
    axes.text(column, wire, label, ha="center", va="center", fontsize=7, linespacing=0.95)
