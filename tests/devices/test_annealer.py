"""Annealing walks, against all states of small models; the annealer, against an exhaustive search."""

from itertools import product
from typing import Any

import dimod
import numba
import numpy as np
import pytest
import torch

from neurobench.config.bounds import BoundsError
from neurobench.kernels.rbm.layers import anneal_layers, anneal_layers_torch, anneal_units, coins
from neurobench.problems.bqm import Units, energies, to_bqm, units_of_bqm, units_of_rbm
from neurobench.problems.rbm import RBM, energy
from tests.specs import spec

CPU = torch.device("cpu")


def annealer(**changes: Any) -> Any:
    return spec("backend/sim_annealer", "sampler", **changes).open(0, CPU)


def machine(visible: int, hidden: int, seed: int = 1, scale: float = 1.0) -> RBM:
    draw = torch.Generator().manual_seed(seed)
    return RBM(*(scale * torch.randn(*size, generator=draw) for size in [(visible, hidden), (visible,), (hidden,)]))


def surprise(problem: Units, x: torch.Tensor, beta: float) -> float:
    """Chi-square of the states in x against exp(-beta E) / Z over every state: standard deviations above its mean."""
    states = torch.tensor(list(product((0.0, 1.0), repeat=x.shape[1])))
    expected = len(x) * torch.softmax(-beta * energies(problem, states).double(), 0)
    place = (x @ 2 ** torch.arange(x.shape[1] - 1, -1, -1).float()).long()
    found = torch.bincount(place, minlength=len(states))
    freedom = len(states) - 1
    return float(((found - expected) ** 2 / expected).sum() - freedom) / (2 * freedom) ** 0.5


@pytest.mark.parametrize("beta", [1.0, 0.4])
def test_a_walk_by_layers_at_one_temperature_draws_from_boltzmann(beta: float) -> None:
    rbm, n = machine(4, 3), 60_000
    v, h = anneal_layers(rbm, [beta] * 40, 5, coins(1, (n, 4)), coins(2, (n, 3)))
    assert surprise(units_of_rbm(rbm), torch.cat([v, h], 1), beta) < 5


def test_each_read_can_have_its_own_biases() -> None:
    rbm, n = machine(3, 2), 40_000
    other = machine(3, 2, seed=9)
    a = torch.stack([rbm.a, other.a]).repeat(n, 1)
    b = torch.stack([rbm.b, other.b]).repeat(n, 1)
    start = coins(1, (2 * n, 3)), coins(2, (2 * n, 2))
    x = torch.cat(anneal_layers(RBM(rbm.W, a, b), [1.0] * 40, 5, *start), 1)
    assert surprise(units_of_rbm(rbm), x[0::2], 1.0) < 5
    assert surprise(units_of_rbm(RBM(rbm.W, other.a, other.b)), x[1::2], 1.0) < 5


@pytest.mark.parametrize("share", [1.0, 0.3])
def test_a_walk_by_units_draws_from_boltzmann_for_any_share_of_moving_units(share: float) -> None:
    bqm = dimod.BinaryQuadraticModel(
        {0: 0.3, 1: -0.8, 2: 0.2, 3: 0.0}, {(0, 1): 1.0, (1, 2): -1.2, (0, 2): 0.7, (2, 3): 0.9}, 0.0, "SPIN"
    )
    problem, n = units_of_bqm(bqm), 60_000
    x = anneal_units(problem, [0.7] * 200, 3, coins(1, (n, 4)), share)
    assert surprise(problem, x, 0.7) < 5


def test_the_torch_walk_draws_from_boltzmann_and_uses_a_given_hidden_layer() -> None:
    rbm, n = machine(4, 3), 30_000
    start = coins(1, (n, 4)), coins(2, (n, 3))
    v, h = anneal_layers_torch(rbm, [1.0] * 30, 5, *start, False)
    assert surprise(units_of_rbm(rbm), torch.cat([v, h], 1), 1.0) < 5
    given = torch.tensor([1.0, 0.0, 1.0]).repeat(10, 1)
    v, h = anneal_layers_torch(rbm, [np.inf], 5, start[0][:10], given, True)
    assert torch.equal(h, given)
    assert torch.equal(v, (rbm.a + given @ rbm.W.t() > 0).float())


def test_the_first_half_step_draws_visible_units_from_the_given_hidden_layer() -> None:
    rbm, n = machine(4, 3), 40_000
    h = torch.tensor([1.0, 0.0, 1.0]).repeat(n, 1)
    v, after = anneal_layers(rbm, [1.0], 5, coins(1, (n, 4)), h, hidden_given=True)
    assert torch.equal(after, h)
    assert (v.mean(0) - torch.sigmoid(rbm.a + h[0] @ rbm.W.t())).abs().max() < 5 * 0.5 / n**0.5


@pytest.mark.parametrize("seed", range(3))
def test_the_annealer_finds_the_ground_state_of_an_rbm(seed: int) -> None:
    rbm = machine(8, 6, seed, scale=2.0)
    lowest = dimod.ExactSolver().sample(to_bqm(rbm)).first.energy
    device = annealer()
    reads = device.sample_rbm(rbm, 50, seed)
    assert float(energy(rbm, reads.v, reads.h).min()) == pytest.approx(lowest, rel=1e-5)
    assert device.sample(to_bqm(rbm), num_reads=50, seed=seed).first.energy == pytest.approx(lowest, rel=1e-5)


def test_every_read_ends_in_a_local_minimum() -> None:
    rbm = machine(60, 40)
    reads = annealer(sweeps=30, descents=20).sample_rbm(rbm, 20, seed=1)
    x, problem = torch.cat([reads.v, reads.h], 1), units_of_rbm(rbm)
    field = problem.bias + x @ problem.coupling
    assert torch.equal(x, (field > 0).float())


def test_from_given_hidden_states_the_annealer_takes_one_sweep_at_temperature_one() -> None:
    rbm, n = machine(4, 3), 50_000
    h = torch.tensor([1.0, 0.0, 1.0]).repeat(n, 1)
    reads = annealer().sample_rbm(rbm, n, seed=3, initial_hidden=h)
    assert torch.equal(reads.h, h)
    assert reads.cost["sweeps"] == n, "one of each read"
    assert (reads.v.mean(0) - torch.sigmoid(rbm.a + h[0] @ rbm.W.t())).abs().max() < 5 * 0.5 / n**0.5


def test_slower_annealing_reaches_a_lower_mean_energy() -> None:
    rbm = machine(200, 100, scale=0.3)
    fast, slow = (annealer(sweeps=n, descents=1).sample_rbm(rbm, 30, seed=1) for n in (3, 300))
    assert energy(rbm, slow.v, slow.h).mean() < energy(rbm, fast.v, fast.h).mean()


def test_reads_depend_on_the_seed_but_not_on_the_number_of_threads() -> None:
    device, before, seen = annealer(sweeps=20), numba.get_num_threads(), []
    rbm = machine(20, 10)
    try:
        for threads in {1, min(2, numba.config.NUMBA_NUM_THREADS)}:
            numba.set_num_threads(threads)
            seen.append(device.sample_rbm(rbm, 101, seed=6))
            seen.append(device.sample(to_bqm(rbm), num_reads=7, seed=6))
    finally:
        numba.set_num_threads(before)
    assert all(torch.equal(reads.v, seen[0].v) for reads in seen[::2])
    assert all((found.record.sample == seen[1].record.sample).all() for found in seen[1::2])
    assert not torch.equal(device.sample_rbm(rbm, 101, seed=7).v, seen[0].v)


def test_reads_of_a_call_are_independent() -> None:
    """At infinite temperature pairs of reads agree in half of their units, adjacent reads as well as distant ones."""
    flat = RBM(torch.zeros(500, 300), torch.zeros(500), torch.zeros(300))
    v, _ = anneal_layers(flat, [1.0], 3, coins(1, (200, 500)), coins(2, (200, 300)))
    for lag in (1, 2, 64):
        assert float((v[lag:] == v[:-lag]).float().mean()) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ({"sweeps": 0}, "sweeps=0 is not at least 1"),
        ({"beta_start": 0.0}, "beta_start=0.0 is not above 0"),
        ({"beta_end": -1.0}, "beta_end=-1.0 is not above 0"),
        ({"beta_start": 5.0, "beta_end": 5.0}, "beta_start=5 is not below beta_end=5"),
        ({"descents": 0}, "descents=0 is not at least 1"),
    ],
)
def test_an_invalid_value_is_refused_with_a_specific_message(bad: dict, sentence: str) -> None:
    with pytest.raises(BoundsError, match=sentence.replace(".", r"\.")):
        annealer(**bad)


def test_the_refusal_of_a_call_lists_every_invalid_argument() -> None:
    device = annealer()
    with pytest.raises(ValueError, match="num_reads=0 is not at least 1; seed=-1 is not at least 0"):
        device.sample(dimod.BinaryQuadraticModel("SPIN"), num_reads=0, seed=-1)
