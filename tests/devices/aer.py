"""Reference for emulated chips: a circuit as placed on the chip, run by Qiskit Aer with noise built from Aer's own
channels and the chip's calibration. It shares neither channels nor simulation with this package."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurobench.devices.circuit.chips import Chip, Pair, Qubit
from neurobench.devices.circuit.mock_noise import Fused, fused
from neurobench.devices.circuit.mock_qpu import QPUDevice
from neurobench.problems.circuit import Program


def aer_circuit(device: QPUDevice, program: Program, angles: NDArray[np.float64]) -> Any:
    """QuantumCircuit on the places of the layout, ready to be simulated. `angles`: those of one sample, by slot."""
    from qiskit import QuantumCircuit

    placed, chip = device.processor.place(program), device.spec.snapshot()
    layout = device.processor.layout(program)
    qubits = [chip.qubits[number] for number in layout]
    circuit, errors = QuantumCircuit(program.n), _Errors(chip, layout)
    for step in fused(placed.program, placed.noise.basis):
        for gate in step.gates if isinstance(step, Fused) else [step]:
            getattr(circuit, gate.name)(*([] if gate.slot is None else [angles[gate.slot]]), *gate.wires)
        if isinstance(step, Fused):
            for _ in range(step.pulses):
                circuit.append(
                    errors.of((step.wire,), Pair(qubits[step.wire].error, qubits[step.wire].time)), [step.wire]
                )
        else:
            a, b = step.wires
            circuit.append(errors.of((a, b), chip.pairs[chip.direction(layout[a], layout[b])]), [a, b])
    return circuit


class _Errors:
    """Error instructions, each made once: depolarization then relaxation, in total the gate's average infidelity."""

    def __init__(self, chip: Chip, layout: tuple[int, ...]):
        self.qubits: list[Qubit] = [chip.qubits[number] for number in layout]
        self.made: dict[tuple[int, ...], Any] = {}

    def of(self, wires: tuple[int, ...], gate: Pair) -> Any:
        if wires not in self.made:
            self.made[wires] = self._make(wires, gate).to_instruction()
        return self.made[wires]

    def _make(self, wires: tuple[int, ...], gate: Pair) -> Any:
        from qiskit.quantum_info import SuperOp, average_gate_fidelity
        from qiskit_aer.noise import depolarizing_error, thermal_relaxation_error

        first, *rest = (
            thermal_relaxation_error(1e3 * self.qubits[w].t1, 1e3 * self.qubits[w].t2, gate.time) for w in wires
        )
        relax = rest[0].tensor(first) if rest else first  # Qiskit's first wire is the last factor
        kept, d = average_gate_fidelity(SuperOp(relax)), 2 ** len(wires)
        strength = max(0.0, (kept - (1 - gate.error)) / (kept - 1 / d))
        return depolarizing_error(strength, len(wires)).compose(relax)


def aer_expectations(device: QPUDevice, program: Program, angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Expectations (n_obs,) with read-out errors, by Aer's density matrix."""
    from qiskit_aer import AerSimulator

    circuit = aer_circuit(device, program, angles)
    circuit.save_probabilities()
    result = AerSimulator(method="density_matrix", max_parallel_threads=1).run(circuit).result()
    return as_read(device, program, np.asarray(result.data()["probabilities"]))


def as_read(device: QPUDevice, program: Program, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Expectations with read-out errors, from probabilities (2^n,) in Aer's bit order: the first place is last."""
    chip, n = device.spec.snapshot(), program.n
    qubits = [chip.qubits[number] for number in device.processor.layout(program)]
    by_place = probabilities.reshape((2,) * n).transpose(range(n - 1, -1, -1))
    for place, qubit in enumerate(qubits):
        e10, e01 = qubit.p1_given_0, qubit.p0_given_1
        by_place = np.moveaxis(np.tensordot([[1 - e10, e01], [e10, 1 - e01]], by_place, (1, place)), 0, place)
    signs = np.array([1.0, -1.0])
    values = []
    for places in device.processor.place(program).program.observables:
        marginal = by_place.sum(axis=tuple(axis for axis in range(n) if axis not in places))
        for _ in places:
            marginal = np.tensordot(marginal, signs, (-1, 0))
        values.append(float(marginal))
    return np.array(values)
