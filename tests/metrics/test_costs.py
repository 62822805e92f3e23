"""Promises of the device costs: every call is added up, what cannot be added is left out, identity stays."""

import torch

from neurobench.devices.mac.analog import LinearMac
from neurobench.devices.sampler.annealing_qpu import AnnealingQPU
from neurobench.devices.sampler.gibbs import BlockGibbs
from neurobench.metrics.costs import Costs
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
