"""IBM's chips, with the account that qiskit-ibm-runtime uses: saved by its own `save_account`, or in the environment.

The tag of a job is one of its job tags at IBM, by which the service finds it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import requests
from qiskit import QuantumCircuit
from qiskit.exceptions import QiskitError
from qiskit_ibm_runtime import QiskitRuntimeService, Sampler
from qiskit_ibm_runtime.exceptions import IBMError, RuntimeJobNotFound

from neurobench.config.errors import UserError
from neurobench.config.secrets import hide
from neurobench.devices.circuit.qiskit_circuits import counts_of, on_chip, shot_seconds
from neurobench.devices.circuit.queued import CircuitJob, QueuedSampling
from neurobench.devices.circuit.vendor_specs import Qiskit
from neurobench.devices.jobs import JobGone, Jobs, JobUnknown, Limits, Unreachable
from neurobench.problems.circuit import Program


def open_chip(spec: Qiskit, jobs: Jobs) -> QueuedSampling:
    """Open a chip. Raises UserError if there is no account, or no such chip in it."""
    try:
        service = QiskitRuntimeService()
        hide((service.active_account() or {}).get("token"))
        backend = service.backend(spec.device)
    except (QiskitError, ValueError, requests.RequestException) as error:
        raise UserError(
            f"backend.circuit.device={spec.device} cannot be opened: {error}. The account comes from "
            "qiskit-ibm-runtime: QiskitRuntimeService.save_account(...), or "
            "QISKIT_IBM_TOKEN and QISKIT_IBM_INSTANCE in the environment."
        ) from None
    queue = IBMQueue(service, backend, spec)
    return QueuedSampling(
        spec.device, queue, jobs, Limits(spec.max_shots, spec.max_seconds), lambda program: queue.prepared(program)[1]
    )


class IBMQueue:
    """IBM's queue, see `neurobench.devices.jobs.Queue`."""

    def __init__(self, service: Any, backend: Any, spec: Qiskit):
        self.service, self.backend, self.spec = service, backend, spec
        self.prepared = lru_cache(maxsize=16)(self._prepared)

    def _prepared(self, program: Program) -> tuple[QuantumCircuit, float]:
        """Circuit in the chip's gates, and seconds per shot."""
        circuit = on_chip(program, self.backend, self.spec)
        return circuit, shot_seconds(circuit, self.backend)

    def submit(self, content: CircuitJob, tag: str) -> str:
        sampler = Sampler(mode=self.backend)
        sampler.options.environment.job_tags = [tag]
        circuit, _ = self.prepared(content.program)
        try:
            return sampler.run([(circuit, content.values, content.shots)]).job_id()
        except (IBMError, requests.RequestException) as error:
            raise Unreachable(str(error)) from None

    def find(self, tag: str) -> str | None:
        try:
            jobs = self.service.jobs(job_tags=[tag], limit=1, descending=False)
        except (IBMError, requests.RequestException) as error:
            raise Unreachable(str(error)) from None
        return jobs[0].job_id() if jobs else None

    def collect(self, job: str) -> np.ndarray | None:
        try:
            sent = self.service.job(job)
            status = str(sent.status())
            if status == "DONE":
                return self._counts(sent.result())
            if status in ("ERROR", "CANCELLED"):
                raise JobGone(f"{status.lower()}: {sent.error_message() or 'no reason given'}")
        except RuntimeJobNotFound:
            raise JobUnknown from None
        except (IBMError, requests.RequestException) as error:
            raise Unreachable(str(error)) from None
        return None

    def _counts(self, result: Any) -> np.ndarray:
        return counts_of(result, result[0].data.c.num_bits)
