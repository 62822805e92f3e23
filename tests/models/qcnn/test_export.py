"""Exported circuits, and simulators of this package against those of qiskit, PennyLane and Aer if installed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neurobench.cli.runs import FILES
from neurobench.devices.circuit.sim_statevector import StatevectorDevice
from neurobench.models.common.exchange import FORMATS
from neurobench.models.qcnn.circuits import layered, to_qasm
from neurobench.models.qcnn.learner import exports
from neurobench.problems.circuit import Angles, Gate, Program
from tests.devices.test_circuit import of_sample, random_angles, random_program
from tests.models.qcnn.conftest import CPU, learner, qpu

SIM = StatevectorDevice(CPU)


def test_an_exported_circuit_is_openqasm_3_with_angles_as_inputs_or_numbers() -> None:
    program = Program(2, 1, 1, (Gate("h", (0,)), Gate("ry", (0,), 0), Gate("cx", (0, 1)), Gate("rz", (1,), 1)), ((0,),))
    assert to_qasm(program, None, [-1e-7]).splitlines() == [
        "OPENQASM 3.0;",
        'include "stdgates.inc";',
        "input float[64] x0;",
        "qubit[2] q;",
        "bit[2] c;",
        "h q[0];",
        "ry(x0) q[0];",
        "cx q[0], q[1];",
        "rz(-1e-07) q[1];",
        "c[0] = measure q[0];",
        "c[1] = measure q[1];",
    ]
    assert "ry(0.1) q[0];" in to_qasm(program, [0.1], [0.0])
    assert "input" not in to_qasm(program, [0.1], [0.0])


def test_an_exported_circuit_contains_the_weights_at_full_precision() -> None:
    made = learner(head="linear", n_qubits=2, depth=1)
    text = exports(made)["qasm3"]().decode()
    weights = made.main.named()["w"].flatten().double().tolist()
    assert [float(line.split("(")[1].split(")")[0]) for line in text.splitlines() if line[:3] in ("rz(",)] == weights[
        ::2
    ]
    assert text.count("input float[64]") == 2
    assert set(exports(learner(head="tanh"))) == set(FORMATS)
    assert FILES["qasm3"] == "model.qasm"


def flipped(p: np.ndarray, n: int) -> np.ndarray:
    """Probabilities with the bits of the states' indices reversed: qiskit's wire 0 is the rightmost."""
    return p.reshape((2,) * n).transpose(range(n)[::-1]).reshape(-1)


def test_qiskit_reads_the_file_and_gives_the_same_probabilities() -> None:
    qiskit = pytest.importorskip("qiskit", reason="extra quantum-check is not installed")
    pytest.importorskip("qiskit_qasm3_import", reason="extra quantum-check is not installed")
    from qiskit.quantum_info import Statevector

    for program in (random_program(3, 25, seed=2), layered(4, 2, reupload=True, zz=False)):
        angles = random_angles(program, 1, seed=2)
        angles.sample[0, 0] = -3e-9  # an exponent, and a sign
        ours = SIM.probabilities(program, angles)[0].numpy()
        shared = angles.shared.tolist()
        bound = qiskit.qasm3.loads(to_qasm(program, angles.sample[0].tolist(), shared))
        opened = qiskit.qasm3.loads(to_qasm(program, None, shared))
        values = {f"x{i}": value for i, value in enumerate(angles.sample[0].tolist())}
        for circuit in (bound, opened.assign_parameters(values)):
            circuit.remove_final_measurements()
            theirs = flipped(np.abs(Statevector(circuit).data) ** 2, program.n)
            assert np.abs(ours - theirs).max() < 1e-10


def test_pennylane_gives_the_same_expectations_and_gradients() -> None:
    qml = pytest.importorskip("pennylane", reason="extra quantum-check is not installed")
    program = random_program(4, 30, seed=6)
    angles = random_angles(program, 1, seed=6)
    gates = {"h": qml.Hadamard, "x": qml.PauliX, "ry": qml.RY, "rz": qml.RZ, "cz": qml.CZ, "cx": qml.CNOT}

    @qml.qnode(qml.device("default.qubit", wires=4), interface="torch", diff_method="backprop")
    def circuit(flat: torch.Tensor) -> Any:
        for gate in program.gates:
            own = [] if gate.slot is None else [flat[gate.slot]]
            gates[gate.name](*own, wires=list(gate.wires))
        return [qml.expval(qml.prod(*(qml.PauliZ(wire) for wire in wires))) for wires in program.observables]

    flat = torch.tensor(of_sample(angles, 0), requires_grad=True)
    theirs = torch.stack(circuit(flat))
    own = [part.requires_grad_() for part in angles]
    ours = SIM.expectation(program, Angles(*own)).values[0]
    assert (ours - theirs).abs().max() < 1e-6
    (slope,) = torch.autograd.grad(theirs.square().sum(), flat)
    mine = torch.autograd.grad(ours.square().sum(), own)
    assert (torch.cat([mine[0][0], mine[1]]) - slope).abs().max() < 1e-6


def test_aer_gives_the_same_noisy_probabilities() -> None:
    """Each gate is followed by the same two channels, built from Aer's; RY has two pulses, H one, RZ none."""
    aer = pytest.importorskip("qiskit_aer", reason="extra quantum-check is not installed")
    qiskit = pytest.importorskip("qiskit", reason="extra quantum-check is not installed")
    from qiskit_aer.noise import depolarizing_error, thermal_relaxation_error

    device = qpu(profile="bad")
    qubit, (one, two) = device.processor.qubit, device.processor.noise.strengths
    program = layered(3, 2, reupload=False, zz=False)
    angles = random_angles(program, 1, seed=9)
    values = of_sample(angles, 0)
    circuit = qiskit.QuantumCircuit(3)

    def pulse(wire: int, count: int) -> None:
        for _ in range(count):
            circuit.append(depolarizing_error(one, 1).to_instruction(), [wire])
            relax = thermal_relaxation_error(qubit.t1, qubit.t2, qubit.time_1q / 1000)
            circuit.append(relax.to_instruction(), [wire])

    for gate in program.gates:
        wires = list(gate.wires)
        getattr(circuit, gate.name)(*([] if gate.slot is None else [values[gate.slot]]), *wires)
        if gate.name == "ry":  # fused with the h or rz before it
            pulse(wires[0], 2)
        if gate.name == "cz":
            circuit.append(depolarizing_error(two, 2).to_instruction(), wires)
            for wire in wires:
                relax = thermal_relaxation_error(qubit.t1, qubit.t2, qubit.time_2q / 1000)
                circuit.append(relax.to_instruction(), [wire])
    circuit.save_density_matrix()
    result = aer.AerSimulator(method="density_matrix").run(circuit).result()
    theirs = flipped(np.diag(np.asarray(result.data()["density_matrix"])).real, 3)
    ours = qpu(profile="bad", p1_given_0=0.0, p0_given_1=0.0).probabilities(program, angles)[0]
    assert np.abs(ours.numpy() - theirs).max() < 1e-6


def test_the_packages_that_the_qcnn_benchmark_compares_with_are_pinned() -> None:
    listed = (Path(__file__).parents[2] / "bench/peers/qcnn.txt").read_text().split()
    assert listed
    assert all("==" in line for line in listed)
