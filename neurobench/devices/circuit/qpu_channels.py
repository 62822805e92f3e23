"""A program as the noisy channels that a processor really runs.

Gates of one wire are fused up to the next gate of two wires, and have the pulses of what they are fused into.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from neurobench.devices.circuit.circuit_torch import slot_angle
from neurobench.devices.circuit.qpu_noise import Noise, rotation, transfer
from neurobench.problems.circuit import ONE_WIRE, Angles, Gate, Program

_H = transfer(torch.tensor([[1, 1], [1, -1]], dtype=torch.complex128) / 2**0.5)
_X = transfer(torch.tensor([[0, 1], [1, 0]], dtype=torch.complex128))
_CZ = transfer(torch.diag(torch.tensor([1, 1, 1, -1], dtype=torch.complex128)))


class Channel(NamedTuple):
    """A transfer matrix on one or two wires; of two, the first is the slower index."""

    wires: tuple[int, ...]
    matrix: Tensor  # (..., 4^k, 4^k)


class Fused(NamedTuple):
    """Gates of one wire so far."""

    gates: tuple[Gate, ...] = ()

    def pulses(self) -> int:
        """Of an RZ-SX-RZ-SX-RZ decomposition, where RZ costs nothing and a lone H or X is one pulse."""
        if any(gate.name == "ry" for gate in self.gates):
            return 2
        return min(2, sum(gate.name in ONE_WIRE for gate in self.gates))

    def own(self, program: Program) -> bool:
        """Whether an angle is the sample's own."""
        return any(gate.slot is not None and gate.slot < program.n_sample for gate in self.gates)


class Plan(NamedTuple):
    """A product state, then channels."""

    start: list[Tensor]  # n of (..., 4)
    channels: list[Channel]
    shared: bool  # whether all channels have the batch's shared angles only


def native(program: Program) -> list[Gate]:
    """cx = H on the target, cz, H: the processor has no cx."""
    gates: list[Gate] = []
    for gate in program.gates:
        if gate.name == "cx":
            flip = Gate("h", gate.wires[1:])
            gates += [flip, Gate("cz", gate.wires), flip]
        else:
            gates.append(gate)
    return gates


def plan(program: Program, angles: Angles, noise: Noise) -> Plan:
    """All channels of a program with its angles, in the angles' precision."""
    builder = _Builder(program, angles, noise)
    for gate in native(program):
        if len(gate.wires) == 1:
            (wire,) = gate.wires
            builder.waiting[wire] = Fused((*builder.waiting[wire].gates, gate))
        else:
            builder.pair(gate.wires)
    for wire in range(program.n):
        builder.finish(wire)
    return Plan([builder.start[wire] for wire in range(program.n)], builder.channels, builder.shared)


class _Builder:
    def __init__(self, program: Program, angles: Angles, noise: Noise):
        self.program, self.angles = program, angles
        like = angles.sample
        self.h, self.x = _H.to(like), _X.to(like)
        self.pulse, self.noisy_cz = noise.pulse.to(like), (noise.pair @ _CZ).to(like)
        self.one = torch.eye(4).to(like)
        self.waiting = dict.fromkeys(range(program.n), Fused())
        self.start: dict[int, Tensor] = {}
        self.channels: list[Channel] = []
        self.last: dict[int, int] = {}  # wire -> the channel that last touched it
        self.shared = True

    def pair(self, wires: tuple[int, ...]) -> None:
        """What waits on both wires, then cz; shared matrices of the wires become part of it."""
        locals_ = [self._take(wire) for wire in wires]
        for position, (wire, matrix, own) in enumerate(locals_):
            if own:
                self._emit((wire,), matrix)
                self.shared = False
                locals_[position] = (wire, self.one, False)
        matrix = self.noisy_cz
        if any(local is not self.one for _, local, _ in locals_):
            matrix = matrix @ kron(locals_[0][1], locals_[1][1])
        self._emit(wires, matrix)

    def finish(self, wire: int) -> None:
        """What waits at the end becomes part of the wire's last channel where it can."""
        _, matrix, own = self._take(wire)
        if matrix is self.one:
            return
        if own or wire not in self.last:
            self._emit((wire,), matrix)
            self.shared &= not own
            return
        place = self.last[wire]
        before = self.channels[place]
        if len(before.wires) == 2:
            matrix = kron(matrix, self.one) if before.wires[0] == wire else kron(self.one, matrix)
        self.channels[place] = Channel(before.wires, matrix @ before.matrix)

    def _emit(self, wires: tuple[int, ...], matrix: Tensor) -> None:
        self.last |= dict.fromkeys(wires, len(self.channels))
        self.channels.append(Channel(wires, matrix))

    def _take(self, wire: int) -> tuple[int, Tensor, bool]:
        """The fused gates of a wire with their pulses' noise, as a matrix; the first of a wire make its start."""
        fused, self.waiting[wire] = self.waiting[wire], Fused()
        matrix = self.one
        for gate in fused.gates:
            step = self._matrix(gate)
            matrix = step if matrix is self.one else step @ matrix
        for _ in range(fused.pulses()):
            matrix = self.pulse @ matrix
        if wire in self.start:
            return wire, matrix, fused.own(self.program)
        self.start[wire] = matrix[..., 0] + matrix[..., 3]  # |0> is (I + Z) / 2
        return wire, self.one, False

    def _matrix(self, gate: Gate) -> Tensor:
        if gate.slot is None:
            return self.h if gate.name == "h" else self.x
        return rotation(gate.name, slot_angle(self.program, self.angles, gate.slot))


def kron(a: Tensor, b: Tensor) -> Tensor:
    """(..., p, p), (..., q, q) -> (..., pq, pq)"""
    product = a[..., :, None, :, None] * b[..., None, :, None, :]
    return product.flatten(-4, -3).flatten(-2, -1)
