"""Simulation by Aer of a snapshot of a chip, with the noise of the qubits in use.

The noise model of a whole chip of 156 qubits takes a minute to build, and adds a tenth of a second to every circuit; a
model of only the qubits that a circuit uses has the same effect. As circuits contain no delays, idle qubits have no
noise, in Aer as in `mock_qpu`.
"""

from __future__ import annotations

from typing import Any

from qiskit import QuantumCircuit, QuantumRegister
from qiskit.transpiler import Target
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel
from qiskit_aer.noise.device import basic_device_gate_errors, basic_device_readout_errors


def used_qubits(circuit: QuantumCircuit) -> list[int]:
    """Qubits that a transpiled circuit uses, ascending."""
    return sorted({circuit.find_bit(qubit).index for instruction in circuit for qubit in instruction.qubits})


def restricted(circuit: QuantumCircuit, qubits: list[int]) -> QuantumCircuit:
    """Copy of a circuit on these qubits alone, numbered from 0."""
    small = QuantumCircuit(QuantumRegister(len(qubits), "q"), *circuit.cregs)
    for instruction in circuit:
        places = [qubits.index(circuit.find_bit(qubit).index) for qubit in instruction.qubits]
        small.append(instruction.operation, places, [circuit.find_bit(bit).index for bit in instruction.clbits])
    return small


def noise_of(target: Target, qubits: list[int]) -> NoiseModel:
    """Noise model as Aer builds it from chips: depolarization, relaxation of each gate, confusion of each read-out."""
    part = _part(target, qubits)
    model = NoiseModel(basis_gates=list(target.operation_names))
    for places, error in basic_device_readout_errors(target=part):
        model.add_readout_error(error, places)
    for name, places, error in basic_device_gate_errors(target=part):
        model.add_quantum_error(error, name, places)
    return model


def simulator_of(target: Target, qubits: list[int]) -> AerSimulator:
    return AerSimulator(noise_model=noise_of(target, qubits))


def _part(target: Target, qubits: list[int]) -> Target:
    """Target of some qubits of a chip, with the gates on and between them."""
    properties = [target.qubit_properties[qubit] for qubit in qubits]
    part = Target(num_qubits=len(qubits), dt=target.dt, qubit_properties=properties)
    for name in target.operation_names:
        places: dict[Any, Any] = {}
        for where, values in (target[name] or {}).items():
            if where is not None and set(where) <= set(qubits):
                places[tuple(qubits.index(qubit) for qubit in where)] = values
        if places:
            part.add_instruction(target.operation_from_name(name), places)
    return part
