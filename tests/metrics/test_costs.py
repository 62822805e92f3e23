"""Device costs: every answer is billed to its phase, and a device's internal calls are not billed twice."""

from typing import Any

import pytest
import torch

from neurobench.config.errors import UserError
from neurobench.devices.answers import checked
from neurobench.metrics.costs import Billed, Ledger
from neurobench.models.qcnn.circuits import CircuitRunner
from neurobench.problems.circuit import Angles, Gate, Program
from neurobench.problems.rbm import RBM
from tests.draws import uniform
from tests.specs import spec

CPU = torch.device("cpu")
MACHINE = RBM(torch.zeros(4, 3), torch.zeros(4), torch.zeros(3))
TURN = Program(1, 1, 0, (Gate("ry", (0,), 0),), ((0,),))


def billed(file: str, key: str, **changes: Any) -> tuple[Any, Ledger]:
    ledger = Ledger()
    return Billed(key, spec(file, key, **changes).open(0, CPU), ledger), ledger


def turns(*rows: int) -> Angles:
    return Angles(uniform(*rows, 1), torch.zeros(0))


def test_reads_and_sweeps_of_every_call_add_up() -> None:
    device, ledger = billed("backend/sim", "sampler", sweeps=7)
    device.sample_rbm(MACHINE, 5, 1)
    device.sample_rbm(MACHINE, num_reads=2, seed=1)
    assert ledger.of_run() == {"sampler": {"calls": 2, "reads": 7, "sweeps": 49}}


def test_calls_for_figures_and_the_tutorial_are_not_billed_to_the_run() -> None:
    device, ledger = billed("backend/sim", "sampler", sweeps=7)
    device.sample_rbm(MACHINE, 5, 1)
    with ledger.phase("test"):
        device.sample_rbm(MACHINE, 3, 1)
        with ledger.phase("figures"):
            device.sample_rbm(MACHINE, 100, 1)
        device.sample_rbm(MACHINE, 1, 1)
    with ledger.phase("tutorial"):
        device.sample_rbm(MACHINE, 1000, 1)
    assert ledger.of_run()["sampler"]["reads"] == 5 + 3 + 1
    assert {phase: totals["sampler"]["reads"] for phase, totals in ledger.phases.items()} == {
        "training": 5,
        "test": 4,
        "figures": 100,
        "tutorial": 1000,
    }


def test_a_killed_runs_ledger_resumes_from_its_checkpoint() -> None:
    device, ledger = billed("backend/sim", "sampler")
    device.sample_rbm(MACHINE, 5, 1)
    again = Ledger(ledger.phases)
    again.add("sampler", {"calls": 1, "reads": 2})
    assert again.of_run()["sampler"]["reads"] == 7


def test_answers_to_requests_by_keyword_are_checked_and_billed_too() -> None:
    def asked(file: str, key: str) -> tuple[Any, Ledger]:
        ledger = Ledger()
        return Billed(key, spec(file, key).open(0, CPU), ledger, checked), ledger

    device, ledger = asked("backend/sim", "sampler")
    assert device.sample_rbm(MACHINE, num_reads=2, seed=1).v.shape == (2, 4)
    assert ledger.of_run()["sampler"]["reads"] == 2
    device, ledger = asked("backend/sim", "circuit")
    assert device.expectation(program=TURN, angles=turns(4)).values.shape == (4, 1)
    assert device.counts(TURN, turns(4), shots=10, seed=1).counts.sum() == 40
    assert ledger.of_run()["circuit"]["shots"] == 40
    device, ledger = asked("backend/sim", "mac")
    assert device.matmul(x=torch.ones(6, 4), w=torch.ones(4, 2), num_sends=3, seed=0).y.shape == (6, 2)
    assert ledger.of_run()["mac"]["sends"] == 18


def test_answers_of_a_device_with_arguments_by_keyword_only_are_checked() -> None:
    """The check of its answer once failed with a TypeError, since it was not given the shots."""

    class OnlyByName:
        def counts(self, program: Any, angles: Any, *, shots: int, seed: int) -> Any:
            return sim.counts(program, angles, shots + seed, 0)

    sim = spec("backend/sim", "circuit").open(0, CPU)
    device = Billed("circuit", OnlyByName(), Ledger(), checked)
    assert device.counts(TURN, turns(4), shots=10, seed=0).counts.sum() == 40
    with pytest.raises(UserError, match="counts that"):
        device.counts(TURN, turns(4), seed=1, shots=10)


def test_a_device_that_lacks_a_part_is_reported_by_the_name_of_that_part_which_may_be_optional() -> None:
    class OnlyExact:
        @property
        def broken(self) -> int:
            return {}.absent  # type: ignore[attr-defined,no-any-return]

    device = Billed("circuit", OnlyExact(), Ledger(), checked)
    with pytest.raises(AttributeError, match=r"backend.circuit is a OnlyExact without 'seconds', .*protocol.py"):
        device.seconds(TURN, 1, 1)
    assert getattr(device, "exact", True)
    with pytest.raises(AttributeError, match="'dict' object has no attribute 'absent'"):
        device.broken  # noqa: B018


def test_device_seconds_add_up_and_a_temperature_is_not_billed() -> None:
    device, ledger = billed("backend/mock_qpu", "sampler")
    one = device.sample_rbm(MACHINE, 5, 1).cost["device_seconds"]
    two = device.sample_rbm(MACHINE, 9, 1).cost["device_seconds"]
    total = ledger.of_run()["sampler"]
    assert total["device_seconds"] == one + two > one
    assert total["reads"] == 14
    assert "beta" not in total


def test_a_billed_array_counts_vectors_and_sends_and_is_its_own_host() -> None:
    device, ledger = billed("backend/sim", "mac")
    device.matmul(torch.ones(6, 4), torch.ones(4, 2), 3, seed=0)
    device.matmul(torch.ones(4), torch.ones(4, 2), num_sends=2, seed=0)
    assert ledger.of_run()["mac"]["vectors"] == 7
    assert ledger.of_run()["mac"]["sends"] == 20
    assert device.host() is device


def test_simulated_circuits_and_shots_add_up_and_take_no_device_time() -> None:
    device, ledger = billed("backend/sim", "circuit")
    device.expectation(TURN, turns(3, 5))
    assert ledger.of_run()["circuit"] == {"calls": 1, "circuits": 15}
    device.counts(TURN, turns(4), shots=100, seed=1)
    assert ledger.of_run()["circuit"] == {"calls": 2, "circuits": 19, "shots": 400}


def test_seconds_of_an_emulated_processor_are_those_of_its_shots() -> None:
    """Computed by hand: reset 250 us, RY as two pulses, read-out; two jobs, each of which waits half a second."""
    changes = {"reset": 250.0, "queue": 0.5, "job": 4}
    device, ledger = billed("backend/mock", "circuit", **changes)
    device.expectation(TURN, turns(7))
    assert ledger.of_run()["circuit"] == {"calls": 1, "circuits": 7}
    device.counts(TURN, turns(6), 10, 1)
    total, known = ledger.of_run()["circuit"], spec("backend/mock", "circuit", **changes).properties()
    shot = 250e-6 + (2 * known.time_1q + known.time_readout) * 1e-9
    assert (total["circuits"], total["shots"]) == (13, 60)
    assert total["device_seconds"] == pytest.approx(60 * shot + 2 * 0.5, rel=1e-12)


def test_circuits_of_a_parameter_shift_are_counted_as_planned() -> None:
    """The backward pass uses the device too: one circuit per sample, and two for each of its angles."""
    device, ledger = billed("backend/sim", "circuit")
    runner = CircuitRunner(device, TURN, 50, "param_shift")
    angles = Angles(uniform(8, 1, requires_grad=True), torch.zeros(0))
    runner.run(angles, 3).sum().backward()
    assert ledger.of_run()["circuit"]["circuits"] == 8 * runner.circuits_per_sample == 24
    assert ledger.of_run()["circuit"]["shots"] == 24 * 50
