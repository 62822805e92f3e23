"""Density matrices as real vectors of 4^n Pauli expectations, evolved forwards, or else the observables backwards.

Forwards gives probabilities. Backwards, if all channels after the product state are shared by the batch, n_obs vectors
are evolved once instead of one for each sample, and then contracted with the samples' product states.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from neurobench.devices.circuit.mock_noise import Fused, GateNoise, fused, on_bits, rotation, transfer
from neurobench.devices.circuit.sim_statevector import kron, slot_angle
from neurobench.problems.circuit import Angles, Gate, Program

_WIDE = 2  # wires: with fewer behind a channel, moving its axes to the end is faster than many narrow products
_H = transfer(torch.tensor([[1, 1], [1, -1]], dtype=torch.complex128) / 2**0.5)
_X = transfer(torch.tensor([[0, 1], [1, 0]], dtype=torch.complex128))
_SDG = transfer(torch.diag(torch.tensor([1, -1j], dtype=torch.complex128)))
_ECR = torch.tensor([[0, 0, 1, 1j], [0, 0, 1j, 1], [1, -1j, 0, 0], [-1j, 1, 0, 0]], dtype=torch.complex128) / 2**0.5
_PAIRS = {"cz": transfer(torch.diag(torch.tensor([1, 1, 1, -1], dtype=torch.complex128))), "ecr": transfer(_ECR)}


class Channel(NamedTuple):
    """A transfer matrix on one or two wires; the first has the slower index."""

    wires: tuple[int, ...]
    matrix: Tensor  # (..., 4^k, 4^k)


class Evolution(NamedTuple):
    """A product state, followed by channels."""

    start: list[Tensor]  # n of (..., 4)
    channels: list[Channel]
    shared: bool  # whether all channels depend on the batch's shared angles only


def evolution(program: Program, angles: Angles, noise: GateNoise) -> Evolution:
    """Product state and noisy channels of a program, in the angles' precision."""
    builder = _Builder(program, angles, noise)
    for step in fused(program, noise.basis):
        if isinstance(step, Fused):
            builder.one_wire(step)
        else:
            builder.pair(step)
    return builder.finish()


class _Builder:
    def __init__(self, program: Program, angles: Angles, noise: GateNoise):
        self.program, self.angles, self.noise = program, angles, noise
        like = angles.sample
        self.fixed = {"h": _H.to(like), "x": _X.to(like), "sdg": _SDG.to(like)}
        self.identity = torch.eye(4).to(like)
        self.start: dict[int, Tensor] = {}
        self.waiting: dict[int, tuple[Tensor, bool]] = {}  # wire -> matrix, and whether it has angles of a sample
        self.channels: list[Channel] = []
        self.last: dict[int, int] = {}  # wire -> the channel that last touched it
        self.shared = True

    def one_wire(self, step: Fused) -> None:
        """Multiply gates of a wire and their pulses' noise into a matrix; the first of a wire gives its start state."""
        matrix, *others = (self._matrix(gate) for gate in step.gates)
        pulse = _pulse(self.noise, step.wire, matrix.dtype, matrix.device)
        for other in (*others, *[pulse] * step.pulses):
            matrix = other @ matrix
        if step.wire not in self.start:
            self.start[step.wire] = _from_ground(matrix)
            return
        per_sample = any(gate.slot is not None and gate.slot < self.program.n_sample for gate in step.gates)
        self.waiting[step.wire] = matrix, per_sample

    def pair(self, gate: Gate) -> None:
        """Emit the matrices pending on both wires, then the gate, into which shared matrices are merged."""
        wires = gate.wires
        before: list[Tensor | None] = []
        for wire in wires:
            if wire not in self.start:
                self.start[wire] = _from_ground(self.identity)
            matrix, per_sample = self.waiting.pop(wire, (None, False))
            if per_sample and matrix is not None:
                self._emit((wire,), matrix)
                self.shared, matrix = False, None
            before.append(matrix)
        noisy = _noisy_pair(self.noise, gate, self.identity.dtype, self.identity.device)
        if any(matrix is not None for matrix in before):
            first, second = (self.identity if matrix is None else matrix for matrix in before)
            noisy = noisy @ kron(first, second)
        self._emit(wires, noisy)

    def finish(self) -> Evolution:
        """Merge matrices still pending into their wires' last channels if possible."""
        for wire in sorted(self.waiting):
            matrix, per_sample = self.waiting[wire]
            if per_sample or wire not in self.last:
                self._emit((wire,), matrix)
                self.shared &= not per_sample
                continue
            place = self.last[wire]
            wires, before = self.channels[place]
            if len(wires) == 2:
                matrix = kron(matrix, self.identity) if wires[0] == wire else kron(self.identity, matrix)
            self.channels[place] = Channel(wires, matrix @ before)
        for wire in range(self.program.n):
            if wire not in self.start:
                self.start[wire] = _from_ground(self.identity)
        return Evolution([self.start[wire] for wire in range(self.program.n)], self.channels, self.shared)

    def _emit(self, wires: tuple[int, ...], matrix: Tensor) -> None:
        self.last |= dict.fromkeys(wires, len(self.channels))
        self.channels.append(Channel(wires, matrix))

    def _matrix(self, gate: Gate) -> Tensor:
        if gate.slot is None:
            return self.fixed[gate.name]
        return rotation(gate.name, slot_angle(self.program, self.angles, gate.slot))


@lru_cache(maxsize=1024)  # training uses the same ones at each step
@torch.inference_mode(False)  # cached for callers that need a gradient too
def _pulse(noise: GateNoise, wire: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return noise.after_pulse(wire).to(device, dtype)


@lru_cache(maxsize=1024)
@torch.inference_mode(False)
def _noisy_pair(noise: GateNoise, gate: Gate, dtype: torch.dtype, device: torch.device) -> Tensor:
    return (noise.after_pair(gate.wires) @ _PAIRS[gate.name]).to(device, dtype)


def _from_ground(matrix: Tensor) -> Tensor:
    """Image of |0>, (I + Z) / 2, under a transfer matrix: (..., 4, 4) -> (..., 4)."""
    return matrix[..., 0] + matrix[..., 3]


def final(evolution: Evolution, rows: tuple[int, ...]) -> Tensor:
    """State (..., 4^n), r_P = Tr(P rho), after all channels."""
    n = len(evolution.start)
    vector = product(evolution.start).expand(*rows, 4**n)
    for channel in evolution.channels:
        vector = _apply(vector, channel, n)
    return vector


def product(start: list[Tensor]) -> Tensor:
    """Kronecker product, n of (..., 4) -> (..., 4^n), the first index the slowest; (1,) if there is none."""
    vector = start[0].new_ones(1)
    for part in start:
        vector = (vector[..., :, None] * part[..., None, :]).flatten(-2)
    return vector


def _apply(vector: Tensor, channel: Channel, n: int, transposed: bool = False) -> Tensor:
    """Apply r -> M r to the channel's wires of (..., 4^n), or r -> M^T r."""
    matrix = channel.matrix.transpose(-1, -2) if transposed else channel.matrix
    first, size = channel.wires[0], len(channel.wires)
    behind = n - first - size  # wires whose Paulis vary faster
    if behind >= _WIDE and channel.wires == tuple(range(first, first + size)):
        spread = vector.unflatten(-1, (4**first, 4**size, 4**behind))
        return (matrix[..., None, :, :] @ spread).flatten(-3)
    lead, ends = vector.ndim - 1, list(range(-size, 0))
    spread = vector.unflatten(-1, (4,) * n).movedim([lead + wire for wire in channel.wires], ends)
    flat = spread.reshape(*spread.shape[:lead], -1, 4**size) @ matrix.transpose(-1, -2)
    spread = flat.reshape(*flat.shape[:-2], *(4,) * n)
    lead = flat.ndim - 2  # a group axis of the matrix may have been added
    return spread.movedim(ends, [lead + wire for wire in channel.wires]).flatten(lead)


def probabilities(vector: Tensor, n: int, confusion: Tensor) -> Tensor:
    """Probabilities of bits read, (..., 4^n) -> (..., 2^n); `confusion`: (2, 2), column: true bit, or (n, 2, 2)."""
    half = torch.tensor([[0.5, 0.5], [0.5, -0.5]], dtype=vector.dtype, device=vector.device)
    diagonal = vector.unflatten(-1, (4,) * n)[(..., *[slice(None, None, 3)] * n)].flatten(-n)  # of I and Z alone
    return on_bits(diagonal, confusion.to(half) @ half, n)  # (I, Z) -> (read 0, read 1)


def backwards(evolution: Evolution, observables: Tensor, rows: tuple[int, ...]) -> Tensor:
    """Expectations (..., K) of `observables` (K, 4^n): sum_P o_P r_P. The channels must be shared."""
    n = len(evolution.start)
    for channel in reversed(evolution.channels):
        observables = _apply(observables, channel, n, transposed=True)
    half = n // 2
    left, right = product(evolution.start[:half] or [observables.new_ones(1)]), product(evolution.start[half:])
    left, right = (part.expand(*rows, part.shape[-1]) for part in (left, right))
    grid = observables.unflatten(-1, (4**half, -1))  # (..., K, 4^half, rest)
    partial = grid.flatten(-3, -2) @ right.transpose(-1, -2)
    partial = partial.unflatten(-2, (grid.shape[-3], grid.shape[-2]))  # (..., K, 4^half, B)
    return (partial * left.transpose(-1, -2)[..., None, :, :]).sum(-2).transpose(-1, -2)


def observed(program: Program, matrix: Tensor, kind: Tensor) -> Tensor:
    """Pauli vectors (n_obs, 4^n) of the observables as read: Z becomes (1 - e10 - e01) Z + (e01 - e10). `matrix`: the
    confusion, (2, 2) or (n, 2, 2)."""
    errors = tuple((e10, e01) for (_, e01), (e10, _) in matrix.expand(program.n, 2, 2).tolist())
    return _observed(program, errors, kind.dtype, kind.device)


@lru_cache(maxsize=16)  # one of 8 wires and their pairs takes 19 MB
@torch.inference_mode(False)
def _observed(
    program: Program, errors: tuple[tuple[float, float], ...], dtype: torch.dtype, device: torch.device
) -> Tensor:
    one = torch.tensor([1.0, 0, 0, 0], dtype=dtype, device=device)
    z = [one.new_tensor([e01 - e10, 0, 0, 1 - e10 - e01]) for e10, e01 in errors]
    wires = range(program.n)
    return torch.stack(
        [product([z[w] if w in observable else one for w in wires]) for observable in program.observables]
    )
