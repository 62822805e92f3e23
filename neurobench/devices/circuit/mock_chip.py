"""Placement of a circuit on an emulated processor: on qubits that are all alike, or on those of a snapshot, laid out
and routed, each with its own errors."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from neurobench.devices.circuit.chips import Chip, Pair, Qubit
from neurobench.devices.circuit.layouts import edges_within, layouts
from neurobench.devices.circuit.mock_noise import (
    Basis,
    Fused,
    GateNoise,
    Noise,
    coherence,
    confusion,
    depolarizing,
    fused,
    paulis,
    relaxation,
    remaining,
    twirled,
)
from neurobench.devices.circuit.routing import route
from neurobench.devices.circuit.specs import QPU
from neurobench.problems.circuit import Program

_STILL = torch.eye(4, dtype=torch.float64)


class Placed(NamedTuple):
    """A circuit as it runs on a processor."""

    program: Program  # wires are places; observables are on the final places of their wires
    noise: GateNoise
    confusion: Tensor  # (2, 2) for all places, or (n, 2, 2), one for each
    time_readout: float  # ns
    seats: tuple[int, ...] | None  # final place of each wire; None: its initial one
    work: Mapping[str, float]  # operations in a run of the circuit, if qubits differ


class Alike:
    """A processor with median properties, any two of its qubits coupled."""

    def __init__(self, spec: QPU, misreads: bool):
        self.qubit = spec.properties()
        self.noise = Noise(self.qubit, spec.noise)
        e10, e01 = (self.qubit.p1_given_0, self.qubit.p0_given_1) if misreads else (0.0, 0.0)
        self.confusion = confusion(e10, e01)
        self.mitigable = self.qubit.p1_given_0 + self.qubit.p0_given_1 < 1

    def place(self, program: Program) -> Placed:
        return Placed(program, self.noise, self.confusion, self.qubit.time_readout, None, {})


class Snapshot:
    """A processor as calibrated on one day."""

    def __init__(self, spec: QPU, misreads: bool):
        self.spec, self.misreads = spec, misreads
        self.chip, self.ranked = spec.calibrated(), spec.snapshot()  # layouts do not depend on changed errors
        self.mitigable = all(qubit.p1_given_0 + qubit.p0_given_1 < 1 for qubit in self.chip.qubits.values())
        self.place = lru_cache(maxsize=16)(self._place)

    def layout(self, program: Program) -> tuple[int, ...]:
        """Qubit of each wire."""
        choice = self.spec.layout
        if isinstance(choice, str):
            return layouts(self.ranked, program).chosen(choice, self.spec.layout_seed)
        return tuple(choice)

    @torch.inference_mode(False)  # cached for callers that need a gradient too
    def _place(self, program: Program) -> Placed:
        layout = self.layout(program)
        routed = route(program, edges_within(self.ranked, layout))
        noise = SeatNoise(self.chip, layout, self.spec.noise)
        steps = list(fused(routed.program, noise.basis))
        pulses = sum(step.pulses for step in steps if isinstance(step, Fused))
        pairs = sum(not isinstance(step, Fused) for step in steps)
        qubits = [self.chip.qubits[number] for number in layout]
        errors = [(qubit.p1_given_0, qubit.p0_given_1) if self.misreads else (0.0, 0.0) for qubit in qubits]
        matrices = torch.stack([confusion(*pair) for pair in errors])
        work = {"pulses": pulses, "two_qubit_gates": pairs, "swaps": routed.swaps}
        time_readout = max(qubit.time_readout for qubit in qubits)
        return Placed(routed.program, noise, matrices, time_readout, routed.seats, work)


class SeatNoise:
    """Noise on a layout, see `GateNoise`. Wires are its places. Errors contain relaxation as in `Noise`."""

    def __init__(self, chip: Chip, layout: tuple[int, ...], mode: str):
        self.mode, self.qubits = mode, [chip.qubits[number] for number in layout]
        seat = {qubit: place for place, qubit in enumerate(layout)}
        self.pairs = {(seat[a], seat[b]): pair for (a, b), pair in chip.pairs.items() if a in seat and b in seat}
        self.basis = Basis(chip.pulses, frozenset(self.pairs if chip.entangler == "ecr" else ()))
        self.pulses = [_after([qubit], Pair(qubit.error, qubit.time), mode) for qubit in self.qubits]
        self.matrices = {wires: _after(self._both(wires), pair, mode) for wires, pair in self.pairs.items()}
        self.matrices |= {(b, a): _after(self._both((b, a)), pair, mode) for (a, b), pair in self.pairs.items()}

    def after_pulse(self, wire: int) -> Tensor:
        return self.pulses[wire]

    def after_pair(self, wires: tuple[int, ...]) -> Tensor:
        return self.matrices[wires[0], wires[1]]

    def pulse_paulis(self, wire: int) -> tuple[list[float], list[float]]:
        qubit = self.qubits[wire]
        return paulis(_strength([qubit], Pair(qubit.error, qubit.time), self.mode), 1), self._twirled(wire, qubit.time)

    def pair_paulis(self, wires: tuple[int, ...]) -> tuple[list[float], list[list[float]]]:
        pair = self._pair(wires)
        chances = paulis(_strength(self._both(wires), pair, self.mode), 2)
        return chances, [self._twirled(wire, pair.time) for wire in wires]

    def pulse_time(self, wire: int) -> float:
        return self.qubits[wire].time

    def pair_time(self, wires: tuple[int, ...]) -> float:
        return self._pair(wires).time

    def _pair(self, wires: tuple[int, ...]) -> Pair:
        a, b = wires
        return self.pairs[(a, b) if (a, b) in self.pairs else (b, a)]

    def _both(self, wires: tuple[int, ...]) -> list[Qubit]:
        return [self.qubits[wire] for wire in wires]

    def _twirled(self, wire: int, time: float) -> list[float]:
        qubit = self.qubits[wire]
        return [1.0, 0.0, 0.0, 0.0] if self.mode == "depol" else twirled(time / 1000, qubit.t1, qubit.t2)


def _strength(qubits: list[Qubit], gate: Pair, mode: str) -> float:
    """Strength of the depolarization after a gate of one or two qubits."""
    F = 1.0
    for qubit in qubits:
        F *= coherence(gate.time / 1000, qubit.t1, qubit.t2)
    return remaining(gate.error, len(qubits), F, mode)


def _after(qubits: list[Qubit], gate: Pair, mode: str) -> Tensor:
    """Transfer matrix of depolarization, then relaxation of each qubit: (4^k, 4^k)."""
    matrix = torch.eye(1, dtype=torch.float64)
    for qubit in qubits:
        relaxed = _STILL if mode == "depol" else relaxation(gate.time / 1000, qubit.t1, qubit.t2)
        matrix = torch.kron(matrix, relaxed)
    return matrix @ depolarizing(_strength(qubits, gate, mode), len(qubits))
