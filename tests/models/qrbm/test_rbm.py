"""The RBM's equations against exhaustive sums, and the learning signal against the likelihood's exact gradient."""

from itertools import product

import dimod
import numpy as np
import pytest
import torch
from torch import Tensor

from neurobench.kernels.random import derive
from neurobench.kernels.rbm.layers import Pair, ascend, conditional
from neurobench.problems import rbm as equations
from neurobench.problems.bqm import to_bqm
from neurobench.problems.rbm import RBM
from tests.models.qrbm.likelihood import free_energy
from tests.specs import spec


def states(n: int) -> Tensor:
    return torch.tensor(list(product((0.0, 1.0), repeat=n)))


def joint(rbm: RBM) -> Tensor:
    """exp(-E) of every pair of states (2^V, 2^H), from the definition, in float64."""
    W, a, b = (part.double() for part in rbm)
    v, h = states(len(a)).double(), states(len(b)).double()
    return torch.exp((v @ a)[:, None] + (h @ b)[None, :] + v @ W @ h.t())


def test_energy_matches_its_definition_for_all_states(rbm: RBM):
    v, h = states(5), states(3)
    every = equations.energy(rbm, v[:, None, :], h[None, :, :])
    torch.testing.assert_close(torch.exp(-every.double()), joint(rbm), rtol=1e-4, atol=1e-6)


def test_free_energies_sum_to_the_partition_function(rbm: RBM):
    total = torch.exp(-free_energy(rbm, states(5)).double()).sum()
    assert total.item() == pytest.approx(joint(rbm).sum().item(), rel=1e-5)


def test_conditionals_are_those_of_the_joint_distribution(rbm: RBM):
    p, v, h = joint(rbm), states(5).double(), states(3).double()
    hidden = (p @ h) / p.sum(1, keepdim=True)
    visible = (p.t() @ v) / p.sum(0)[:, None]
    torch.testing.assert_close(equations.p_hidden(rbm, v.float()).double(), hidden, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(equations.p_visible(rbm, h.float()).double(), visible, rtol=1e-4, atol=1e-6)


def test_reconstruction_uses_probabilities_in_both_directions(rbm: RBM):
    v = states(5)[7:8]
    h = 1 / (1 + np.exp(-(rbm.b + v @ rbm.W).numpy()))
    q = 1 / (1 + np.exp(-(rbm.a.numpy() + h @ rbm.W.numpy().T)))
    torch.testing.assert_close(equations.reconstruct(rbm, v), torch.from_numpy(q))
    assert equations.reconstruction_error(v, torch.zeros(1, 5)).item() == pytest.approx(v.mean().item())


@pytest.mark.parametrize("vartype", ["BINARY", "SPIN"])
def test_the_binary_quadratic_model_has_the_rbms_energies_as_bits_and_as_spins(rbm: RBM, vartype: str):
    bqm = to_bqm(rbm).change_vartype(vartype, inplace=False)
    assert len(bqm.linear) == 8
    assert len(bqm.quadratic) == 15
    solved = dimod.ExactSolver().sample(bqm)
    sample = solved.record.sample[:, [solved.variables.index(n) for n in range(8)]]
    bits = torch.from_numpy(sample.astype(np.float32))
    bits = bits if vartype == "BINARY" else (bits + 1) / 2
    ours = equations.energy(rbm, bits[:, :5], bits[:, 5:])
    np.testing.assert_allclose(ours, solved.record.energy, atol=1e-5)


def test_ising_coefficients_are_those_of_the_docstring(rbm: RBM):
    bqm = to_bqm(rbm).change_vartype("SPIN", inplace=False)
    assert bqm.quadratic[(1, 5 + 2)] == pytest.approx(-rbm.W[1, 2].item() / 4)
    assert bqm.linear[1] == pytest.approx(-(rbm.a[1] / 2 + rbm.W[1].sum() / 4).item(), rel=1e-5)
    assert bqm.linear[5 + 2] == pytest.approx(-(rbm.b[2] / 2 + rbm.W[:, 2].sum() / 4).item(), rel=1e-5)


def step_of(rbm: RBM, data: Tensor, u: Tensor) -> RBM:
    """The estimated gradient: the velocity after one update from rest at rate 1."""
    moved, still = RBM(*(part.clone() for part in rbm)), RBM(*(torch.zeros_like(part) for part in rbm))
    pairs = [Pair(v, equations.p_hidden(rbm, v)) for v in (data, u)]
    ascend(moved, still, *pairs, rate=1.0, decay=0.0, momentum=0.0)
    return still


def log_likelihood(W: Tensor, a: Tensor, b: Tensor, data: Tensor) -> Tensor:
    p = torch.exp(
        (states(5).double() @ a)[:, None] + (states(3).double() @ b) + states(5).double() @ W @ states(3).double().t()
    )
    seen = torch.exp(
        (data.double() @ a)[:, None] + (states(3).double() @ b) + data.double() @ W @ states(3).double().t()
    )
    return torch.log(seen.sum(1)).mean() - torch.log(p.sum())


def test_reads_of_the_sampler_give_the_gradient_of_the_log_likelihood(rbm: RBM):
    data = states(5)[[3, 9, 9, 30, 17]]
    exact = [part.double().requires_grad_() for part in rbm]
    log_likelihood(*exact, data).backward()
    reads = spec("backend/sim", "sampler", sweeps=50).open(0, torch.device("cpu")).sample_rbm(rbm, 200_000, seed=1)
    for estimate, truth in zip(step_of(rbm, data, reads.v), exact, strict=True):
        torch.testing.assert_close(estimate.double(), truth.grad, atol=5e-3, rtol=0)


@pytest.mark.parametrize("steps", [1, 3])
def test_contrastive_divergence_matches_its_expectation_by_enumeration(rbm: RBM, steps: int):
    """Expectation of CD-k: the data's distribution pushed k times through the exact transition v -> h -> v'."""
    data = states(5)[[3, 9, 9, 30, 17]]
    p, v = joint(rbm), states(5).double()
    transition = (p / p.sum(1, keepdim=True)) @ (p / p.sum(0)).t()  # (2^V, 2^V)
    spread = torch.zeros(32, dtype=torch.float64)
    for row in (3, 9, 9, 30, 17):
        spread[row] += 0.2
    for _ in range(steps):
        spread = spread @ transition
    hidden = equations.p_hidden(rbm, v.float()).double()
    expected = data.double().t() @ equations.p_hidden(rbm, data).double() / 5 - (v * spread[:, None]).t() @ hidden

    device = spec("backend/sim", "sampler", steps=steps).open(0, torch.device("cpu"))
    many = data.repeat(40_000, 1)
    h = conditional(many, rbm.W, rbm.b, derive(5)).state
    u = device.sample_rbm(rbm, len(h), seed=6, initial_hidden=h).v
    torch.testing.assert_close(step_of(rbm, many, u).W.double(), expected, atol=6e-3, rtol=0)
