"""Emulated chip snapshots compared with Qiskit Aer, in one run: python tests/bench/bench_aer.py

Targets: expectations within 1e-6 of Aer's density matrix with the same noise, at most 6 qubits, ten chips; at 8 qubits
at least 100 times faster than Aer.

Ring circuits of the hybrid network, one layer, best and worst layout of each chip. Timing: 1000 images with shared
weights, float64 like Aer, one thread, CPU seconds; Aer runs circuits one by one, so only a few are timed, alternating
with this package. Peers: make .venv/peers/qcnn; with qiskit-ibm-runtime also the channels of NoiseModel.from_backend.
"""

import os
import statistics
import sys
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
sys.path.extend(str(Path(__file__).parents[2] / folder) for folder in ("", ".venv/peers/qcnn"))

import numpy as np
import torch

from neurobench.devices.circuit.chips import chips
from neurobench.devices.circuit.mock_chip import SeatNoise
from neurobench.devices.circuit.mock_qpu import QPUDevice
from neurobench.models.qcnn.circuits import layered
from neurobench.problems.circuit import Angles
from tests.bench.machine import print_machine
from tests.devices.aer import aer_circuit, aer_expectations
from tests.devices.test_circuit import of_sample, random_angles
from tests.specs import spec

CPU = torch.device("cpu")
IMAGES, TURNS, OF_AER = 1000, 3, 4


def opened(chip: str, layout: str) -> QPUDevice:
    device = spec("backend/mock", "circuit", chip=chip, layout=layout).open(0, CPU)
    assert isinstance(device, QPUDevice)
    return device


def agreement() -> None:
    for chip in chips():
        for n in (2, 4, 6):
            program, apart = layered(n, 1, reupload=False, zz=True), 0.0
            angles = random_angles(program, 1, seed=n)
            for layout in ("best", "worst"):
                device = opened(chip, layout)
                ours = device.expectation(program, angles).values[0].numpy()
                apart = max(apart, float(np.abs(ours - aer_expectations(device, program, of_sample(angles, 0))).max()))
            print(f"{chip}: {n} qubits, best and worst layout, at most {apart:.1e} apart", flush=True)
            assert apart < 1e-6


def speed(chip: str) -> None:
    from qiskit_aer import AerSimulator

    n, device = 8, opened(chip, "best")
    program = layered(n, 1, reupload=False, zz=False)
    sample, shared = random_angles(program, IMAGES, seed=n)
    angles = Angles(sample, shared)
    begin = time.process_time()
    work = dict(device.processor.place(program).work)
    found = time.process_time() - begin
    simulator = AerSimulator(method="density_matrix", max_parallel_threads=1)
    circuits = [aer_circuit(device, program, of_sample(angles, number)) for number in range(OF_AER)]
    for circuit in circuits:
        circuit.save_probabilities()
    times: dict[str, list[float]] = {"ours": [], "aer": []}
    with torch.no_grad():
        for _ in range(TURNS):
            begin = time.process_time()
            for start in range(0, IMAGES, 500):
                device.expectation(program, Angles(sample[start : start + 500], shared))
            times["ours"].append((time.process_time() - begin) / IMAGES)
            begin = time.process_time()
            simulator.run(circuits).result().data(0)
            times["aer"].append((time.process_time() - begin) / OF_AER)
    ours, aer = (statistics.median(times[name]) for name in ("ours", "aer"))
    print(
        f"{chip}, 8 qubits, {work}: ours {1e3 * ours:.3f} ms a circuit, Aer {1e3 * aer:.1f} ms ({aer / ours:.0f}x ours)"
    )
    print(f"{chip}: the layout was found and the circuit routed in {found:.2f} s, once", flush=True)


def channels(chip: str) -> None:
    """Compare the noise of each pulse and pair with Aer's `NoiseModel.from_backend`, made from Qiskit's snapshot."""
    try:
        from qiskit_ibm_runtime import fake_provider
    except ImportError as missing:
        print(f"NoiseModel.from_backend is left out, {missing}")
        return
    from qiskit.quantum_info import PTM
    from qiskit_aer.noise import NoiseModel

    backend = getattr(fake_provider, f"Fake{chip.capitalize()}")()
    theirs = NoiseModel.from_backend(backend)._local_quantum_errors
    apart, snapshot = 0.0, chips()[chip]
    for qubits in [*((number,) for number in snapshot.qubits), *snapshot.pairs]:
        gate = "sx" if len(qubits) == 1 else snapshot.entangler
        seats = SeatNoise(snapshot, qubits, "residual")
        ours = seats.after_pulse(0) if len(qubits) == 1 else seats.after_pair((0, 1))
        matrix = PTM(theirs[gate][qubits]).data.real  # Qiskit's first wire is the faster index
        if len(qubits) == 2:
            matrix = matrix.reshape(4, 4, 4, 4).transpose(1, 0, 3, 2).reshape(16, 16)
        apart = max(apart, float(np.abs(ours.numpy() - matrix).max()))
    sizes = f"{len(snapshot.qubits)} qubits and {len(snapshot.pairs)} couplers"
    print(f"{chip}: channels of {sizes}, at most {apart:.1e} from NoiseModel.from_backend", flush=True)


if __name__ == "__main__":
    print_machine()
    torch.set_num_threads(1)
    for name in ("willow_pink", "fez"):
        speed(name)
    agreement()
    for name in ("fez", "brisbane"):
        channels(name)
