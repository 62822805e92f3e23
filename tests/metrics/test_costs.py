"""Promises of the device costs: every call is added up, what cannot be added is left out, identity stays."""

import pytest
import torch
from neurobench.devices.circuit.circuit import Statevector
from neurobench.devices.circuit.qpu import QPU
from neurobench.devices.mac.analog import LinearMac
from neurobench.devices.sampler.annealing_qpu import AnnealingQPU
from neurobench.devices.sampler.gibbs import BlockGibbs
from neurobench.models.qcnn.gradients import Way, run

from neurobench.metrics.costs import Costs
from neurobench.problems.circuit import Angles, Gate, Program
from neurobench.problems.rbm import RBM

MACHINE = RBM(torch.zeros(4, 3), torch.zeros(4), torch.zeros(3))


def test_reads_and_sweeps_of_every_call_add_up() -> None:
    device, costs = BlockGibbs(sweeps=7).open(0, torch.device("cpu")), Costs()
    costs.watch("sampler", device)
    device.sample_rbm(MACHINE, 5, 1)
    device.sample_rbm(MACHINE, num_reads=2, seed=1)
    assert costs.totals == {"sampler": {"calls": 2, "reads": 7, "sweeps": 49}}


def test_a_temperature_is_not_added_but_device_time_is() -> None:
    device, costs = AnnealingQPU().open(0, torch.device("cpu")), Costs()
    costs.watch("sampler", device)
    one = device.sample_rbm(MACHINE, 5, 1).info["device_seconds"]
    two = device.sample_rbm(MACHINE, 9, 1).info["device_seconds"]
    told = costs.totals["sampler"]
    assert told["device_seconds"] == one + two > one
    assert told["reads"] == 14
    assert "beta" not in told


def test_an_array_counts_vectors_and_is_still_its_own_host() -> None:
    device, costs = LinearMac().open(0, torch.device("cpu")), Costs()
    costs.watch("mac", device)
    device.matmul(torch.ones(6, 4), torch.ones(4, 2), 3, seed=0)
    device.matmul(torch.ones(4), torch.ones(4, 2), num_sends=2, seed=0)
    assert costs.totals["mac"]["vectors"] == 7
    assert costs.totals["mac"]["sends"] == 20
    assert device.host() is device


TURN = Program(1, 1, 0, (Gate("ry", (0,), 0),), ((0,),))


def turns(*rows: int) -> Angles:
    return Angles(torch.rand(*rows, 1), torch.zeros(0))


def test_simulated_circuits_and_shots_add_up_and_take_no_device_time() -> None:
    device, costs = Statevector().open(0, torch.device("cpu")), Costs()
    costs.watch("circuit", device)
    device.expectation(TURN, turns(3, 5))
    assert costs.totals["circuit"] == {"calls": 1, "circuits": 15}
    device.counts(TURN, turns(4), shots=100, seed=1)
    assert costs.totals["circuit"] == {"calls": 2, "circuits": 19, "shots": 400}


def test_seconds_of_an_emulated_processor_are_those_of_its_shots() -> None:
    """By hand: reset 250 us, RY as two pulses, read-out; two jobs, each of which waits half a second."""
    recipe = QPU(reset=250.0, queue=0.5, job=4)
    device, costs = recipe.open(0, torch.device("cpu")), Costs()
    costs.watch("circuit", device)
    device.expectation(TURN, turns(7))
    assert costs.totals["circuit"] == {"calls": 1, "circuits": 7}
    device.counts(TURN, turns(6), 10, 1)
    told, known = costs.totals["circuit"], recipe.values()
    shot = 250e-6 + (2 * known.time_1q + known.time_readout) * 1e-9
    assert (told["circuits"], told["shots"]) == (13, 60)
    assert told["device_seconds"] == pytest.approx(60 * shot + 2 * 0.5, rel=1e-12)


def test_circuits_of_a_parameter_shift_are_counted_as_the_plan_says() -> None:
    """The backward pass asks the device too: one circuit a sample, and two for each of its angles."""
    device, costs = Statevector().open(0, torch.device("cpu")), Costs()
    costs.watch("circuit", device)
    way = Way(device, TURN, 50, "param_shift")
    angles = Angles(torch.rand(8, 1, requires_grad=True), torch.zeros(0))
    run(way, angles, 3).sum().backward()
    assert costs.totals["circuit"]["circuits"] == 8 * way.circuits() == 24
    assert costs.totals["circuit"]["shots"] == 24 * 50
