"""What an emulated processor runs: its gates, and the noise that follows them.

Gates and noise are Pauli transfer matrices: R_ij = Tr(P_i E(P_j)) / d, real, acting on vectors r_j = Tr(P_j rho).
Paulis are ordered I, X, Y, Z; of two wires, the first wire's is the slower index. A product of channels is the
product of their matrices; a channel keeps the trace where its first row is (1, 0, ...).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from neurobench.devices.circuit.specs import Profile
from neurobench.problems.circuit import ONE_WIRE, Gate, Program

PAULIS = torch.tensor(
    [[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]], dtype=torch.complex128
)
PAULI_PAIRS = torch.stack([torch.kron(a, b) for a in PAULIS for b in PAULIS])


def transfer(U: Tensor) -> Tensor:
    """A unitary (d, d) complex128, d = 2 or 4 -> (d^2, d^2) float64."""
    basis = PAULIS if len(U) == 2 else PAULI_PAIRS
    return torch.einsum("iab,bc,jcd,ad->ij", basis, U, basis, U.conj()).real / len(U)


def rotation(name: str, angle: Tensor) -> Tensor:
    """ry or rz by angles (...) -> (..., 4, 4)."""
    c, s = angle.cos(), angle.sin()
    zero, one = torch.zeros_like(c), torch.ones_like(c)
    if name == "ry":  # turns Z into X
        rows = [one, zero, zero, zero, zero, c, zero, s, zero, zero, one, zero, zero, -s, zero, c]
    else:  # turns X into Y
        rows = [one, zero, zero, zero, zero, c, -s, zero, zero, s, c, zero, zero, zero, zero, one]
    return torch.stack(rows, -1).unflatten(-1, (4, 4))


def depolarizing(strength: float, wires: int) -> Tensor:
    """rho -> (1 - strength) rho + strength Tr(rho) 1/d."""
    diagonal = torch.full((4**wires,), 1 - strength, dtype=torch.float64)
    diagonal[0] = 1
    return torch.diag(diagonal)


def relaxation(time: float, t1: float, t2: float) -> Tensor:
    """Towards |0> for `time` (in the unit of t1, t2): amplitude damping 1 - exp(-t/T1), then phase damping so that
    coherences end as exp(-t/T2). Needs t2 <= 2 t1."""
    e1, e2 = math.exp(-time / t1), math.exp(-time / t2)
    matrix = torch.diag(torch.tensor([1, e2, e2, e1], dtype=torch.float64))
    matrix[3, 0] = 1 - e1
    return matrix


class Noise:
    """What follows one pulse on a wire, and one cz on a pair."""

    def __init__(self, qubit: Profile, mode: str):
        """`mode`: residual, depol or added, see the spec."""
        self.qubit, self.relaxing = qubit, mode != "depol"
        times = qubit.time_1q / 1000, qubit.time_2q / 1000  # us
        self.strengths = tuple(
            strength(error, wires, time, qubit.t1, qubit.t2, mode)
            for wires, error, time in ((1, qubit.error_1q, times[0]), (2, qubit.error_2q, times[1]))
        )
        alone, paired = (self._relaxation(time) for time in times)
        self.pulse = alone @ depolarizing(self.strengths[0], 1)
        self.pair = torch.kron(paired, paired) @ depolarizing(self.strengths[1], 2)

    def _relaxation(self, time: float) -> Tensor:
        if not self.relaxing:
            return torch.eye(4, dtype=torch.float64)
        return relaxation(time, self.qubit.t1, self.qubit.t2)


def strength(error: float, wires: int, time: float, t1: float, t2: float, mode: str) -> float:
    """Depolarizing strength that gives the average infidelity `error`; of `residual`, together with relaxation.

    Alone: error d / (d - 1). With relaxation of average fidelity A, and the fidelities of both multiplying apart from
    the part that is lost to 1/d: (error - (1 - A)) / (A - 1/d). `time`, t1, t2 in us.
    """
    d = 2**wires
    if mode != "residual":
        return error * d / (d - 1)
    F = (1 + 2 * math.exp(-time / t2) + math.exp(-time / t1)) / 4  # entanglement fidelity of one qubit's relaxation
    A = (d * F**wires + 1) / (d + 1)
    return max(0.0, (error - (1 - A)) / (A - 1 / d))


class Fused(NamedTuple):
    """Neighbouring gates of one wire, run as one."""

    wire: int
    gates: tuple[Gate, ...]

    @property
    def pulses(self) -> int:
        """Of an RZ-SX-RZ-SX-RZ decomposition, where RZ costs nothing and a lone H or X is one pulse."""
        if any(gate.name == "ry" for gate in self.gates):
            return 2
        return min(2, sum(gate.name in ONE_WIRE for gate in self.gates))


def fused(program: Program) -> Iterator[Fused | Gate]:
    """A program as the processor runs it: cz gates, and between them what is fused of each wire."""
    waiting: dict[int, tuple[Gate, ...]] = {}
    for gate in native(program):
        if len(gate.wires) == 1:
            waiting[gate.wires[0]] = (*waiting.get(gate.wires[0], ()), gate)
            continue
        yield from (Fused(wire, waiting.pop(wire)) for wire in gate.wires if wire in waiting)
        yield gate
    yield from (Fused(wire, waiting[wire]) for wire in sorted(waiting))


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


def duration(program: Program, qubit: Profile) -> float:
    """ns until the last wire is done, each gate as soon as its wires are free."""
    free = [0.0] * program.n
    for step in fused(program):
        if isinstance(step, Fused):
            free[step.wire] += step.pulses * qubit.time_1q
            continue
        done = max(free[wire] for wire in step.wires) + qubit.time_2q
        for wire in step.wires:
            free[wire] = done
    return max(free)
