"""The estimate of log Z against the sum over all states."""

import pytest
import torch

from neurobench.problems.rbm import RBM
from tests.models.qrbm.likelihood import free_energy, log_likelihood, log_partition
from tests.models.qrbm.test_rbm import joint, states


@pytest.mark.parametrize("scale", [0.0, 1.0, 2.0])
def test_the_estimated_partition_function_matches_the_sum_over_all_states(rbm: RBM, scale: float):
    machine = RBM(*(scale * part for part in rbm))
    exact = joint(machine).sum().log().item()
    assert log_partition(machine, seed=1, chains=400, steps=200) == pytest.approx(exact, abs=0.02)


def test_likelihoods_of_all_states_sum_to_one(rbm: RBM):
    v = states(5)
    each = torch.tensor([log_likelihood(rbm, v[n : n + 1], seed=2, chains=400, steps=200) for n in range(len(v))])
    assert each.exp().sum().item() == pytest.approx(1, abs=0.02)
    mean = -free_energy(rbm, v).mean().item() - joint(rbm).sum().log().item()
    assert log_likelihood(rbm, v, seed=2, chains=400, steps=200) == pytest.approx(mean, abs=0.02)
