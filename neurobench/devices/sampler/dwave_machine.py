"""A D-Wave machine as a sampler whose problems are jobs: each is sent once, and its answer fetched then or later.

The tag of a problem is sent as D-Wave's label, by which the service finds it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import dimod
import numpy as np
import requests
from dwave.cloud.api.constants import ProblemStatus
from dwave.cloud.api.exceptions import (
    RequestError,
    RequestTimeout,
    ResourceAuthenticationError,
    ResourceNotFoundError,
)
from dwave.cloud.api.resources import Problems
from dwave.cloud.computation import Future
from dwave.system import DWaveSampler

from neurobench.config.errors import UserError
from neurobench.config.secrets import hide
from neurobench.devices.jobs import JobGone, Jobs, JobUnknown, Limits, Queue, Request, Unreachable
from neurobench.devices.sampler.dwave_secrets import cleaned
from neurobench.devices.sampler.sampleset import checked_states

TOO_MANY, BROKEN = 429, 500  # HTTP status: too many requests; from here on, the service's faults
PASSING = (RequestTimeout, requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


class Problem(NamedTuple):
    """Content of a job, which the queue answers with a dimod.SampleSet."""

    bqm: dimod.BinaryQuadraticModel  # in spins, on the machine's qubits, without a constant
    parameters: Mapping[str, Any]  # of DWaveSampler.sample


class Machine(dimod.Sampler, dimod.Structured):
    """DWaveSampler whose problems are jobs of the run. Raises UserError if `max_seconds` is set and the time that the
    machine takes cannot be modelled."""

    def __init__(self, sampler: Any, queue: Queue, jobs: Jobs, limits: Limits):
        self.name, self.sampler, self.queue = f"D-Wave's {sampler.solver.name}", sampler, queue
        self.jobs, self.limits = jobs, limits
        self._seconds(1, {})

    @property
    def identity(self) -> dict[str, str]:
        """Identity of the machine, for the record of a run."""
        solver = self.sampler.solver
        return {"name": solver.name, "graph_id": str(solver.graph_id), "device_seconds": "measured"}

    @property
    def nodelist(self) -> list[int]:
        return self.sampler.nodelist

    @property
    def edgelist(self) -> list[tuple[int, int]]:
        return self.sampler.edgelist

    @property
    def properties(self) -> dict[str, Any]:
        return self.sampler.properties

    @property
    def parameters(self) -> dict[str, Any]:
        return {**self.sampler.parameters, "draw": []}

    def to_networkx_graph(self) -> Any:
        return self.sampler.to_networkx_graph()

    def sample(self, bqm: dimod.BinaryQuadraticModel, draw: int = 0, **parameters: Any) -> dimod.SampleSet:
        """Return a row for each read. A machine takes no seed: equal problems share an answer unless `draw`
        differs."""
        self._require_reads(int(parameters.get("num_reads", 1)))
        problem = bqm.change_vartype("SPIN", inplace=False)
        problem.offset = 0.0  # the service does not return it, so a later session would lack it
        answer = self.jobs.answers(self.name, self.queue, [self._request(problem, parameters, draw)], self.limits)[0]
        timing = {} if math.isnan(answer["seconds"]) else {"qpu_access_time": float(answer["seconds"]) * 1e6}
        spins = 2 * answer["states"].astype(np.int8) - 1
        return dimod.SampleSet.from_samples_bqm((spins, sorted(problem.variables)), bqm, info={"timing": timing})

    def _request(self, problem: dimod.BinaryQuadraticModel, parameters: Mapping[str, Any], draw: int) -> Request:
        order, shots = sorted(problem.variables), int(parameters.get("num_reads", 1))
        h, (row, column, J), _ = problem.to_numpy_vectors(order, sort_indices=True)
        said = repr((self.name, order, sorted(parameters.items()), draw)).encode()
        parts = [np.ascontiguousarray(part).tobytes() for part in (h, row, column, J)]
        key = hashlib.sha256(said + b"".join(parts)).hexdigest()[:20]
        seconds = self._seconds(len(order), parameters)
        check = partial(record, problem, self.name)
        blank = partial(_all_down, problem, shots, seconds)
        return Request(key, Problem(problem, parameters), shots, 0.0 if seconds is None else seconds, check, blank)

    def _require_reads(self, reads: int) -> None:
        low, high = self.properties.get("num_reads_range", (1, math.inf))
        if not low <= reads <= high:
            raise UserError(
                f"{self.name} takes {low} to {high} reads of a problem, not num_reads={reads}. Nothing was sent."
            )

    def _seconds(self, qubits: int, parameters: Mapping[str, Any]) -> float | None:
        """Access time by D-Wave's model of the machine; None if it publishes no figures that the client can read.
        Raises UserError if max_seconds needs them."""
        timed = {name: parameters[name] for name in ("num_reads", "annealing_time") if name in parameters}
        try:
            return 1e-6 * float(self.sampler.solver.estimate_qpu_access_time(qubits, **timed))
        except (KeyError, ValueError) as error:
            if self.limits.max_seconds is None:
                return None
            raise UserError(
                f"backend.sampler.max_seconds={self.limits.max_seconds:g} cannot be guaranteed: the time {self.name} "
                f"takes cannot be modelled ({error}). Set backend.sampler.max_shots."
            ) from None


def record(problem: dimod.BinaryQuadraticModel, name: str, answer: Any) -> np.ndarray:
    """Check an answer and convert it for storage: "states" (reads, qubits in order) in {0, 1}, and "seconds", NaN if
    unknown. Raises UserError with the machine's name if it is no answer to the problem."""
    order = sorted(problem.variables)
    number = {qubit: k for k, qubit in enumerate(order)}
    if isinstance(answer, dimod.SampleSet):
        answer = answer.relabel_variables({q: number[q] for q in answer.variables if q in number}, inplace=False)
    states = checked_states(answer, len(order), name, problem.relabel_variables(number, inplace=False))
    seconds = 1e-6 * answer.info.get("timing", {}).get("qpu_access_time", math.nan)
    return np.array((states, seconds), dtype=[("states", "u1", states.shape), ("seconds", "f8")])


def _all_down(problem: dimod.BinaryQuadraticModel, reads: int, seconds: float | None) -> dimod.SampleSet:
    order = sorted(problem.variables)
    timing = {} if seconds is None else {"qpu_access_time": 1e6 * seconds}
    down = np.full((reads, len(order)), -1, np.int8)
    return dimod.SampleSet.from_samples_bqm((down, order), problem, info={"timing": timing})


class SolverQueue:
    """A solver of D-Wave's service, see `neurobench.devices.jobs.Queue`."""

    def __init__(self, sampler: DWaveSampler):
        self.solver, self.problems = sampler.solver, Problems.from_config(sampler.client.config)

    def submit(self, content: Problem, tag: str) -> str:
        with _reached():
            sent = self.solver.sample_bqm(content.bqm, label=tag, **content.parameters)
            job = sent.wait_id()
            if job is None:
                sent.exception()
        return job

    def find(self, tag: str) -> str | None:
        with _reached():
            known = [problem.id for problem in self.problems.list_problems(label=tag) if problem.label == tag]
        return known[0] if known else None

    def collect(self, job: str) -> dimod.SampleSet | None:
        with _reached():
            try:
                problem = self.problems.get_problem(job)
            except ResourceNotFoundError:
                raise JobUnknown from None
        if problem.status == ProblemStatus.CANCELLED:
            raise JobGone("cancelled")
        if problem.status == ProblemStatus.FAILED:
            raise JobGone(cleaned(getattr(problem, "error_message", None) or "no reason given"))
        if problem.status != ProblemStatus.COMPLETED or problem.answer is None:
            return None
        # Decoded by the solver that is open: the client's `retrieve_answer` looks one up by the graph that the problem
        # was sent to, and finds none once the machine has another graph or is offline.
        done = Future(self.solver, job)
        done._set_message(problem.model_dump(mode="json"))
        answer = done.sampleset
        answer.resolve()
        return answer


@contextmanager
def _reached() -> Iterator[None]:
    """Context manager: transient faults become Unreachable, to be retried; refusals UserError, as they would recur."""
    try:
        yield
    except ResourceAuthenticationError:
        raise
    except requests.RequestException as error:
        text = cleaned(str(error))
        if _passes(error):
            raise Unreachable(text) from None
        raise UserError(f"D-Wave refused the request: {text}. It was not sent again.") from None


def _passes(error: requests.RequestException) -> bool:
    code = error.error_code if isinstance(error, RequestError) else None
    return isinstance(error, PASSING) or (code is not None and (code == TOO_MANY or code >= BROKEN))


def open_machine(solver: str, jobs: Jobs, limits: Limits) -> Machine:
    """Open a machine with the account of D-Wave's configuration; `solver`: "default", or a name."""
    sampler = DWaveSampler(**({} if solver == "default" else {"solver": solver}))
    hide(sampler.client.config.token)
    hide(sampler.client.config.proxy)
    return Machine(sampler, SolverQueue(sampler), jobs, limits)
