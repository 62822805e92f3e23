"""Client of `queue_server.py`, as a separate circuit device: a chip with one qubit that answers later."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from neurobench.devices.circuit.counting import CountingDevice
from neurobench.devices.circuit.queued import CircuitJob, QueuedSampling
from neurobench.devices.jobs import JobGone, Jobs, Limits, Unreachable
from neurobench.devices.spec import Demand, DeviceSpec
from neurobench.storage.journal import Journal

SHOT = 1e-4  # s


class LoopbackQueue:
    def __init__(self, port: int):
        self.port = port

    def ask(self, verb: str, **content: Any) -> dict[str, Any]:
        body = json.dumps(content).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/{verb}", body, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return json.load(reply)
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            raise Unreachable(str(error)) from None

    def submit(self, content: CircuitJob, tag: str) -> str:
        return self.ask("submit", asked={"tag": tag, "values": content.values.tolist(), "shots": content.shots})["id"]

    def find(self, tag: str) -> str | None:
        return self.ask("find", tag=tag)["id"]

    def collect(self, job: str) -> np.ndarray | None:
        reply = self.ask("collect", job_id=job)
        if reply["id"] != job:  # an answer to an earlier request
            raise Unreachable(f"the answer of {reply['id']} in place of {job}'s")
        if reply["status"] in ("failed", "unknown"):
            raise JobGone(reply["status"])
        return np.array(reply["counts"]) if reply["status"] == "done" else None


@dataclass(frozen=True, kw_only=True)
class Loopback(DeviceSpec):
    kind: ClassVar[str] = "circuit"
    opens: ClassVar[str] = "tests.devices.loopback.open_loopback"
    not_computed: ClassVar[tuple[str, ...]] = ("port", "max_shots", "max_seconds")

    port: int
    job: int
    max_shots: int | None = None
    max_seconds: float | None = None

    def refuse(self, demand: Demand) -> str | None:
        return None if demand.qubits == 1 else "it has one qubit"

    def open(self, seed: int, device: torch.device, jobs: Jobs | None = None) -> Any:
        return open_loopback(self, device, jobs or Jobs(Journal(None)))


def open_loopback(spec: Loopback, device: torch.device, jobs: Jobs) -> CountingDevice:
    limits = Limits(spec.max_shots, spec.max_seconds)
    sampling = QueuedSampling("loopback", LoopbackQueue(spec.port), jobs, limits, lambda program: SHOT)
    return CountingDevice("loopback", sampling, spec.job, device)
