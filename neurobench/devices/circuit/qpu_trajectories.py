"""Noise as random Pauli gates in state vectors, for more qubits than density matrices hold.

Depolarization is such a mixture; relaxation is twirled into one: X and Y each with (1 - exp(-t/T1))/4, Z with
(1 - exp(-t/T2))/2 - that. Twirling drops the drift towards |0>, so <Z> of a state near |1> comes out too negative.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from neurobench.devices.circuit.circuit_torch import complex_of, one_wire
from neurobench.devices.circuit.qpu_channels import Fused, native
from neurobench.devices.circuit.qpu_noise import Noise
from neurobench.problems.circuit import Angles, Program


def run(program: Program, angles: Angles, noise: Noise, draw: torch.Generator) -> Tensor:
    """(..., 2^n) probabilities of one random run for each row of the angles, nothing averaged."""
    rows = torch.broadcast_shapes(angles.sample.shape[:-1], angles.shared.shape[:-1])
    psi = torch.zeros(*rows, 2**program.n, dtype=complex_of(angles.sample), device=angles.sample.device)
    psi[..., 0] = 1
    waiting = dict.fromkeys(range(program.n), Fused())
    for gate in native(program):
        if len(gate.wires) == 1:
            (wire,) = gate.wires
            waiting[wire] = Fused((*waiting[wire].gates, gate))
            continue
        for wire in gate.wires:
            psi, waiting[wire] = _pulses(psi, wire, waiting[wire], program, angles, noise, draw), Fused()
        first, second = (program.n - 1 - wire for wire in gate.wires)
        states = torch.arange(2**program.n, device=psi.device)
        psi = psi * (1 - 2 * (states >> first & states >> second & 1))
        psi = _hit(psi, draw_pair(noise, rows, draw), gate.wires, program.n)
    for wire in range(program.n):
        psi = _pulses(psi, wire, waiting[wire], program, angles, noise, draw)
    return psi.real.square() + psi.imag.square()


def _pulses(
    psi: Tensor, wire: int, fused: Fused, program: Program, angles: Angles, noise: Noise, draw: torch.Generator
) -> Tensor:
    if not fused.gates:
        return psi
    U = one_wire(fused.gates[0], program, angles)
    for gate in fused.gates[1:]:
        U = one_wire(gate, program, angles) @ U
    spread = psi.unflatten(-1, (2**wire, 2, -1))
    psi = (U[..., None, :, :] @ spread).flatten(-3)
    for _ in range(fused.pulses()):
        psi = _hit(psi, draw_single(noise, psi.shape[:-1], draw), (wire,), program.n)
    return psi


def twirled(noise: Noise, time: float) -> list[float]:
    """Probabilities of I, X, Y, Z under relaxation for `time` us."""
    if not noise.relaxing:
        return [1.0, 0.0, 0.0, 0.0]
    flip = (1 - math.exp(-time / noise.known.t1)) / 4
    phase = (1 - math.exp(-time / noise.known.t2)) / 2 - flip
    return [1 - 2 * flip - phase, flip, flip, phase]


def draw_single(noise: Noise, rows: torch.Size, draw: torch.Generator) -> list[Tensor]:
    """What hits a wire behind a pulse: [(...) int64 in I, X, Y, Z], one entry for each source."""
    strength = noise.strengths[0]
    depolarized = [1 - 0.75 * strength, *[strength / 4] * 3]
    return [_choice(depolarized, rows, draw), _choice(twirled(noise, noise.known.time_1q / 1000), rows, draw)]


def draw_pair(noise: Noise, rows: torch.Size, draw: torch.Generator) -> list[Tensor]:
    """What hits two wires behind a cz: [(..., 2) int64], one entry for each source."""
    strength = noise.strengths[1]
    both = _choice([1 - 15 / 16 * strength, *[strength / 16] * 15], rows, draw)
    relaxed = _choice(twirled(noise, noise.known.time_2q / 1000), torch.Size((*rows, 2)), draw)
    return [torch.stack([both // 4, both % 4], -1), relaxed]


def _choice(chances: list[float], rows: torch.Size, draw: torch.Generator) -> Tensor:
    edges = torch.tensor(chances, dtype=torch.float64).cumsum(0)[:-1]
    return torch.bucketize(torch.rand(rows, generator=draw, dtype=torch.float64), edges, right=True)


def _hit(psi: Tensor, sources: list[Tensor], wires: tuple[int, ...], n: int) -> Tensor:
    """Pauli gates up to a phase: X flips a bit of the state's number, Z changes a sign, Y does both."""
    flips = psi.new_zeros(psi.shape[:-1], dtype=torch.int64)
    phases = flips.clone()
    for hits in sources:
        for position, wire in enumerate(wires):
            pauli = (hits[..., position] if len(wires) > 1 else hits).to(psi.device)
            flips = flips ^ (((pauli == 1) | (pauli == 2)).long() << (n - 1 - wire))
            phases = phases ^ ((pauli >= 2).long() << (n - 1 - wire))
    if not (flips.any() or phases.any()):
        return psi
    states = torch.arange(2**n, device=psi.device)
    moved = psi.gather(-1, states ^ flips[..., None])
    both = states & phases[..., None]
    odd = torch.zeros_like(both)
    for wire in wires:
        odd = odd ^ (both >> (n - 1 - wire) & 1)
    return moved * (1 - 2 * odd)
