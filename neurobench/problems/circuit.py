"""A parameterised circuit as plain data, which a circuit device runs, an exporter writes and a figure draws.

Wire 0 is the most significant bit of a basis state's number: X on wire 0 of two gives state 2, "10".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from neurobench.config.errors import did_you_mean

ONE_WIRE, ROTATIONS, TWO_WIRES = ("h", "x"), ("ry", "rz"), ("cz", "cx")
GATES = (*ONE_WIRE, *ROTATIONS, *TWO_WIRES)


class Gate(NamedTuple):
    """One gate: h, x; ry, rz = exp(-i angle Y/2), exp(-i angle Z/2); cz, cx (control first)."""

    name: str
    wires: tuple[int, ...]
    slot: int | None = None  # number of a rotation's angle


class Angles(NamedTuple):
    """Angles of a batch of circuits, in radians. Slots 0..S-1 belong to each sample, S..S+W-1 are shared by the batch.

    Leading axes broadcast against each other: (G, B, S) with (G, 1, W) are G batches, each with its own shared part.
    """

    sample: Tensor  # (..., S)
    shared: Tensor  # (..., W)

    @property
    def rows(self) -> tuple[int, ...]:
        """Broadcast leading axes, with one circuit per element."""
        return tuple(torch.broadcast_shapes(self.sample.shape[:-1], self.shared.shape[:-1]))


class ProgramError(ValueError):
    """Error of an invalid circuit or invalid angles."""


@dataclass(frozen=True)
class Program:
    """Gates in order, then a measurement of all wires. Each slot belongs to one gate: a shift of its angle affects that
    gate alone."""

    n: int  # number of wires
    n_sample: int  # S
    n_shared: int  # W
    gates: tuple[Gate, ...]
    observables: tuple[tuple[int, ...], ...]  # products of Z on these wires

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ProgramError(f"a circuit of {self.n} wires cannot be run; give at least 1")
        for gate in self.gates:
            _require_gate(gate, self.n)
        used = sorted(gate.slot for gate in self.gates if gate.slot is not None)
        if used != list(range(self.n_sample + self.n_shared)):
            raise ProgramError(f"slots used are {used}; expected each of 0..{self.n_sample + self.n_shared - 1} once")
        for wires in self.observables:
            if not wires or len(set(wires)) < len(wires) or not set(wires) <= set(range(self.n)):
                raise ProgramError(f"observable {wires} does not name different wires below {self.n}")


def _require_gate(gate: Gate, n: int) -> None:
    if gate.name not in GATES:
        guess = did_you_mean(gate.name, GATES)
        raise ProgramError(f"gate {gate.name!r} is unknown; there is {', '.join(GATES)}.{guess}")
    size = 2 if gate.name in TWO_WIRES else 1
    if len(gate.wires) != size or len(set(gate.wires)) < size or not set(gate.wires) <= set(range(n)):
        raise ProgramError(f"gate {gate.name} acts on {size} different wire(s) below {n}, not on {gate.wires}")
    if (gate.slot is None) == (gate.name in ROTATIONS):
        raise ProgramError(f"gate {gate.name} {'needs' if gate.slot is None else 'takes no'} angle")


def require_angles(program: Program, angles: Angles) -> None:
    """Raise ProgramError if angles do not fit the program, are not finite, or are those of an empty batch."""
    for name, want, part in (("sample", program.n_sample, angles.sample), ("shared", program.n_shared, angles.shared)):
        if part.ndim == 0 or part.shape[-1] != want:
            raise ProgramError(f"{name} angles have shape {tuple(part.shape)}; the last axis must be {want}")
        if not part.is_floating_point():
            raise ProgramError(f"{name} angles are {part.dtype}; expected float32 or float64")
        if not torch.isfinite(part).all():
            raise ProgramError(f"{name} angles are not all finite; training has diverged, try a smaller learning rate")
    if 0 in angles.sample.shape[:-1]:
        raise ProgramError("an empty batch has no circuit to run")
