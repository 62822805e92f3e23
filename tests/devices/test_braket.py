"""Braket's LocalSimulator as a circuit device, against this package's state vectors, for random gates and angles."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("braket.devices", reason="needs the extra braket")

from braket.circuits import Circuit
from braket.devices import LocalSimulator
from scipy.stats import chi2

from neurobench.config.bounds import BoundsError
from neurobench.config.errors import UserError
from neurobench.devices.circuit.braket_circuits import counts_of, to_braket
from neurobench.devices.circuit.counting import bindings
from neurobench.devices.circuit.sim_statevector import StatevectorDevice
from neurobench.devices.spec import Demand
from neurobench.problems.circuit import Angles, Gate, Program, ProgramError
from tests.devices.test_circuit import random_angles, random_program
from tests.specs import spec

CPU = torch.device("cpu")
NOTHING = Angles(torch.zeros(1, 0), torch.zeros(0))


def device(**fields: Any) -> Any:
    return spec("backend/braket", "circuit", **fields).open(0, CPU)


def chi_square(counts: torch.Tensor, expected: torch.Tensor) -> float:
    """Probability (p-value) of counts at least as far from the expected ones, over states that are not too rare."""
    common = expected >= 5
    distance = ((counts - expected) ** 2 / expected)[common].sum()
    return float(chi2.sf(float(distance), int(common.sum()) - len(counts)))


@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize("name", ["braket_sv", "braket_dm"])
def test_converted_circuits_have_the_probabilities_of_the_statevector_device(name: str, n: int) -> None:
    simulator = LocalSimulator(name)
    for seed in range(4):
        program = random_program(n, 8 * n, seed)
        angles = random_angles(program, 1, seed)
        wires = Circuit().i(range(n))  # wires without a gate count too
        for instruction in to_braket(program).instructions:
            if instruction.operator.name != "Measure":
                wires.add_instruction(instruction)
        inputs = {f"slot{slot}": float(angle) for slot, angle in enumerate(bindings(angles)[0])}
        answer = simulator.run(wires.probability(range(n)), shots=0, inputs=inputs).result().values[0]
        ours = StatevectorDevice(CPU).probabilities(program, angles)
        assert np.abs(np.asarray(answer) - ours[0].numpy()).max() < 1e-6


@pytest.mark.parametrize("name", ["braket_sv", "braket_dm"])
def test_counts_agree_with_the_statevector_device(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """LocalSimulator takes no seed; here the generators that it creates are seeded."""
    seeds, make = iter(range(1000)), np.random.default_rng
    made, program = device(device=name, job=3), random_program(3, 18, seed=4)
    angles = random_angles(program, 7, seed=5)
    monkeypatch.setattr(np.random, "default_rng", lambda: make(next(seeds)))
    answer = made.counts(program, angles, 4000, seed=1)
    assert next(seeds) == 7  # a generator for each circuit, and no other
    assert answer.cost == {"circuits": 7, "shots": 28_000, "jobs": 3}
    assert answer.counts.sum(-1).tolist() == [4000] * 7
    assert chi_square(answer.counts, 4000 * made.ideal().probabilities(program, angles)) > 0.001
    values = made.ideal().expectation(program, angles).values
    assert (made.estimate(program, answer.counts) - values).abs().max() < 6 / math.sqrt(4000)
    assert chi_square(answer.counts.flip(0), 4000 * made.ideal().probabilities(program, angles)) < 1e-9


def test_the_same_seed_gives_different_counts_and_the_device_is_marked_irreproducible() -> None:
    made, program = device(), Program(1, 0, 0, (Gate("h", (0,)),), ((0,),))
    draws = {int(made.counts(program, NOTHING, 10_000, seed=1).counts[0, 0]) for _ in range(8)}
    assert len(draws) > 1
    assert made.irreproducible == "braket_sv takes no seed"


@pytest.mark.parametrize("n", [2, 9])
def test_wire_0_is_the_highest_bit_and_wires_without_a_gate_are_read(n: int) -> None:
    program = Program(n, 0, 0, (Gate("x", (0,)),), ((0,),))
    assert device().counts(program, NOTHING, 5, seed=0).counts[0].argmax() == 2 ** (n - 1)
    many = Angles(torch.zeros(4, 0), torch.zeros(0))
    assert device().counts(program, many, 5, seed=0).counts[:, 2 ** (n - 1)].tolist() == [5] * 4


def test_bits_are_ordered_by_the_qubits_that_the_answer_names_and_others_are_refused() -> None:
    bits = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 1]])
    assert counts_of(bits, [0, 1, 2]).tolist() == [0, 0, 0, 1, 2, 0, 0, 0]
    assert counts_of(bits, [2, 0, 1]).tolist() == [0, 2, 0, 0, 0, 0, 1, 0]
    for measurements, qubits in [(bits, [0, 1]), (bits, [1, 2, 3]), (2 * bits, [0, 1, 2]), (bits[0], [0, 1, 2])]:
        with pytest.raises(ValueError, match="were measured|are not . bits per shot"):
            counts_of(measurements, qubits)


def test_the_device_refuses_exact_expectations_and_too_many_qubits() -> None:
    made, program = device(), random_program(2, 6, seed=1)
    assert made.exact is False
    with pytest.raises(ProgramError, match="no exact expectations"):
        made.expectation(program, random_angles(program, 1, seed=0))
    asked = Demand(qubits=2, settings={"exact_for": "model.shots=null"})
    assert "model.shots=null needs exact" in str(spec("backend/braket", "circuit").refuse(asked))
    assert spec("backend/braket", "circuit").refuse(Demand(qubits=2)) is None
    assert "at most 13 qubits" in str(spec("backend/braket", "circuit", device="braket_dm").refuse(Demand(qubits=14)))


def test_counts_of_too_few_shots_are_refused_with_the_simulators_name(monkeypatch: pytest.MonkeyPatch) -> None:
    made, run = device(), LocalSimulator.run
    monkeypatch.setattr(LocalSimulator, "run", lambda self, circuits, shots: run(self, circuits, shots=shots // 2))
    with pytest.raises(UserError, match="braket_sv answered with counts that do not add up to the 10 shots"):
        made.counts(Program(1, 0, 0, (Gate("h", (0,)),), ((0,),)), NOTHING, 10, seed=0)


def test_an_answer_about_other_qubits_is_refused_with_the_simulators_name(monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = SimpleNamespace(measurements=np.zeros((10, 1), int), measured_qubits=[3])
    task = SimpleNamespace(result=lambda: SimpleNamespace(entries=[SimpleNamespace(entries=[elsewhere])]))
    monkeypatch.setattr(LocalSimulator, "run", lambda *_, **__: task)
    with pytest.raises(UserError, match=r"braket_sv returned an unreadable answer: qubits \[3\] were measured"):
        device().counts(Program(1, 0, 0, (Gate("h", (0,)),), ((0,),)), NOTHING, 10, seed=0)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"device": "sv1"},
            "is not a Braket device; there is braket_sv, braket_dm, and devices of an account by their",
        ),
        ({"max_shots": 5}, "max_shots limits what is paid for; device=braket_sv costs nothing"),
        ({"job": 0}, "job=0 is not in"),
    ],
)
def test_unknown_devices_and_invalid_max_shots_and_job_are_refused(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BoundsError, match=sentence):
        spec("backend/braket", "circuit", **fields)
