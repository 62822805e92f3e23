"""The energy of a state is the same in every form of a problem."""

from itertools import product

import dimod
import numpy as np
import pytest
import torch

from neurobench.problems import bqm as problems
from neurobench.problems.bqm import to_bqm
from neurobench.problems.rbm import RBM, energy


@pytest.fixture
def rbm() -> RBM:
    draw = torch.Generator().manual_seed(3)
    return RBM(*(torch.randn(*size, generator=draw) for size in [(9, 6), (9,), (6,)]))


@pytest.fixture
def x() -> torch.Tensor:
    return (torch.rand(50, 15, generator=torch.Generator().manual_seed(4)) < 0.5).float()


def test_energies_of_rbm_units_spins_and_bqm_agree_on_random_states(rbm: RBM, x: torch.Tensor) -> None:
    units = problems.units_of_rbm(rbm)
    ising = problems.ising_of_units(units)
    expected = energy(rbm, x[:, :9], x[:, 9:])
    s = 2 * x.double() - 1
    constant = -(units.bias.double().sum() / 2 + units.coupling.double().sum() / 8)
    spins = s @ ising.h + (s * (s @ ising.J)).sum(1) / 2 + constant
    torch.testing.assert_close(problems.energies(units, x), expected)
    torch.testing.assert_close(spins.float(), expected)
    bqm = to_bqm(rbm)
    np.testing.assert_allclose(bqm.energies((x.numpy(), range(15))), expected.numpy(), rtol=1e-5)
    np.testing.assert_allclose(
        bqm.change_vartype("SPIN", inplace=False).energies((s.numpy(), range(15))), expected.numpy(), rtol=1e-5
    )


def test_the_ising_model_of_an_rbm_has_the_published_coefficients(rbm: RBM) -> None:
    """J = -W/4, h_i = -(a_i/2 + sum_j W_ij/4), h_j = -(b_j/2 + sum_i W_ij/4)."""
    J, h = problems.ising_of_units(problems.units_of_rbm(rbm))
    W, a, b = (part.double() for part in rbm)
    torch.testing.assert_close(J[:9, 9:], -W / 4)
    assert not J[:9, :9].any()
    assert not J[9:, 9:].any()
    torch.testing.assert_close(h, torch.cat([-(a / 2 + W.sum(1) / 4), -(b / 2 + W.sum(0) / 4)]))


def test_converting_an_rbm_to_an_ising_model_and_back_restores_it(rbm: RBM) -> None:
    units = problems.units_of_rbm(rbm)
    again = problems.rbm_of_units(problems.units_of_ising(problems.ising_of_units(units)), visible=9)
    for part, kept in zip(again, rbm, strict=True):
        torch.testing.assert_close(part, kept)


@pytest.mark.parametrize("vartype", ["SPIN", "BINARY"])
def test_energies_of_a_bqm_and_of_its_units_differ_by_a_constant(vartype: str) -> None:
    bqm = dimod.BinaryQuadraticModel(
        {"p": 0.3, "q": -1.0, "r": 0.0}, {("p", "q"): 1.2, ("q", "r"): -0.7, ("p", "r"): 0.4}, 5.0, vartype
    )
    states = np.array(list(product((0, 1), repeat=3)))
    x = torch.from_numpy(states).float()
    ours = problems.energies(problems.units_of_bqm(bqm), x).numpy()
    theirs = bqm.energies((2 * states - 1 if vartype == "SPIN" else states, list(bqm.variables)))
    assert np.ptp(theirs - ours) < 1e-5


def test_the_sample_set_of_a_spin_model_contains_spins_and_the_models_energies() -> None:
    bqm = dimod.BinaryQuadraticModel({"p": 1.0, "q": 0.0}, {("p", "q"): -2.0}, 0.5, "SPIN")
    found = problems.sampleset(torch.tensor([[1.0, 0.0], [1.0, 1.0]]), bqm, note="kept")
    assert found.record.sample.tolist() == [[1, -1], [1, 1]]
    assert found.record.energy.tolist() == [3.5, -0.5]
    assert found.info == {"note": "kept"}
