"""Emulated gate-based quantum processor: density matrices or, for more qubits, random Pauli errors in state vectors.

Depolarization is a mixture of Paulis; relaxation is twirled into one: X and Y each with (1 - exp(-t/T1))/4, Z with
(1 - exp(-t/T2))/2 minus that. Twirling drops the drift towards |0>, so <Z> of a state near |1> is too negative.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import reduce

import torch
from torch import Tensor

from neurobench.devices.circuit import mock_density
from neurobench.devices.circuit import sim_statevector as vectors
from neurobench.devices.circuit.mock_chip import Alike, Placed, Snapshot
from neurobench.devices.circuit.mock_noise import Fused, GateNoise, confusion, duration, fused, mitigated, on_bits
from neurobench.devices.circuit.protocol import CircuitVariants, Counts, Expectations
from neurobench.devices.circuit.sim_statevector import StatevectorDevice, draw_counts, require_shots, sign_table
from neurobench.devices.circuit.specs import MOST_DENSITY, MOST_SCALE, QPU
from neurobench.devices.spec import Demand
from neurobench.kernels.random import derive
from neurobench.problems.circuit import Angles, Program, ProgramError, require_angles

_AT_ONCE = 2**22  # numbers in density matrices at a time: bounds memory
LEVELS = (0.0, 1.0, 3.0, 10.0, 30.0)  # factors on the noise, for a figure


class QPUDevice:
    """Emulated device, see `neurobench.devices.circuit.protocol.CircuitDevice`."""

    exact = True

    def __init__(self, spec: QPU, seed: int, device: torch.device, *, misreads: bool = True):
        """Errors are those of a profile or a snapshot: `seed`, the identity of an emulated chip, has no effect.
        `misreads`: whether `expectation` contains read-out errors; with mitigation it does not."""
        self.spec, self.device = spec, device
        self.processor = (Alike if spec.chip is None else Snapshot)(spec, misreads)

    def expectation(self, program: Program, angles: Angles) -> Expectations:
        """Expectations for many shots; mitigation removes read-out errors. With trajectories, the mean of runs that are
        the same in each call."""
        self._require(program, angles)
        placed, rows = self.processor.place(program), angles.rows
        matrix = confusion(0.0, 0.0) if self.spec.mitigation else placed.confusion
        if self._random(program):
            values = self._mean_of_runs(placed, angles, matrix)
        else:
            evolution = mock_density.evolution(placed.program, angles, placed.noise)
            observables = mock_density.observed(placed.program, matrix, angles.sample)
            if evolution.shared and rows:
                values = mock_density.backwards(evolution, observables, rows)
            else:
                values = mock_density.final(evolution, rows) @ observables.t()
        circuits = math.prod(values.shape[:-1])
        return Expectations(values, {"circuits": circuits, **_times(placed.work, circuits)})

    def probabilities(self, program: Program, angles: Angles) -> Tensor:
        """Probabilities (..., 2^n) of bits read, by density matrices."""
        self._require(program, angles)
        placed = self.processor.place(program)
        vector = mock_density.final(mock_density.evolution(placed.program, angles, placed.noise), angles.rows)
        return _by_wire(mock_density.probabilities(vector, program.n, placed.confusion), placed)

    def counts(self, program: Program, angles: Angles, shots: int, seed: int) -> Counts:
        require_shots(shots)
        self._require(program, angles)
        placed = self.processor.place(program)
        with torch.no_grad():
            if self._random(program):
                counts = _by_wire(self._counts_of_runs(placed, angles, shots, seed), placed)
            else:
                parts = [self.probabilities(program, part) for part in _parts(angles, _AT_ONCE // 4**program.n)]
                counts = draw_counts(torch.cat(parts).reshape(*angles.rows, -1), shots, seed)
        n = math.prod(angles.rows)
        cost = {"circuits": n, "shots": n * shots, "jobs": self._jobs(n)}
        modelled = {"device_seconds": self.seconds(program, n, shots)}
        return Counts(counts, {**cost, **modelled, **_times(placed.work, n * shots)})

    def estimate(self, program: Program, counts: Tensor) -> Tensor:
        frequencies = counts.to(torch.float64) / counts.sum(-1, keepdim=True)
        if self.spec.mitigation:
            placed = self.processor.place(program)
            matrix = placed.confusion.to(self.device)
            frequencies = mitigated(frequencies, matrix if placed.seats is None else matrix[[*placed.seats]], program.n)
        return frequencies @ sign_table(program, torch.float64, self.device).t()

    def seconds(self, program: Program, circuits: int, shots: int) -> float:
        """Time of shots: reset, longest chain of gates, read-out. Exact expectations cost no shots and no time."""
        placed = self.processor.place(program)
        gates = duration(placed.program, placed.noise)
        shot = self.spec.reset + gates / 1000 + placed.time_readout / 1000  # us
        jobs = self._jobs(circuits) if shots else 0
        return circuits * shots * shot / 1e6 + jobs * self.spec.queue

    def _jobs(self, circuits: int) -> int:
        return -(-circuits // self.spec.job)

    def ideal(self) -> StatevectorDevice:
        return StatevectorDevice(self.device)

    def variants(self) -> CircuitVariants:
        plain = replace(self.spec, mitigation=False)
        readout = {
            "gates_only": QPUDevice(plain, 0, self.device, misreads=False),
            "raw": QPUDevice(plain, 0, self.device),
        }
        if self.processor.mitigable:
            readout["mitigated"] = QPUDevice(replace(self.spec, mitigation=True), 0, self.device)
        scales = {level: level * plain.scale for level in LEVELS if level * plain.scale <= MOST_SCALE}
        noise = {level: QPUDevice(replace(plain, scale=scale), 0, self.device) for level, scale in scales.items()}
        return CircuitVariants(readout, noise)

    def _random(self, program: Program) -> bool:
        return self.spec.method == "trajectories" or (self.spec.method == "auto" and program.n > MOST_DENSITY)

    def _require(self, program: Program, angles: Angles) -> None:
        if refused := self.spec.refuse(Demand(qubits=program.n)):
            raise ProgramError(refused)
        require_angles(program, angles)

    def _mean_of_runs(self, placed: Placed, angles: Angles, matrix: Tensor) -> Tensor:
        program = placed.program
        table = sign_table(program, angles.sample.dtype, self.device).t()
        runs = (
            random_run(program, angles, placed.noise, derive(0, number)) for number in range(self.spec.trajectories)
        )
        values = (on_bits(p, matrix.to(table), program.n) @ table for p in runs)
        return reduce(torch.add, values) / self.spec.trajectories

    def _counts_of_runs(self, placed: Placed, angles: Angles, shots: int, seed: int) -> Tensor:
        """Draw counts; shots are divided among the runs as evenly as possible."""
        runs, counts, program = min(shots, self.spec.trajectories), [], placed.program
        for number in range(runs):
            p = random_run(program, angles, placed.noise, derive(seed, 0, number)).to(torch.float64)
            share = shots // runs + (number < shots % runs)
            counts.append(draw_counts(on_bits(p, placed.confusion.to(p), program.n), share, derive(seed, 1, number)))
        return reduce(torch.add, counts)


def _by_wire(states: Tensor, placed: Placed) -> Tensor:
    """Reorder (..., 2^n) from the bits of places to the bits of wires."""
    if placed.seats is None:
        return states
    n, lead = placed.program.n, states.ndim - 1
    by_bit = states.unflatten(-1, (2,) * n)
    return by_bit.permute(*range(lead), *(lead + seat for seat in placed.seats)).flatten(-n)


def _times(work: Mapping[str, float], runs: int) -> dict[str, float]:
    return {name: amount * runs for name, amount in work.items()}


def random_run(program: Program, angles: Angles, noise: GateNoise, seed: int) -> Tensor:
    """Probabilities (..., 2^n) of one random run for each row of the angles, without averaging."""
    rows = angles.rows
    psi = torch.zeros(*rows, 2**program.n, dtype=vectors.complex_of(angles.sample), device=angles.sample.device)
    psi[..., 0] = 1
    generator = torch.Generator().manual_seed(seed)
    for step in fused(program, noise.basis):
        if isinstance(step, Fused):
            U = vectors.one_wire(step.gates[0], program, angles)
            for gate in step.gates[1:]:
                U = vectors.one_wire(gate, program, angles) @ U
            psi = (U[..., None, :, :] @ psi.unflatten(-1, (2**step.wire, 2, -1))).flatten(-3)
            for _ in range(step.pulses):
                sources = [_choice([p], rows, generator)[..., 0] for p in noise.pulse_paulis(step.wire)]
                psi = _hit(psi, sources, (step.wire,), program.n)
        else:
            psi = vectors.two_wires(psi, step, program.n)
            after_pair, relaxed = noise.pair_paulis(step.wires)
            both = _choice([after_pair], rows, generator)[..., 0]
            hits = [torch.stack([both // 4, both % 4], -1), _choice(relaxed, rows, generator)]
            psi = _hit(psi, hits, step.wires, program.n)
    return psi.real.square() + psi.imag.square()


def _choice(chances: list[list[float]], rows: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draw (..., K) int64, from K distributions: which of the Paulis I, X, Y, Z, or of their pairs, hits a row."""
    draws = torch.rand((*rows, len(chances)), generator=generator, dtype=torch.float64)
    edges = [torch.tensor(each, dtype=torch.float64).cumsum(0)[:-1] for each in chances]
    return torch.stack(
        [torch.bucketize(draws[..., k].contiguous(), edges[k], right=True) for k in range(len(edges))], -1
    )


def _hit(psi: Tensor, sources: list[Tensor], wires: tuple[int, ...], n: int) -> Tensor:
    """Apply Paulis up to a phase: X flips a bit of the state's number, Z changes a sign, Y does both. `sources`: (...)
    or, on two wires, (..., 2)."""
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


def _parts(angles: Angles, most: int) -> Iterator[Angles]:
    """Generate the rows in order, some at a time, as (rows, S) with (1 or rows, W)."""
    rows = angles.rows
    sample = angles.sample.expand(*rows, -1).reshape(-1, angles.sample.shape[-1])
    common = all(size == 1 for size in angles.shared.shape[:-1])
    shared = angles.shared.reshape(1, -1) if common else angles.shared.expand(*rows, -1).reshape(len(sample), -1)
    for first in range(0, len(sample), max(1, most)):
        chosen = slice(first, first + max(1, most))
        yield Angles(sample[chosen], shared if common else shared[chosen])
