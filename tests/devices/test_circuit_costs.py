"""Tests of the costs of circuits that are charged to a run."""

from typing import Any

import pytest
import torch

from neurobench.metrics.costs import Billed, Ledger
from neurobench.models.qcnn.circuits import CircuitRunner
from neurobench.problems.circuit import Angles, Gate, Program
from tests.draws import uniform
from tests.specs import spec

CPU = torch.device("cpu")
TURN = Program(1, 1, 0, (Gate("ry", (0,), 0),), ((0,),))


def turns(*rows: int) -> Angles:
    return Angles(uniform(*rows, 1), torch.zeros(0))


def test_simulated_circuits_and_shots_add_up_and_take_no_device_time() -> None:
    ledger = Ledger()
    device: Any = Billed("circuit", spec("backend/sim", "circuit").open(0, CPU), ledger)
    device.expectation(TURN, turns(3, 5))
    assert ledger.of_run()["circuit"] == {"calls": 1, "circuits": 15}
    device.counts(TURN, turns(4), shots=100, seed=1)
    assert ledger.of_run()["circuit"] == {"calls": 2, "circuits": 19, "shots": 400}


def test_device_seconds_of_an_emulated_processor_match_a_hand_computation() -> None:
    """Reset 250 us, RY as two pulses, read-out; two jobs, each of which queues for half a second."""
    processor, ledger = spec("backend/mock", "circuit", reset=250.0, queue=0.5, job=4), Ledger()
    device: Any = Billed("circuit", processor.open(0, CPU), ledger)
    device.expectation(TURN, turns(7))
    assert ledger.of_run()["circuit"] == {"calls": 1, "circuits": 7}
    device.counts(TURN, turns(6), 10, 1)
    cost, qubit = ledger.of_run()["circuit"], processor.properties()
    shot = 250e-6 + (2 * qubit.time_1q + qubit.time_readout) * 1e-9
    assert (cost["circuits"], cost["shots"], cost["jobs"]) == (13, 60, 2)
    assert cost["device_seconds"] == pytest.approx(60 * shot + 2 * 0.5, rel=1e-12)


@pytest.mark.parametrize(
    ("gradient", "circuits", "shots"),
    [("param_shift", 24, 24 * 50), ("spsa", 24, 24 * 50), ("straight_through", 16, 8 * 50)],
)
def test_a_gradient_costs_as_many_circuits_and_shots_as_the_runner_announces(
    gradient: Any, circuits: int, shots: int
) -> None:
    """The backward pass uses the device too: one circuit per sample, and two for each of its angles, or for each random
    direction; straight_through runs the circuit again, exactly."""
    ledger = Ledger()
    device: Any = Billed("circuit", spec("backend/sim", "circuit").open(0, CPU), ledger)
    runner = CircuitRunner(device, TURN, 50, gradient)
    angles = Angles(uniform(8, 1, requires_grad=True), torch.zeros(0))
    torch.autograd.backward(runner.run(angles, 3).sum())
    cost = ledger.of_run()["circuit"]
    assert cost["circuits"] == 8 * runner.circuits_per_sample == circuits
    assert cost["shots"] == 8 * runner.measured_per_sample * 50 == shots
