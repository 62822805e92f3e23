"""Native gates of an emulated processor, the noise that follows them, and read-out errors.

Gates and noise are Pauli transfer matrices: R_ij = Tr(P_i E(P_j)) / d, real, acting on vectors r_j = Tr(P_j rho).
Paulis are ordered I, X, Y, Z; of two wires, the first has the slower index. A product of channels is the product of
their matrices; a channel preserves the trace if its first row is (1, 0, ...).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from neurobench.devices.circuit.specs import Profile
from neurobench.problems.circuit import ONE_WIRE, Gate, Program

PAULIS = torch.tensor(
    [[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]], dtype=torch.complex128
)
PAULI_PAIRS = torch.stack([torch.kron(a, b) for a in PAULIS for b in PAULIS])


def transfer(U: Tensor) -> Tensor:
    """Transfer matrix of a unitary: (d, d) complex128, d = 2 or 4 -> (d^2, d^2) float64."""
    basis = PAULIS if len(U) == 2 else PAULI_PAIRS
    return torch.einsum("iab,bc,jcd,ad->ij", basis, U, basis, U.conj()).real / len(U)


def rotation(name: str, angle: Tensor) -> Tensor:
    """Transfer matrices of ry or rz by angles (...) -> (..., 4, 4)."""
    c, s, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    if name == "ry":  # turns Z into X
        rows = [one, zero, zero, zero, zero, c, zero, s, zero, zero, one, zero, zero, -s, zero, c]
    else:  # turns X into Y
        rows = [one, zero, zero, zero, zero, c, -s, zero, zero, s, c, zero, zero, zero, zero, one]
    return torch.stack(rows, -1).unflatten(-1, (4, 4))


def depolarizing(strength: float, wires: int) -> Tensor:
    """Transfer matrix of rho -> (1 - strength) rho + strength Tr(rho) 1/d."""
    diagonal = torch.full((4**wires,), 1 - strength, dtype=torch.float64)
    diagonal[0] = 1
    return torch.diag(diagonal)


def relaxation(time: float, t1: float, t2: float) -> Tensor:
    """Transfer matrix of relaxation to |0> for `time` (in the unit of t1, t2): amplitude damping 1 - exp(-t/T1), then
    phase damping so that coherences end as exp(-t/T2). Needs t2 <= 2 t1."""
    e1, e2 = math.exp(-time / t1), math.exp(-time / t2)
    matrix = torch.diag(torch.tensor([1, e2, e2, e1], dtype=torch.float64))
    matrix[3, 0] = 1 - e1
    return matrix


class Basis(NamedTuple):
    """Native operations of a processor, besides RZ, which costs nothing."""

    pulses: int = 2  # most pulses of a gate of one wire
    ecr: frozenset[tuple[int, int]] = frozenset()  # pairs, control first, that have an ecr instead of a cz


MEDIANS = Basis()


class GateNoise(Hashable, Protocol):
    """Noise after a pulse on a wire and after a pair's gate. It is immutable: it serves as a key of caches."""

    basis: Basis

    def after_pulse(self, wire: int) -> Tensor:
        """Transfer matrix (4, 4)."""

    def after_pair(self, wires: tuple[int, ...]) -> Tensor:
        """Transfer matrix (16, 16)."""

    def pulse_paulis(self, wire: int) -> tuple[list[float], list[float]]:
        """Probabilities of I, X, Y, Z in depolarization, and in twirled relaxation."""

    def pair_paulis(self, wires: tuple[int, ...]) -> tuple[list[float], list[list[float]]]:
        """Probabilities of 16 pairs of Paulis in depolarization, of I, X, Y, Z on each wire in twirled relaxation."""

    def pulse_time(self, wire: int) -> float:
        """Duration in ns."""

    def pair_time(self, wires: tuple[int, ...]) -> float:
        """Duration in ns."""


class Noise:
    """Noise of a processor whose qubits are all alike."""

    def __init__(self, qubit: Profile, mode: str):
        """Compute the noise; `mode`: residual, depol or added, see the spec."""
        self.qubit, self.relaxing, self.basis = qubit, mode != "depol", MEDIANS
        t1, t2, times = qubit.t1, qubit.t2, (qubit.time_1q / 1000, qubit.time_2q / 1000)  # us
        errors = (qubit.error_1q, qubit.error_2q)
        self.strengths = [strength(errors[i], i + 1, times[i], t1, t2, mode) for i in range(2)]
        still = torch.eye(4, dtype=torch.float64)
        alone, paired = (relaxation(time, t1, t2) if self.relaxing else still for time in times)
        self.pulse = alone @ depolarizing(self.strengths[0], 1)
        self.pair = torch.kron(paired, paired) @ depolarizing(self.strengths[1], 2)
        self.twirls = [twirled(time, t1, t2) if self.relaxing else [1.0, 0.0, 0.0, 0.0] for time in times]

    def after_pulse(self, wire: int) -> Tensor:
        return self.pulse

    def after_pair(self, wires: tuple[int, ...]) -> Tensor:
        return self.pair

    def pulse_paulis(self, wire: int) -> tuple[list[float], list[float]]:
        return paulis(self.strengths[0], 1), self.twirls[0]

    def pair_paulis(self, wires: tuple[int, ...]) -> tuple[list[float], list[list[float]]]:
        return paulis(self.strengths[1], 2), [self.twirls[1]] * 2

    def pulse_time(self, wire: int) -> float:
        return self.qubit.time_1q

    def pair_time(self, wires: tuple[int, ...]) -> float:
        return self.qubit.time_2q


def paulis(strength: float, wires: int) -> list[float]:
    """Probabilities of the Paulis, the identity first, in a depolarization."""
    every = 4**wires
    return [1 - (every - 1) / every * strength, *[strength / every] * (every - 1)]


def twirled(time: float, t1: float, t2: float) -> list[float]:
    """Probabilities of I, X, Y, Z in twirled relaxation for `time` us."""
    flip = (1 - math.exp(-time / t1)) / 4
    phase = (1 - math.exp(-time / t2)) / 2 - flip
    return [1 - 2 * flip - phase, flip, flip, phase]


def strength(error: float, wires: int, time: float, t1: float, t2: float, mode: str) -> float:
    """Depolarizing strength that gives the average infidelity `error`; in mode residual, together with relaxation.

    Alone: error d / (d - 1). With relaxation of average fidelity A, since the excess of fidelity over 1/d shrinks by
    the factor 1 - strength: (error - (1 - A)) / (A - 1/d). `time`, t1, t2 in us.
    """
    return remaining(error, wires, coherence(time, t1, t2) ** wires, mode)


def coherence(time: float, t1: float, t2: float) -> float:
    """Entanglement fidelity of one qubit's relaxation."""
    return (1 + 2 * math.exp(-time / t2) + math.exp(-time / t1)) / 4


def remaining(error: float, wires: int, F: float, mode: str) -> float:
    """Depolarizing strength as in `strength`, given the entanglement fidelity F of all wires' relaxation."""
    d = 2**wires
    if mode != "residual":
        return error * d / (d - 1)
    A = (d * F + 1) / (d + 1)
    excess = error - (1 - A)
    if excess <= 0:  # also if nothing is left to depolarize, A = 1/d
        return 0.0
    return min(1.0, excess / (A - 1 / d))


class Fused(NamedTuple):
    """Consecutive gates of one wire, run as one."""

    wire: int
    gates: tuple[Gate, ...]
    most: int = 2  # most pulses

    @property
    def pulses(self) -> int:
        """Number of pulses, as RZ-SX-RZ-SX-RZ, where RZ costs nothing and a lone H or X is one pulse."""
        return min(self.most, sum(2 if gate.name == "ry" else gate.name in ONE_WIRE for gate in self.gates))


def fused(program: Program, basis: Basis = MEDIANS) -> Iterator[Fused | Gate]:
    """Program as the processor runs it: gates of pairs, and between them the fused gates of each wire."""
    waiting: dict[int, tuple[Gate, ...]] = {}
    for gate in native(program, basis):
        if len(gate.wires) == 1:
            waiting[gate.wires[0]] = (*waiting.get(gate.wires[0], ()), gate)
            continue
        yield from (Fused(wire, waiting.pop(wire), basis.pulses) for wire in gate.wires if wire in waiting)
        yield gate
    yield from (Fused(wire, waiting[wire], basis.pulses) for wire in sorted(waiting))


def native(program: Program, basis: Basis = MEDIANS) -> list[Gate]:
    """Native gates of a program. cx = H on the target, cz, H: the processor has no cx. A cz of a pair that has an ecr
    instead is H on the target, ecr, then X and S^-1 on the control, H and S^-1 on the target."""
    gates: list[Gate] = []
    for gate in program.gates:
        flip = Gate("h", gate.wires[1:])
        around = [flip] if gate.name == "cx" else []
        gates += [*around, *(_cz(gate.wires, basis) if len(gate.wires) == 2 else [gate]), *around]
    return gates


def _cz(wires: tuple[int, ...], basis: Basis) -> list[Gate]:
    a, b = wires
    if not {(a, b), (b, a)} & basis.ecr:
        return [Gate("cz", wires)]
    control, target = (a, b) if (a, b) in basis.ecr else (b, a)
    after = [Gate("x", (control,)), Gate("sdg", (control,)), Gate("h", (target,)), Gate("sdg", (target,))]
    return [Gate("h", (target,)), Gate("ecr", (control, target)), *after]


def duration(program: Program, noise: GateNoise) -> float:
    """Time in ns until the last wire is done; each gate runs as soon as its wires are free."""
    free = dict.fromkeys(range(program.n), 0.0)
    for step in fused(program, noise.basis):
        if isinstance(step, Fused):
            free[step.wire] += step.pulses * noise.pulse_time(step.wire)
        else:
            free |= dict.fromkeys(step.wires, max(free[wire] for wire in step.wires) + noise.pair_time(step.wires))
    return max(free.values())


def confusion(p1_given_0: float, p0_given_1: float) -> Tensor:
    """Confusion matrix of a read-out, (2, 2) float64, row: bit read, column: true bit."""
    return torch.tensor([[1 - p1_given_0, p0_given_1], [p1_given_0, 1 - p0_given_1]], dtype=torch.float64)


def on_bits(distribution: Tensor, matrix: Tensor, n: int) -> Tensor:
    """Apply a (2, 2) matrix to each of the n bits of (..., 2^n), or one of (n, 2, 2) to each."""
    by_bit, matrices = distribution.unflatten(-1, (2,) * n), matrix.expand(n, 2, 2)
    for axis in range(-n, 0):
        by_bit = (by_bit.movedim(axis, -1) @ matrices[axis].t()).movedim(-1, axis)
    return by_bit.flatten(-n)


def mitigated(frequencies: Tensor, matrix: Tensor, n: int) -> Tensor:
    """Quasi-probabilities (..., 2^n) before the confusion, (2, 2) or (n, 2, 2). They may be negative and are not
    clipped: <Z> is linear in them, and clipping would bias it. The variance grows about as
    1 / (1 - p1_given_0 - p0_given_1)^2 per wire."""
    return on_bits(frequencies, torch.linalg.inv(matrix), n)
