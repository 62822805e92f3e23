"""Amazon Braket's LocalSimulator, on this machine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from braket.devices import LocalSimulator

from neurobench.config.errors import UserError
from neurobench.devices.circuit.braket_circuits import counts_of, program_set
from neurobench.devices.circuit.counting import CountingDevice, Sampling, require_counts
from neurobench.devices.circuit.vendor_specs import Braket
from neurobench.devices.jobs import Jobs
from neurobench.problems.circuit import Program
from neurobench.storage.journal import Journal


def open_braket(spec: Braket, device: torch.device, jobs: Jobs | None) -> CountingDevice:
    sampling: Sampling
    if spec.is_remote:
        from neurobench.devices.circuit.braket_queue import open_device

        sampling = open_device(spec, jobs or Jobs(Journal(None)))
    else:
        sampling = LocalSampling(spec.device)
    return CountingDevice(spec.device, sampling, spec.job, device)


class LocalSampling:
    """Simulator, see `Sampling`."""

    def __init__(self, name: str):
        self.name, self.simulator = name, LocalSimulator(name)
        self.irreproducible: str | None = f"{name} takes no seed"

    def run(self, program: Program, parts: Sequence[np.ndarray], shots: int, seed: int) -> list[np.ndarray]:
        return [
            require_counts(self.name, self._counts(program, part, shots), len(part), program.n, shots) for part in parts
        ]

    def _counts(self, program: Program, part: np.ndarray, shots: int) -> np.ndarray:
        answer = self.simulator.run(program_set(program, part), shots=len(part) * shots).result()
        entries = [entry for circuit in answer.entries for entry in circuit.entries]
        try:
            return np.stack([counts_of(entry.measurements, entry.measured_qubits) for entry in entries])
        except ValueError as error:
            raise UserError(f"{self.name} returned an unreadable answer: {error}") from None

    def shot_seconds(self, program: Program) -> float | None:
        return None
