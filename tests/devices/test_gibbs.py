"""Tests of block Gibbs sampling, against all states of small models and dimod's own tests."""

import subprocess
import sys
import unittest
from itertools import product
from typing import Any

import dimod
import dimod.testing
import numba
import numpy as np
import pytest
import torch

from neurobench.config.bounds import BoundsError
from neurobench.devices.sampler.sim_gibbs import colours
from neurobench.problems.rbm import RBM
from tests.specs import spec

CPU = torch.device("cpu")


def gibbs(**changes: Any) -> Any:
    return spec("backend/sim", "sampler", **changes).open(0, CPU)


def boltzmann(rbm: RBM, beta: float) -> dict[tuple[int, ...], float]:
    """Probabilities p(v, h) by summation over every state, in float64."""
    W, a, b = (part.double().numpy() for part in rbm)
    weight = {}
    for state in product((0, 1), repeat=len(a) + len(b)):
        v, h = np.array(state[: len(a)]), np.array(state[len(a) :])
        weight[state] = float(np.exp(beta * (a @ v + b @ h + v @ W @ h)))
    total = sum(weight.values())
    return {state: w / total for state, w in weight.items()}


def small() -> RBM:
    draw = torch.Generator().manual_seed(1)
    return RBM(*(torch.randn(*size, generator=draw) for size in [(4, 3), (4,), (3,)]))


def frequencies(v: torch.Tensor, h: torch.Tensor) -> dict[tuple[int, ...], float]:
    rows, counts = torch.cat([v, h], 1).int().unique(dim=0, return_counts=True)
    return {tuple(row.tolist()): count.item() / len(v) for row, count in zip(rows, counts, strict=True)}


@pytest.mark.parametrize("beta", [1.0, 0.4])
def test_reads_follow_the_boltzmann_distribution_over_all_states(beta: float):
    exact = boltzmann(small(), beta)
    n = 100_000
    reads = gibbs(sweeps=60, beta=beta).sample_rbm(small(), n, seed=2)
    found = frequencies(reads.v, reads.h)
    chi_square = sum(n * (found.get(state, 0.0) - p) ** 2 / p for state, p in exact.items())
    freedom = len(exact) - 1
    assert chi_square < freedom + 5 * (2 * freedom) ** 0.5


def test_one_step_from_given_hidden_states_samples_the_visible_conditional():
    rbm, n = small(), 50_000
    h = torch.tensor([1.0, 0.0, 1.0]).repeat(n, 1)
    reads = gibbs(steps=1).sample_rbm(rbm, n, seed=3, initial_hidden=h)
    assert torch.equal(reads.h, h)
    expected = torch.sigmoid(rbm.a + h[0] @ rbm.W.T)
    assert (reads.v.mean(0) - expected).abs().max() < 5 * 0.5 / n**0.5


def test_after_many_steps_reads_no_longer_depend_on_the_initial_hidden_states():
    n = 50_000
    reads = gibbs(steps=60).sample_rbm(small(), n, seed=4, initial_hidden=torch.ones(n, 3))
    found, exact = frequencies(reads.v, reads.h), boltzmann(small(), 1.0)
    assert sum(abs(found.get(state, 0.0) - p) for state, p in exact.items()) / 2 < 0.02


def test_reads_depend_on_the_seed_but_not_on_the_number_of_threads():
    device, before, seen = gibbs(sweeps=5), numba.get_num_threads(), []
    try:
        for threads in {1, min(2, numba.config.NUMBA_NUM_THREADS)}:
            numba.set_num_threads(threads)
            seen += [device.sample_rbm(small(), 500, seed=6), device.sample_rbm(small(), 500, seed=6)]
    finally:
        numba.set_num_threads(before)
    assert all(torch.equal(reads.v, seen[0].v) and torch.equal(reads.h, seen[0].h) for reads in seen)
    assert not torch.equal(device.sample_rbm(small(), 500, seed=7).v, seen[0].v)


def test_the_sampler_fulfils_dimods_api_and_returns_correct_energies():
    device = gibbs(sweeps=10)
    dimod.testing.assert_sampler_api(device)
    for bqm in (
        dimod.BinaryQuadraticModel({"a": 1.0, "b": -2.0, 3: 0.5}, {("a", "b"): 1.5, ("b", 3): -1.0}, 2.0, "BINARY"),
        dimod.BinaryQuadraticModel({0: 0.1}, {(0, 1): -1.0, (1, 2): 1.0, (0, 2): 0.3}, -1.0, "SPIN"),
    ):
        dimod.testing.assert_response_energies(device.sample(bqm, num_reads=20, seed=1), bqm)


@dimod.testing.load_sampler_bqm_tests(gibbs(sweeps=2))
class TestDimod(unittest.TestCase):
    """Tests of a sampler by dimod itself, over every kind of model that dimod has."""


def test_states_of_a_general_model_follow_its_boltzmann_distribution():
    bqm = dimod.BinaryQuadraticModel(
        {0: 0.3, 1: -0.8, 2: 0.2, 3: 0.0}, {(0, 1): 1.0, (1, 2): -1.2, (0, 2): 0.7, (2, 3): 0.9}, 0.0, "SPIN"
    )
    exact = dimod.ExactSolver().sample(bqm)
    weights = np.exp(-exact.record.energy)
    probability = {tuple(s): w for s, w in zip(exact.record.sample.tolist(), weights / weights.sum(), strict=True)}
    found = gibbs(sweeps=50).sample(bqm, num_reads=40_000, seed=8)
    order = [found.variables.index(v) for v in exact.variables]
    states, counts = np.unique(found.record.sample[:, order], axis=0, return_counts=True)
    seen = {tuple(s): c / 40_000 for s, c in zip(states.tolist(), counts, strict=True)}
    assert sum(abs(seen.get(s, 0) - p) for s, p in probability.items()) / 2 < 0.02


def test_two_layers_take_two_colours_and_a_clique_as_many_as_it_has_units():
    layers = dimod.BinaryQuadraticModel({}, {(i, 10 + j): 1.0 for i in range(5) for j in range(4)}, 0, "BINARY")
    clique = dimod.BinaryQuadraticModel({}, {(i, j): 1.0 for i in range(6) for j in range(i)}, 0, "BINARY")
    assert len(colours(layers)) == 2
    assert len(colours(clique)) == 6


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ({"sweeps": 0}, "sweeps=0 is not at least 1"),
        ({"steps": 0}, "steps=0 is not at least 1"),
        ({"beta": 0.0}, "beta=0.0 is not above 0"),
        ({"beta": float("nan")}, "beta=nan is not above 0"),
    ],
)
def test_an_invalid_value_is_refused_with_a_specific_message(bad: dict, sentence: str):
    with pytest.raises(BoundsError, match=sentence.replace(".", r"\.")):
        gibbs(**bad)


def test_zero_reads_and_a_wrong_number_of_initial_states_are_refused():
    device = gibbs()
    with pytest.raises(ValueError, match="num_reads=0 is not at least 1"):
        device.sample(dimod.BinaryQuadraticModel("SPIN"), num_reads=0)
    with pytest.raises(ValueError, match="num_reads=0 is not at least 1"):
        device.sample_rbm(small(), 0, seed=1)
    with pytest.raises(ValueError, match="num_reads=5, but initial_hidden has 2 chains"):
        device.sample_rbm(small(), 5, seed=1, initial_hidden=torch.zeros(2, 3))


def test_importing_specs_loads_no_heavy_packages():
    code = (
        "import sys; import neurobench.models.qrbm.spec, neurobench.devices.sampler.specs;"
        "print([m for m in ('torch', 'dimod', 'numba', 'numpy', 'sklearn', 'matplotlib') if m in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
