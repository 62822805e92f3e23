"""An emulated gate-based quantum processor, the device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from neurobench.devices.circuit import qpu_density, qpu_trajectories
from neurobench.devices.circuit.circuit_device import StatevectorDevice, sign_table
from neurobench.devices.circuit.circuit_shots import draw_counts, require_shots
from neurobench.devices.circuit.protocol import CircuitVariants
from neurobench.devices.circuit.qpu import MOST_DENSITY, QPU
from neurobench.devices.circuit.qpu_channels import Fused, native, plan
from neurobench.devices.circuit.qpu_noise import Noise
from neurobench.devices.circuit.qpu_readout import confusion, mitigated, observed, on_bits
from neurobench.kernels.random import derive
from neurobench.problems.circuit import Angles, Program, ProgramError, require_angles

_AT_ONCE = 2**22  # numbers of state vectors or density matrices: bounds memory
LEVELS = (0.0, 1.0, 3.0, 10.0, 30.0)  # factors on the noise, for a figure


class QPUDevice:
    """See `neurobench.devices.circuit.protocol.CircuitDevice`."""

    def __init__(self, recipe: QPU, device: torch.device, reads_wrongly: bool = True):
        """`reads_wrongly`: whether `expectation` contains the read-out's errors; mitigated, it does not."""
        self.recipe, self.device = recipe, device
        known = recipe.values()
        self.known, self.noise = known, Noise(known, recipe.noise)
        e10, e01 = (known.p1_given_0, known.p0_given_1) if reads_wrongly else (0.0, 0.0)
        self.confusion = confusion(e10, e01)

    def expectation(self, program: Program, angles: Angles) -> Tensor:
        """Of many shots: with mitigation, the read-out's errors are gone. With trajectories, the mean of random runs,
        the same for each call."""
        self._require(program, angles)
        matrix = confusion(0.0, 0.0) if self.recipe.mitigation else self.confusion
        if self._random(program):
            return self._mean_of_runs(program, angles, matrix)
        rows = _rows(angles)
        channels = plan(program, angles, self.noise)
        observables = observed(program, matrix, angles.sample)
        if channels.shared and len(rows) > 0:
            return qpu_density.backwards(channels, observables, rows)
        return qpu_density.final(channels, rows) @ observables.t()

    def probabilities(self, program: Program, angles: Angles) -> Tensor:
        """(..., 2^n) of what is read, by density matrices."""
        self._require(program, angles)
        vector = qpu_density.final(plan(program, angles, self.noise), _rows(angles))
        return qpu_density.probabilities(vector, program.n, self.confusion)

    def counts(self, program: Program, angles: Angles, shots: int, seed: int) -> Tensor:
        require_shots(shots)
        self._require(program, angles)
        with torch.no_grad():
            if self._random(program):
                return self._counts_of_runs(program, angles, shots, seed)
            rows = _rows(angles)
            found = [self.probabilities(program, part) for part in _parts(angles, _AT_ONCE // 4**program.n)]
            return draw_counts(torch.cat(found).reshape(*rows, -1), shots, seed)

    def estimate(self, program: Program, counts: Tensor) -> Tensor:
        frequencies = counts.to(torch.float64) / counts.sum(-1, keepdim=True)
        if self.recipe.mitigation:
            frequencies = mitigated(frequencies, self.confusion.to(self.device), program.n)
        return frequencies @ sign_table(program, torch.float64, self.device).t()

    def cost(self, program: Program, circuits: int, shots: int) -> Mapping[str, float]:
        """A shot: reset, the longest chain of gates, read-out. Exact expectations cost no shots and no time."""
        shot = self.recipe.reset + self.depth_time(program) / 1000 + self.known.time_readout / 1000  # us
        jobs = -(-circuits // self.recipe.job) if shots else 0
        seconds = circuits * shots * shot / 1e6 + jobs * self.recipe.queue
        return {"shots": float(circuits) * shots, "qpu_seconds": seconds}

    def depth_time(self, program: Program) -> float:
        """ns until the last wire is done, each gate as soon as its wires are free."""
        free = [0.0] * program.n
        waiting = dict.fromkeys(range(program.n), Fused())
        for gate in native(program):
            if len(gate.wires) == 1:
                waiting[gate.wires[0]] = Fused((*waiting[gate.wires[0]].gates, gate))
                continue
            for wire in gate.wires:
                free[wire] += waiting[wire].pulses() * self.known.time_1q
                waiting[wire] = Fused()
            done = max(free[wire] for wire in gate.wires) + self.known.time_2q
            for wire in gate.wires:
                free[wire] = done
        return max(time + waiting[wire].pulses() * self.known.time_1q for wire, time in enumerate(free))

    def ideal(self) -> StatevectorDevice:
        return StatevectorDevice(self.device)

    def variants(self) -> CircuitVariants:
        plain, undone = replace(self.recipe, mitigation=False), self.recipe
        if self.known.p1_given_0 + self.known.p0_given_1 < 1:
            undone = replace(self.recipe, mitigation=True)
        readout = {
            "gates_only": QPUDevice(plain, self.device, reads_wrongly=False),
            "raw": QPUDevice(plain, self.device),
            "mitigated": QPUDevice(undone, self.device),
        }
        noise = {level: QPUDevice(replace(plain, scale=level * plain.scale), self.device) for level in LEVELS}
        return CircuitVariants(readout, noise)

    def _random(self, program: Program) -> bool:
        return self.recipe.method == "trajectories" or (self.recipe.method == "auto" and program.n > MOST_DENSITY)

    def _require(self, program: Program, angles: Angles) -> None:
        refused = self.recipe.misfit(program.n)
        if refused:
            raise ProgramError(refused)
        require_angles(program, angles)

    def _mean_of_runs(self, program: Program, angles: Angles, matrix: Tensor) -> Tensor:
        table = sign_table(program, angles.sample.dtype, self.device).t()
        total: Tensor | None = None
        for number in range(self.recipe.trajectories):
            draw = torch.Generator().manual_seed(derive(0, number))
            read = on_bits(qpu_trajectories.run(program, angles, self.noise, draw), matrix.to(table), program.n)
            total = read @ table if total is None else total + read @ table
        assert total is not None
        return total / self.recipe.trajectories

    def _counts_of_runs(self, program: Program, angles: Angles, shots: int, seed: int) -> Tensor:
        """Shots are shared out over the runs as evenly as they go."""
        runs = min(shots, self.recipe.trajectories)
        total: Tensor | None = None
        for number in range(runs):
            draw = torch.Generator().manual_seed(derive(seed, 0, number))
            read = qpu_trajectories.run(program, angles, self.noise, draw).to(torch.float64)
            read = on_bits(read, self.confusion.to(read), program.n)
            its = shots // runs + (number < shots % runs)
            found = draw_counts(read, its, derive(seed, 1, number))
            total = found if total is None else total + found
        assert total is not None
        return total


def _rows(angles: Angles) -> torch.Size:
    return torch.broadcast_shapes(angles.sample.shape[:-1], angles.shared.shape[:-1])


def _parts(angles: Angles, most: int) -> Iterator[Angles]:
    """The same rows in order, some at a time, as (rows, S) with (1 or rows, W)."""
    rows = _rows(angles)
    sample = angles.sample.expand(*rows, -1).reshape(-1, angles.sample.shape[-1])
    common = all(size == 1 for size in angles.shared.shape[:-1])
    shared = angles.shared.reshape(1, -1) if common else angles.shared.expand(*rows, -1).reshape(len(sample), -1)
    for first in range(0, len(sample), max(1, most)):
        chosen = slice(first, first + max(1, most))
        yield Angles(sample[chosen], shared if common else shared[chosen])
