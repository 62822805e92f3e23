"""Conversion of programs to Qiskit's circuits, and of its bits to counts of states.

Wire i is Qiskit's qubit i and is read into bit n-1-i, so that Qiskit's number of a state is that of this package.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.primitives import BitArray, PrimitiveResult
from qiskit.transpiler import generate_preset_pass_manager

from neurobench.config.errors import UserError
from neurobench.devices.circuit.vendor_specs import Qiskit
from neurobench.problems.circuit import Program

REP_DELAY = 250e-6  # s between shots, if a chip gives no value


@lru_cache(maxsize=16)
def to_qiskit(program: Program) -> QuantumCircuit:
    """Convert a program to a measured circuit with a parameter for each slot."""
    circuit = QuantumCircuit(program.n, program.n)
    slots = ParameterVector("slot", program.n_sample + program.n_shared)
    for gate in program.gates:
        angle = () if gate.slot is None else (slots[gate.slot],)
        getattr(circuit, gate.name)(*angle, *gate.wires)
    circuit.measure(range(program.n), list(reversed(range(program.n))))
    return circuit


def counts_of(result: PrimitiveResult, n: int) -> np.ndarray:
    """Counts of each state, (circuits, 2^n) int64, from a job with one block of circuits."""
    bits: BitArray = result[0].data.c
    packed = bits.array.reshape(-1, *bits.array.shape[-2:]).astype(np.int64)  # (circuits, shots, bytes)
    read = packed @ 256 ** np.arange(packed.shape[-1])[::-1]
    rows = np.arange(len(read))[:, None] * 2**n
    return np.bincount((rows + read).ravel(), minlength=len(read) * 2**n).reshape(len(read), 2**n)


def on_chip(program: Program, backend: Any, spec: Qiskit) -> QuantumCircuit:
    """Transpile to a chip's gates and qubits. Raises UserError if these are too few or lack those of the layout."""
    layout = None if spec.layout is None else list(spec.layout)
    if program.n > backend.num_qubits or max(layout or [0]) >= backend.num_qubits:
        raise UserError(
            f"{spec.device} has {backend.num_qubits} qubits, but the circuit has {program.n} wires"
            + (f" on qubits {layout}" if layout else "")
        )
    manager = generate_preset_pass_manager(
        spec.optimization_level, backend=backend, initial_layout=layout, seed_transpiler=0
    )
    return manager.run(to_qiskit(program))


def shot_seconds(circuit: QuantumCircuit, backend: Any) -> float:
    """Seconds per shot of a transpiled circuit: the pause that resets the qubits, its gates and the read-out."""
    pause = getattr(backend, "default_rep_delay", None) or REP_DELAY
    return pause + circuit.estimate_duration(backend.target, unit="s")
