"""Qiskit's simulators and snapshots as devices, against this package's state vectors and Aer's own noise models."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

for package in ("qiskit", "qiskit_aer", "qiskit_ibm_runtime"):
    pytest.importorskip(package, reason="needs the extra qiskit")

from qiskit import QuantumCircuit
from qiskit.providers.exceptions import QiskitBackendNotFoundError
from qiskit_aer import AerSimulator
from qiskit_ibm_runtime.api.exceptions import RequestsApiError
from qiskit_ibm_runtime.exceptions import IBMAccountError, RuntimeJobNotFound

from neurobench.config.bounds import BoundsError
from neurobench.config.errors import UserError
from neurobench.devices.circuit import ibm_queue
from neurobench.devices.circuit.counting import bindings, require_counts
from neurobench.devices.circuit.qiskit_circuits import on_chip
from neurobench.devices.circuit.qiskit_device import snapshot
from neurobench.devices.circuit.qiskit_snapshot import restricted, simulator_of, used_qubits
from neurobench.devices.circuit.queued import QueuedSampling
from neurobench.devices.jobs import JobGone, Jobs, JobUnknown, Limits, Unreachable
from neurobench.devices.spec import Demand
from neurobench.problems.circuit import Angles, Gate, Program, ProgramError
from neurobench.storage.journal import Journal
from tests.devices.test_circuit import random_angles, random_program
from tests.specs import spec

CPU = torch.device("cpu")
NOTHING = Angles(torch.zeros(1, 0), torch.zeros(0))


def device(**fields: Any) -> Any:
    return spec("backend/qiskit", "circuit", **fields).open(0, CPU)


@pytest.mark.parametrize("name", ["statevector", "aer"])
def test_counts_agree_with_the_statevector_device_and_are_repeated_for_a_seed(name: str) -> None:
    made, program = device(device=name, job=3), random_program(3, 18, seed=4)
    angles = random_angles(program, 7, seed=5)
    answer = made.counts(program, angles, 4000, seed=1)
    assert answer.cost == {"circuits": 7, "shots": 28_000, "jobs": 3}
    expected = 4000 * made.ideal().probabilities(program, angles)
    chi = ((answer.counts - expected) ** 2 / expected.clamp(min=1)).sum(-1)
    assert chi.max() < 40  # of 7 degrees of freedom
    values = made.ideal().expectation(program, angles).values
    assert (made.estimate(program, answer.counts) - values).abs().max() < 6 / math.sqrt(4000)
    assert torch.equal(made.counts(program, angles, 4000, seed=1).counts, answer.counts)
    assert not torch.equal(made.counts(program, angles, 4000, seed=2).counts, answer.counts)


@pytest.mark.parametrize("n", [2, 9])
def test_wire_0_is_the_highest_bit(n: int) -> None:
    program = Program(n, 0, 0, (Gate("x", (0,)),), ((0,),))
    counts = device().counts(program, NOTHING, 5, seed=0).counts
    assert counts[0, 2 ** (n - 1)] == 5


def test_leading_axes_and_shared_angles_broadcast() -> None:
    angles = Angles(torch.arange(6.0).reshape(3, 1, 2), torch.arange(4.0).reshape(1, 4, 1))
    rows = bindings(angles)
    assert rows.shape == (12, 3)
    assert rows[5].tolist() == [2.0, 3.0, 1.0]


def test_the_device_refuses_exact_expectations() -> None:
    made, program = device(), random_program(2, 6, seed=1)
    assert made.exact is False
    with pytest.raises(ProgramError, match="no exact expectations"):
        made.expectation(program, random_angles(program, 1, seed=0))
    for wanted in ("model.shots=null", "model.gradient=straight_through"):
        asked = Demand(qubits=2, settings={"exact_for": wanted})
        assert wanted in str(spec("backend/qiskit", "circuit").refuse(asked))
    assert spec("backend/qiskit", "circuit").refuse(Demand(qubits=2, settings={"exact_for": None})) is None


def test_simulating_only_the_used_qubits_gives_the_noise_of_the_whole_chip() -> None:
    backend, wanted = snapshot("FakeManilaV2"), spec("backend/qiskit", "circuit", device="FakeManilaV2", layout=[3, 2])
    program = random_program(2, 12, seed=3)
    whole = on_chip(program, backend, wanted)
    values = random_angles(program, 1, seed=2)
    whole = whole.assign_parameters(bindings(values)[0].tolist())
    qubits = used_qubits(whole)
    assert qubits == [2, 3]

    def probabilities(simulator: Any, circuit: QuantumCircuit, places: list[int]) -> np.ndarray:
        circuit = circuit.remove_final_measurements(inplace=False)
        circuit.save_probabilities(places)
        return simulator.run(circuit, shots=1, method="density_matrix").result().data()["probabilities"]

    mine = probabilities(simulator_of(backend.target, qubits), restricted(whole, qubits), [0, 1])
    theirs = probabilities(AerSimulator.from_backend(backend), whole, qubits)
    assert np.abs(mine - theirs).max() < 1e-12
    assert np.abs(mine - probabilities(AerSimulator(), restricted(whole, qubits), [0, 1])).max() > 1e-3
    counts = wanted.open(0, CPU).counts(program, values, 20_000, seed=1)
    assert counts.cost["device_seconds"] == pytest.approx(20_000 * 250e-6, rel=0.1)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ([[5, 5]], "with a list that is not an array of numbers"),
        (np.zeros((2, 3)), r"with counts of shape \(2, 3\), where \(2, 2\) was requested"),
        (np.array([[10, np.nan], [0, 10]]), "not whole numbers"),
        (np.array([[11, -1], [0, 10]]), "not whole numbers"),
        (np.array([[4.5, 5.5], [0, 10]]), "not whole numbers"),
        (np.array([[9, 0], [0, 10]]), "do not add up to the 10 shots"),
    ],
)
def test_invalid_counts_are_refused_with_the_devices_name(answer: Any, sentence: str) -> None:
    with pytest.raises(UserError, match=f"ibm_nowhere answered .*{sentence}"):
        require_counts("ibm_nowhere", answer, 2, 1, 10)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"device": "marrakesh"}, "is not a Qiskit device; there is statevector, aer, FakeMarrakesh"),
        ({"layout": [1, 2]}, "device=statevector has no map of qubits"),
        ({"device": "FakeFez", "layout": [1, 1]}, "names a qubit twice"),
        ({"max_shots": 5}, "device=statevector costs nothing"),
        ({"job": 0}, "job=0 is not in"),
    ],
)
def test_unknown_devices_and_invalid_layouts_max_shots_and_job_are_refused(
    fields: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BoundsError, match=sentence):
        spec("backend/qiskit", "circuit", **fields)


def test_the_refusal_of_an_unknown_snapshot_suggests_the_nearest_name() -> None:
    with pytest.raises(UserError, match="no such snapshot. Did you mean FakeMarrakesh"):
        device(device="FakeMarakesh")


class Service:
    """Stand-in for QiskitRuntimeService: its jobs run locally and at once."""

    def __init__(self) -> None:
        self.sent: dict[str, Any] = {}
        self.status = "DONE"

    def jobs(self, job_tags: list[str], limit: int, descending: bool) -> list[Any]:
        return [job for job in self.sent.values() if job_tags[0] in job.tags][:limit]

    def job(self, name: str) -> Any:
        if name not in self.sent:
            raise RuntimeJobNotFound(name)
        return self.sent[name]


def test_a_job_at_ibm_is_found_by_its_tag_and_its_status_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service is a stand-in; the sampler is qiskit-ibm-runtime's own, in its local mode."""
    service, wanted = Service(), spec("backend/qiskit", "circuit", device="ibm_manila")
    queue = ibm_queue.IBMQueue(service, snapshot("FakeManilaV2"), wanted)
    run = ibm_queue.Sampler.run

    def running(sampler: Any, pubs: Any) -> Any:
        inner = run(sampler, pubs)
        name, tags = inner.job_id(), list(sampler.options.environment.job_tags)
        job = SimpleNamespace(
            job_id=lambda: name,
            tags=tags,
            status=lambda: service.status,
            result=inner.result,
            error_message=lambda: "broken",
        )
        service.sent[name] = job
        return job

    monkeypatch.setattr(ibm_queue.Sampler, "run", running)
    program = random_program(2, 8, seed=1)
    sampling = QueuedSampling(
        "ibm_manila", queue, Jobs(Journal(None)), Limits(None, None), lambda p: queue.prepared(p)[1]
    )
    (counts,) = sampling.run(program, [bindings(random_angles(program, 3, seed=0))], 100, seed=0)
    assert counts.sum(1).tolist() == [100] * 3
    ((name, job),) = service.sent.items()
    assert queue.find(job.tags[0]) == name
    assert queue.find("another") is None
    service.status = "QUEUED"
    assert queue.collect(name) is None
    service.status = "ERROR"
    with pytest.raises(JobGone, match="error: broken"):
        queue.collect(name)
    with pytest.raises(JobUnknown):
        queue.collect("unknown")


def test_find_and_collect_raise_unreachable_if_the_service_is_unavailable() -> None:
    def refuse(*words: Any, **named: Any) -> None:
        raise RequestsApiError("503 Service Unavailable", status_code=503)

    service = SimpleNamespace(jobs=refuse, job=refuse)
    queue = ibm_queue.IBMQueue(service, None, spec("backend/qiskit", "circuit", device="ibm_manila"))
    for ask in (queue.find, queue.collect):
        with pytest.raises(Unreachable, match="503"):
            ask("anything")


@pytest.mark.parametrize("fault", [IBMAccountError("no account"), QiskitBackendNotFoundError("no backend matches")])
def test_the_error_without_an_account_or_a_chip_says_how_to_save_an_account(
    fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> None:
        raise fault

    monkeypatch.setattr(ibm_queue, "QiskitRuntimeService", none)
    with pytest.raises(UserError, match="ibm_fez cannot be opened: .*no (account|backend matches).*save_account"):
        device(device="ibm_fez")
