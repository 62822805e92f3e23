"""Circuits sent as jobs to a device that answers later."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from neurobench.devices.circuit.counting import require_counts
from neurobench.devices.jobs import Jobs, Limits, Queue, Request
from neurobench.problems.circuit import Program


class CircuitJob(NamedTuple):
    """Content of a job, which the queue answers with counts (circuits, 2^n)."""

    program: Program
    values: np.ndarray  # (circuits, slots) float64
    shots: int


@dataclass(frozen=True)
class QueuedSampling:
    """Sampling by jobs, see `neurobench.devices.circuit.counting.Sampling`."""

    name: str
    queue: Queue
    jobs: Jobs
    limits: Limits
    shot_time: Callable[[Program], float | None]  # s, modelled; None if it is not

    @property
    def irreproducible(self) -> str | None:
        return f"{self.name} takes no seed"

    def run(self, program: Program, parts: Sequence[np.ndarray], shots: int, seed: int) -> list[np.ndarray]:
        """Run the parts as jobs. A chip takes no seed; `seed` distinguishes new draws from repeated ones."""
        requests = [self._request(program, part, shots, (seed, number)) for number, part in enumerate(parts)]
        return self.jobs.answers(self.name, self.queue, requests, self.limits)

    def shot_seconds(self, program: Program) -> float | None:
        return self.shot_time(program)

    def _request(self, program: Program, part: np.ndarray, shots: int, draw: tuple[int, int]) -> Request:
        said = repr((self.name, program, part.shape, shots, draw)).encode()
        key = hashlib.sha256(said + np.ascontiguousarray(part).tobytes()).hexdigest()[:20]
        total = len(part) * shots
        check = partial(require_counts, self.name, circuits=len(part), n=program.n, shots=shots)
        blank = partial(_all_zeros, len(part), program.n, shots)
        seconds = total * (self.shot_time(program) or 0.0)
        return Request(key, CircuitJob(program, part, shots), total, seconds, check, blank)


def _all_zeros(circuits: int, n: int, shots: int) -> np.ndarray:
    counts = np.zeros((circuits, 2**n), np.int64)
    counts[:, 0] = shots
    return counts
