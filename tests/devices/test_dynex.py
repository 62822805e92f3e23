"""Tests of the emulated Dynex device: it stops at the energy of the real one, and returns only its best read."""

from typing import Any

import dimod
import pytest
import torch

from neurobench.config.bounds import BoundsError
from neurobench.devices.sampler.mock_dynex import quantized
from neurobench.problems.bqm import Units, to_bqm, units_of_rbm
from neurobench.problems.rbm import RBM, energy
from tests.specs import spec

CPU = torch.device("cpu")


def dynex(**changes: Any) -> Any:
    return spec("backend/mock", "sampler", **changes)


def machine(visible: int, hidden: int, seed: int = 1, scale: float = 1.0) -> RBM:
    draw = torch.Generator().manual_seed(seed)
    return RBM(*(scale * torch.randn(*size, generator=draw) for size in [(visible, hidden), (visible,), (hidden,)]))


@pytest.mark.parametrize("seed", range(3))
def test_the_best_read_on_untrained_weights_has_about_46_percent_of_the_optimal_energy(seed: int) -> None:
    """The tutorial prints an energy of -3.0914; simulated annealing reaches -6.3 to -6.7."""
    W = 0.001 * torch.randn(784, 300, generator=torch.Generator().manual_seed(seed))
    rbm = RBM(W, torch.zeros(784), torch.zeros(300))
    cold = (
        spec("backend/sim_annealer", "sampler", sweeps=200, beta_start=30.0, beta_end=3000.0)
        .open(0, CPU)
        .sample_rbm(rbm, 30, seed)
    )
    best = float(energy(rbm, cold.v, cold.h).min())
    reads = dynex().open(0, CPU).sample_rbm(rbm, 100, seed)
    assert -6.9 < best < -6.1
    assert 0.38 < float(energy(rbm, reads.v, reads.h).min()) / best < 0.54


def test_a_job_returns_only_the_best_of_its_reads() -> None:
    rbm, device = machine(60, 40, scale=0.1), dynex().open(0, CPU)
    many, few = device.sample_rbm(rbm, 200, seed=1), device.sample_rbm(rbm, 2, seed=1)
    assert len(torch.cat([many.v, many.h], 1).unique(dim=0)) == 1
    assert energy(rbm, many.v, many.h)[0] < energy(rbm, few.v, few.h)[0]
    assert many.cost["jobs"] == 1
    found = device.sample(to_bqm(rbm), num_reads=200, seed=1)
    assert len(found) == 1
    assert found.first.energy == pytest.approx(float(energy(rbm, many.v, many.h)[0]), rel=1e-5)


def test_clones_are_further_reads() -> None:
    rbm = machine(60, 40, scale=0.1)
    one, eight = (dynex(clones=n).open(0, CPU).sample_rbm(rbm, 10, seed=1) for n in (1, 8))
    assert energy(rbm, eight.v, eight.h)[0] <= energy(rbm, one.v, one.h)[0]
    assert eight.cost["reads"] == 80


def test_each_initial_state_is_a_separate_job_that_starts_from_it() -> None:
    rbm = machine(60, 40, scale=0.3)
    h = (torch.rand(30, 40, generator=torch.Generator().manual_seed(2)) < 0.5).float()
    reads = dynex(annealing_time=1, minimum_stepsize=0.001).open(0, CPU).sample_rbm(rbm, 30, seed=1, initial_hidden=h)
    assert reads.cost["jobs"] == 30
    assert float((reads.h != h).float().mean()) < 0.01, "hardly a unit has moved"
    assert len(reads.v.unique(dim=0)) == 30
    expected = torch.sigmoid(rbm.a + h @ rbm.W.t()).mean()
    assert float(reads.v.mean()) == pytest.approx(float(expected), abs=0.03)


def test_each_clone_reads_again_from_every_initial_state_and_the_best_read_counts() -> None:
    rbm = machine(60, 40, scale=0.3)
    h = (torch.rand(30, 40, generator=torch.Generator().manual_seed(2)) < 0.5).float()
    one, four = (dynex(clones=n).open(0, CPU).sample_rbm(rbm, 30, seed=1, initial_hidden=h) for n in (1, 4))
    lowered = energy(rbm, one.v, one.h) - energy(rbm, four.v, four.h)
    assert lowered.min() >= -1e-3
    assert lowered.mean() > 1
    assert {key: four.cost[key] / one.cost[key] for key in one.cost} == {"reads": 4, "jobs": 1, "sweeps": 4}


def test_a_read_that_is_not_cut_short_ends_in_a_local_minimum() -> None:
    rbm = machine(30, 20)
    reads = dynex(annealing_time=200, minimum_stepsize=0.5).open(0, CPU).sample_rbm(rbm, 1, seed=1)
    x, problem = torch.cat([reads.v, reads.h], 1), units_of_rbm(rbm)
    assert torch.equal(x, (problem.bias + x @ problem.coupling > 0).float())


def test_longer_annealing_reaches_lower_energies() -> None:
    rbm = machine(100, 60, scale=0.1)
    lowest = [
        float(energy(rbm, *dynex(annealing_time=n).open(0, CPU).sample_rbm(rbm, 20, seed=1)[:2])[0])
        for n in (2, 10, 50)
    ]
    assert lowest == sorted(lowest, reverse=True)


def test_coefficients_are_rounded_and_scaled_down_to_the_largest_allowed() -> None:
    problem = Units(torch.tensor([[0.0, 0.123456789], [0.123456789, 0.0]]), torch.tensor([1.26, -0.04]))
    coarse = quantized(dynex(precision=0.1), problem)
    torch.testing.assert_close(coarse.coupling[0, 1], torch.tensor(0.1))
    torch.testing.assert_close(coarse.bias, torch.tensor([1.3, 0.0]))
    assert abs(float(quantized(dynex(), problem).coupling[0, 1]) - 0.1234568) < 1e-8
    big = quantized(dynex(precision=0.0), Units(problem.coupling, torch.tensor([18.0, -36.0])))
    torch.testing.assert_close(big.bias, torch.tensor([4.5, -9.0]))
    torch.testing.assert_close(big.coupling, problem.coupling / 4)


def test_weights_below_the_precision_are_lost() -> None:
    rbm = machine(20, 10, scale=1e-9)
    sober, lost = (
        dynex(precision=p, annealing_time=100, minimum_stepsize=1.0).open(0, CPU).sample_rbm(rbm, 1, seed=1)
        for p in (0.0, 1e-7)
    )
    assert sober.v.any()
    assert not lost.v.any()


def test_a_problem_of_1900_units_is_accepted() -> None:
    reads = dynex().open(0, CPU).sample_rbm(machine(1500, 400, scale=0.01), 2, seed=1)
    assert reads.v.shape == (2, 1500)


def test_a_call_may_set_the_devices_parameters() -> None:
    bqm, device = to_bqm(machine(60, 40, scale=0.1)), dynex().open(0, CPU)
    short = device.sample(bqm, num_reads=5, seed=1, annealing_time=1)
    long = device.sample(bqm, num_reads=5, seed=1, annealing_time=100, minimum_stepsize=0.5, clones=2)
    assert long.first.energy < short.first.energy
    with pytest.raises(BoundsError, match="clones=129 is not in"):
        device.sample(bqm, clones=129)
    with pytest.warns(dimod.exceptions.SamplerUnknownArgWarning):
        device.sample(bqm, depth=3)


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ({"annealing_time": 0}, "annealing_time=0 is not in [1, 10000]"),
        ({"annealing_time": 10_001}, "annealing_time=10001 is not in [1, 10000]"),
        ({"minimum_stepsize": 0.0}, "minimum_stepsize=0.0 is not in (0, 1]"),
        ({"clones": 0}, "clones=0 is not in [1, 128]"),
        ({"clones": 129}, "clones=129 is not in [1, 128]"),
        ({"precision": -1e-7}, "precision=-1e-07 is not in [0, 1]"),
        ({"largest": 0}, "largest=0 is not above 0"),
    ],
)
def test_an_invalid_value_is_refused_with_a_specific_message(bad: dict, sentence: str) -> None:
    with pytest.raises(BoundsError) as refusal:
        dynex(**bad)
    assert sentence in str(refusal.value)
