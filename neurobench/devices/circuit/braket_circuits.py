"""Conversion of programs to Braket's circuits, and of its measurements to counts.

Wire i is Braket's qubit i. Braket's first qubit is the leftmost bit, as wire 0 is the most significant one here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from braket.circuits import Circuit, FreeParameter
from braket.ir.openqasm import Program as OpenQASMProgram
from braket.program_sets import CircuitBinding, ProgramSet
from numpy.typing import ArrayLike

from neurobench.problems.circuit import Program

NAMES = {"cx": "cnot"}  # where Braket has another name


@lru_cache(maxsize=16)
def to_braket(program: Program) -> Circuit:
    """Convert a program to a circuit with all wires measured and a parameter for each slot."""
    circuit = Circuit()
    for gate in program.gates:
        angle = () if gate.slot is None else (FreeParameter(f"slot{gate.slot}"),)
        getattr(circuit, NAMES.get(gate.name, gate.name))(*gate.wires, *angle)
    return circuit.measure(list(range(program.n)))


def program_set(program: Program, values: np.ndarray) -> ProgramSet:
    """Program set with a circuit for each row of values (circuits, slots)."""
    circuit = to_braket(program)
    if values.shape[1] == 0:
        return ProgramSet([circuit] * len(values))
    return ProgramSet([CircuitBinding(circuit, {f"slot{slot}": row.tolist() for slot, row in enumerate(values.T)})])


def action(program: Program, values: np.ndarray, sets: bool) -> str:
    """Action of a task in AWS's format. `sets`: whether the device takes many circuits at once, else one."""
    whole = program_set(program, values).to_ir()
    if sets:
        return whole.json()
    (only,) = whole.programs
    inputs = {name: numbers[0] for name, numbers in (only.inputs or {}).items()}
    return OpenQASMProgram(source=only.source, inputs=inputs).json()


def counts_of(measurements: ArrayLike, qubits: Sequence[int]) -> np.ndarray:
    """Count states: (shots, n) bits of the n qubits in the order of `qubits` -> (2^n,) int64. Raises ValueError if the
    measurements are not such bits."""
    bits, n = np.asarray(measurements), len(qubits)
    if sorted(qubits) != list(range(n)):
        raise ValueError(f"qubits {list(qubits)} were measured")
    if bits.ndim != 2 or bits.shape[1] != n or not np.isin(bits, (0, 1)).all():
        raise ValueError(f"measurements of shape {bits.shape} are not {n} bits per shot")
    return np.bincount(bits.astype(np.int64) @ 2 ** (n - 1 - np.asarray(qubits)), minlength=2**n)
