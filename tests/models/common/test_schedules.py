"""Schedules against torch's own schedulers."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from neurobench.models.common import training

N = 50


@pytest.mark.parametrize(
    ("factor", "torchs"),
    [
        (training.constant, lambda adam: lr_scheduler.ConstantLR(adam, factor=1.0)),
        (training.linear, lambda adam: lr_scheduler.LinearLR(adam, 1.0, 0.0, total_iters=N)),
        (training.cosine, lambda adam: lr_scheduler.CosineAnnealingLR(adam, T_max=N)),
        (partial(training.exponential, gamma=0.9, steps=N), lambda adam: lr_scheduler.ExponentialLR(adam, 0.9)),
        (training.one_cycle, lambda adam: lr_scheduler.OneCycleLR(adam, 0.4, total_steps=N, cycle_momentum=False)),
    ],
)
def test_rates_are_those_of_torchs_schedulers(factor, torchs):
    optimizer = torch.optim.Adam([nn.Parameter(torch.zeros(1))], lr=0.4)
    scheduler = torchs(optimizer)
    for k in range(N):
        assert 0.4 * factor(k, N) == pytest.approx(scheduler.get_last_lr()[0], rel=1e-9)
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize("n", [7, 10, 201])
def test_one_cycle_of_seven_or_more_updates_equals_torchs_one_cycle(n: int) -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=n, cycle_momentum=False)
    for k in range(n):
        assert training.one_cycle(k, n) == pytest.approx(scheduler.get_last_lr()[0], rel=1e-9, abs=1e-12)
        optimizer.step()
        if k < n - 1:
            scheduler.step()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_one_cycle_of_up_to_three_updates_starts_at_a_25th_and_peaks_at_update_1(n: int) -> None:
    assert [training.one_cycle(k, n) for k in range(n)] == pytest.approx([1 / 25, 1, 1e-4 / 25][:n])


def test_an_exponential_schedule_stretched_over_more_updates_spans_the_same_rates():
    assert training.exponential(30, 100, gamma=0.9, steps=10) == pytest.approx(0.9**3)


@pytest.mark.parametrize("name", training.FACTORS)
def test_every_schedule_gives_a_factor_above_0_and_at_most_1_for_a_single_update(name: str):
    assert 0 < training.FACTORS[name](0, 1) <= 1
