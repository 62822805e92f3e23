"""Noise as random Pauli gates in state vectors, for more qubits than density matrices hold.

Depolarization is such a mixture; relaxation is twirled into one: X and Y each with (1 - exp(-t/T1))/4, Z with
(1 - exp(-t/T2))/2 - that. Twirling drops the drift towards |0>, so <Z> of a state near |1> is too negative.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from neurobench.devices.circuit.mock_noise import Fused, Noise, fused
from neurobench.devices.circuit.sim_torch import complex_of, one_wire, two_wires
from neurobench.problems.circuit import Angles, Program


def run(program: Program, angles: Angles, noise: Noise, generator: torch.Generator) -> Tensor:
    """(..., 2^n) probabilities of one random run for each row of the angles, nothing averaged."""
    rows = angles.rows
    psi = torch.zeros(*rows, 2**program.n, dtype=complex_of(angles.sample), device=angles.sample.device)
    psi[..., 0] = 1
    for step in fused(program):
        if isinstance(step, Fused):
            U = one_wire(step.gates[0], program, angles)
            for gate in step.gates[1:]:
                U = one_wire(gate, program, angles) @ U
            psi = (U[..., None, :, :] @ psi.unflatten(-1, (2**step.wire, 2, -1))).flatten(-3)
            for _ in range(step.pulses):
                psi = _hit(psi, draw_single(noise, rows, generator), (step.wire,), program.n)
        else:
            psi = two_wires(psi, step, program.n)
            psi = _hit(psi, draw_pair(noise, rows, generator), step.wires, program.n)
    return psi.real.square() + psi.imag.square()


def twirled(noise: Noise, time: float) -> list[float]:
    """Probabilities of I, X, Y, Z under relaxation for `time` us."""
    if not noise.relaxing:
        return [1.0, 0.0, 0.0, 0.0]
    flip = (1 - math.exp(-time / noise.qubit.t1)) / 4
    phase = (1 - math.exp(-time / noise.qubit.t2)) / 2 - flip
    return [1 - 2 * flip - phase, flip, flip, phase]


def draw_single(noise: Noise, rows: tuple[int, ...], generator: torch.Generator) -> list[Tensor]:
    """What hits a wire behind a pulse: [(...) int64 in I, X, Y, Z], one entry for each source."""
    strength = noise.strengths[0]
    depolarized = [1 - 0.75 * strength, *[strength / 4] * 3]
    return [_choice(depolarized, rows, generator), _choice(twirled(noise, noise.qubit.time_1q / 1000), rows, generator)]


def draw_pair(noise: Noise, rows: tuple[int, ...], generator: torch.Generator) -> list[Tensor]:
    """What hits two wires behind a cz: [(..., 2) int64], one entry for each source."""
    strength = noise.strengths[1]
    both = _choice([1 - 15 / 16 * strength, *[strength / 16] * 15], rows, generator)
    relaxed = _choice(twirled(noise, noise.qubit.time_2q / 1000), (*rows, 2), generator)
    return [torch.stack([both // 4, both % 4], -1), relaxed]


def _choice(chances: list[float], rows: tuple[int, ...], generator: torch.Generator) -> Tensor:
    edges = torch.tensor(chances, dtype=torch.float64).cumsum(0)[:-1]
    return torch.bucketize(torch.rand(rows, generator=generator, dtype=torch.float64), edges, right=True)


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
