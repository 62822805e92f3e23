"""Qiskit's simulators and its snapshots of IBM's chips, on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from qiskit import QuantumCircuit
from qiskit.primitives import StatevectorSampler

from neurobench.config.errors import UserError, did_you_mean
from neurobench.devices.circuit.counting import CountingDevice, Sampling, require_counts
from neurobench.devices.circuit.qiskit_circuits import counts_of, on_chip, shot_seconds, to_qiskit
from neurobench.devices.circuit.vendor_specs import SNAPSHOT, Qiskit
from neurobench.devices.jobs import Jobs
from neurobench.kernels.random import derive
from neurobench.problems.circuit import Program
from neurobench.storage.journal import Journal

SEED_BITS = 31  # accepted by Aer


def open_qiskit(spec: Qiskit, device: torch.device, jobs: Jobs | None) -> CountingDevice:
    sampling: Sampling
    if spec.is_chip:
        from neurobench.devices.circuit.ibm_queue import open_chip

        sampling = open_chip(spec, jobs or Jobs(Journal(None)))
    elif spec.device.startswith(SNAPSHOT):
        sampling = Snapshot(spec)
    else:
        sampling = Simulator(spec)
    return CountingDevice(spec.device, sampling, spec.job, device)


class Simulator:
    """Noise-free simulator, see `Sampling`."""

    irreproducible: str | None = None

    def __init__(self, spec: Qiskit):
        self.spec = spec

    def run(self, program: Program, parts: Sequence[np.ndarray], shots: int, seed: int) -> list[np.ndarray]:
        circuit, answers = self.circuit(program), []
        for number, part in enumerate(parts):
            sampler = self.sampler(program, derive(seed, number) % 2**SEED_BITS)
            answer = counts_of(sampler.run([(circuit, part, shots)]).result(), program.n)
            answers.append(require_counts(self.spec.device, answer, len(part), program.n, shots))
        return answers

    def shot_seconds(self, program: Program) -> float | None:
        return None

    def circuit(self, program: Program) -> QuantumCircuit:
        return to_qiskit(program)

    def sampler(self, program: Program, seed: int) -> Any:
        if self.spec.device == "statevector":
            return StatevectorSampler(seed=seed)
        from qiskit_aer.primitives import SamplerV2

        return SamplerV2(seed=seed)


class Snapshot(Simulator):
    """A chip as calibrated on one day."""

    def __init__(self, spec: Qiskit):
        super().__init__(spec)
        self.backend = snapshot(spec.device)
        self.prepared = lru_cache(maxsize=16)(self._prepared)

    def _prepared(self, program: Program) -> tuple[QuantumCircuit, Any, float]:
        """Circuit on the qubits that it uses, their simulator, and seconds per shot."""
        from neurobench.devices.circuit.qiskit_snapshot import restricted, simulator_of, used_qubits

        circuit = on_chip(program, self.backend, self.spec)
        qubits = used_qubits(circuit)
        simulator = simulator_of(self.backend.target, qubits)
        return restricted(circuit, qubits), simulator, shot_seconds(circuit, self.backend)

    def shot_seconds(self, program: Program) -> float:
        return self.prepared(program)[2]

    def circuit(self, program: Program) -> QuantumCircuit:
        return self.prepared(program)[0]

    def sampler(self, program: Program, seed: int) -> Any:
        from qiskit_aer.primitives import SamplerV2

        return SamplerV2.from_backend(self.prepared(program)[1], seed=seed)


def snapshot(name: str) -> Any:
    """Return a snapshot. Raises UserError if qiskit-ibm-runtime has none of that name."""
    from qiskit_ibm_runtime import fake_provider

    if not hasattr(fake_provider, name):
        known = [key for key in dir(fake_provider) if key.startswith(SNAPSHOT)]
        guess = did_you_mean(name, known)
        raise UserError(f"backend.circuit.device={name}: qiskit-ibm-runtime has no such snapshot.{guess}")
    return getattr(fake_provider, name)()
