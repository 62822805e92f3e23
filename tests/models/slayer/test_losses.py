"""Losses, their gradients and the classifier equal lava-dl's, also over windows if supported."""

import numpy as np
import pytest
import torch
from torch import Tensor

from neurobench.models.slayer.losses import (
    predicted,
    rates,
    regular_trains,
    silent_labels,
    spike_max,
    spike_rate,
    spike_time,
)
from tests.models.slayer.conftest import vector

Z = vector("losses")
Y = torch.from_numpy(Z["s"]).float().permute(0, 2, 1).contiguous()
LABEL = torch.from_numpy(Z["label"])
DESIRED = torch.from_numpy(Z["desired"]).float().permute(0, 2, 1)
WINDOW, TAU = int(Z["window"]), float(Z["tau"])
LOSSES = {
    "rate": lambda y: spike_rate(y, LABEL, 0.2, 0.03),
    "rate_window": lambda y: spike_rate(y, LABEL, 0.2, 0.03, WINDOW),
    "max_probability": lambda y: spike_max(y, LABEL),
    "max_softmax": lambda y: spike_max(y, LABEL, "softmax"),
    "max_softmax_window": lambda y: spike_max(y, LABEL, "softmax", WINDOW),
    "time_order1": lambda y: spike_time(y, DESIRED, TAU, 1),
    "time_order2": lambda y: spike_time(y, DESIRED, TAU, 2),
}


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_and_its_gradient_equal_lava_dls(name: str) -> None:
    y = Y.clone().requires_grad_()
    loss = LOSSES[name](y)
    loss.backward()
    assert loss.item() == pytest.approx(float(Z[f"loss_{name}"]), rel=1e-6)
    assert isinstance(y.grad, Tensor)
    wanted = Z[f"grad_{name}"]
    assert np.abs(y.grad.permute(0, 2, 1).numpy() - wanted).max() < 1e-5 * np.abs(wanted).max()


def test_predicted_classes_by_rate_and_by_windowed_rate_equal_lava_dls() -> None:
    np.testing.assert_array_equal(predicted(Y), Z["pred_rate"])
    np.testing.assert_array_equal(predicted(Y, WINDOW), Z["pred_window"])
    assert predicted(torch.zeros(1, 5, 10)).item() == 0, "silence counts as class 0"


def test_a_silent_label_costs_a_finite_loss_and_is_counted() -> None:
    y = torch.zeros(3, 10, 3)
    y[:, :, 0] = 1
    label = torch.tensor([0, 1, 2])
    assert spike_max(y, label).item() == pytest.approx(-2 * np.log(1e-6), rel=1e-3)
    assert silent_labels(y, label) == 2


def test_a_class_probability_is_its_share_of_all_rates_plus_the_floor_also_per_window() -> None:
    one = torch.zeros(1, 1000, 2)
    one[0, 7, 1] = 1  # a rate of 1e-3, to which the floor of 1e-6 is added
    assert spike_max(one, torch.tensor([1])).item() == pytest.approx(np.log(1 + 1e-3), rel=1e-2)
    r = rates(Y, WINDOW).double().numpy()
    p = np.take_along_axis(r, np.broadcast_to(LABEL.numpy()[:, None, None], (*r.shape[:2], 1)), 2)[..., 0]
    wanted = -np.log(np.maximum(p / (r.sum(2) + 1e-6), 1e-6)).sum()
    assert spike_max(Y, LABEL, window=WINDOW).item() == pytest.approx(wanted, rel=1e-5)


def test_a_surplus_spike_costs_the_sum_of_its_squared_filter_over_a_hundred_steps() -> None:
    y = torch.zeros(1, 150, 1)
    y[0, 3] = 1
    geometric = (1 - np.exp(-2 / 50) ** 100) / (1 - np.exp(-2 / 50))
    assert spike_time(y, torch.zeros_like(y), 50.0).item() == pytest.approx(geometric, rel=1e-5)


def test_regular_spike_trains_have_the_requested_rates() -> None:
    trains = regular_trains(torch.tensor([1]), 3, 300, 0.2, 0.03)
    assert trains.sum(1).tolist() == [[9, 60, 9]]
    every_fourth = regular_trains(torch.tensor([1]), 2, 9, 0.25, 0.0)
    assert every_fourth[0].T.tolist() == [[0] * 9, [0, 0, 0, 1, 0, 0, 0, 1, 0]]


@pytest.mark.parametrize("steps", [100, 300, 1000])
def test_regular_spike_trains_have_every_spike_of_their_rate_in_its_step(steps: int) -> None:
    """Spike k of a rate of n / 100 comes in step ceil(100 k / n), in whole numbers."""
    for n in range(1, 101):
        (train,) = regular_trains(torch.tensor([0]), 1, steps, n / 100, 0.0)[:, :, 0]
        due = [-(-100 * k // n) for k in range(1, n * steps // 100 + 1)]
        assert (train.nonzero()[:, 0] + 1).tolist() == due
