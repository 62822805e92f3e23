"""A D-Wave machine as a sampler whose problems are jobs: each is sent once, and its answer fetched then or later.

Problems bear their tag as D-Wave's label, by which its service finds them.
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
from dwave.cloud.api.exceptions import ResourceAuthenticationError, ResourceNotFoundError
from dwave.cloud.api.resources import Problems
from dwave.cloud.exceptions import CanceledFutureError, SolverFailureError
from dwave.system import DWaveSampler

from neurobench.config.errors import UserError
from neurobench.config.secrets import hide
from neurobench.devices.jobs import JobGone, Jobs, Limits, Queue, Request, Unreachable
from neurobench.devices.sampler.sampleset import checked_states

UNDER_WAY = (ProblemStatus.PENDING, ProblemStatus.IN_PROGRESS)


class Problem(NamedTuple):
    """What the queue takes; it answers with a dimod.SampleSet."""

    bqm: dimod.BinaryQuadraticModel  # in spins, on the machine's qubits, without a constant
    parameters: Mapping[str, Any]  # of DWaveSampler.sample


class Machine(dimod.Sampler, dimod.Structured):
    """DWaveSampler by way of the run's jobs. Raises UserError where `max_seconds` is set and the machine does not say
    how long it takes."""

    def __init__(self, name: str, sampler: Any, queue: Queue, jobs: Jobs, limits: Limits):
        self.name, self.sampler, self.queue, self.jobs, self.limits = name, sampler, queue, jobs, limits
        if limits.max_seconds is not None and "problem_timing_data" not in sampler.properties:
            raise UserError(
                f"backend.sampler.max_seconds={limits.max_seconds:g} cannot be held: {name} does not publish what a "
                "problem takes. Set backend.sampler.max_shots."
            )

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
        """A row for each read. A machine takes no seed; `draw` tells what is to be drawn anew from what was drawn
        before."""
        problem = bqm.change_vartype("SPIN", inplace=False)
        problem.offset = 0.0  # an answer that is fetched later is told without it
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

    def _seconds(self, qubits: int, parameters: Mapping[str, Any]) -> float | None:
        """Access time by D-Wave's own model of the machine; None where it publishes no figures."""
        if "problem_timing_data" not in self.properties:
            return None
        timed = {name: parameters[name] for name in ("num_reads", "annealing_time") if name in parameters}
        return 1e-6 * float(self.sampler.solver.estimate_qpu_access_time(qubits, **timed))


def record(problem: dimod.BinaryQuadraticModel, name: str, answer: Any) -> np.ndarray:
    """An answer as it is stored: "states" (reads, qubits in order) in {0, 1}, and "seconds", NaN where it tells none.
    Raises UserError with the machine's name for what is no answer to the problem."""
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
        self.client, self.solver = sampler.client, sampler.solver
        self.problems = Problems.from_config(self.client.config)

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
                if self.problems.get_problem(job).status in UNDER_WAY:
                    return None
                answer = self.client.retrieve_answer(job).sampleset
                answer.resolve()
            except CanceledFutureError:
                raise JobGone("cancelled") from None
            except (SolverFailureError, ResourceNotFoundError) as error:
                raise JobGone(str(error)) from None
        return answer


@contextmanager
def _reached() -> Iterator[None]:
    """What the network or the service does not let through may be tried again; a wrong token may not."""
    try:
        yield
    except ResourceAuthenticationError:
        raise
    except requests.RequestException as error:
        raise Unreachable(str(error)) from None


def open_machine(name: str, solver: str, jobs: Jobs, limits: Limits) -> Machine:
    """By the account of D-Wave's own configuration; `solver`: "default", or a name."""
    sampler = DWaveSampler(**({} if solver == "default" else {"solver": solver}))
    hide(sampler.client.config.token)
    return Machine(name, sampler, SolverQueue(sampler), jobs, limits)
