"""Random numbers: torch and the kernels draw the same ones, and they look random."""

import numpy as np
import pytest
import torch

from neurobench.kernels.logistic import uniform
from neurobench.kernels.random import derive, key_of, uniforms


def test_torch_and_numba_draw_the_same_numbers():
    seed, counters = derive(3, 1, 4), [0, 1, 2, 99_999, 999_999]
    k0, k1 = (np.uint32(word) for word in key_of(seed))
    drawn = uniforms(seed, (1_000, 1_000)).flatten()
    for counter in counters:
        assert uniform(np.uint32(counter), k0, k1) == drawn[counter].item()


def test_a_derived_seed_depends_on_every_number_of_its_path_and_on_its_length():
    seeds = [derive(*path) for path in [(0,), (1,), (0, 0), (0, 1), (1, 0), (0, 0, 0), (0, 0, 1), (2**62, 5)]]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_draws_are_uniform():
    u = uniforms(7, (1 << 20,)).double()
    assert u.min() >= 0
    assert u.max() < 1
    counts = torch.histc(u, 256, 0, 1)
    expected = len(u) / 256
    chi_square = ((counts - expected).square() / expected).sum()
    assert 255 - 5 * 22.6 < chi_square < 255 + 5 * 22.6  # 255 degrees of freedom: sd sqrt(510)


@pytest.mark.parametrize("lag", [1, 2, 8, 300, 784])
def test_neighbouring_draws_are_uncorrelated(lag: int):
    u = uniforms(11, (1 << 20,)).double() - 0.5
    correlation = (u[lag:] * u[:-lag]).mean() * 12
    assert abs(correlation) < 5 / 1024


def test_streams_of_neighbouring_seeds_are_uncorrelated():
    u, w = (uniforms(derive(5, k), (1 << 20,)).double() - 0.5 for k in (0, 1))
    assert abs((u * w).mean() * 12) < 5 / 1024
    bits = [(uniforms(derive(5, k), (64,)) < 0.5).float() for k in range(2000)]
    assert abs(torch.stack(bits).mean(0) - 0.5).max() < 5 * 0.5 / 2000**0.5  # the same draw under many keys
