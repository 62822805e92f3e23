"""Softmax regression's pass over the samples against autograd in float64."""

import numba
import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy as reference

from neurobench.kernels.logistic import exponential
from neurobench.kernels.softmax import CLASSES, FEATURES, cross_entropy

Problem = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def problem(samples: int, features: int, classes: int, size: float = 1.0) -> Problem:
    """Random x, y, weight and bias, padded as the kernel requires."""
    draw = np.random.default_rng(samples + features + classes)
    x = np.zeros((samples, -(-features // FEATURES) * FEATURES), np.float32)
    weight = np.zeros((-(-classes // CLASSES) * CLASSES, x.shape[1]), np.float32)
    x[:, :features] = draw.standard_normal((samples, features))
    weight[:classes, :features] = size * draw.standard_normal((classes, features))
    return x, draw.integers(classes, size=samples), weight, draw.standard_normal(classes).astype(np.float32)


def by_autograd(x: np.ndarray, y: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> list[np.ndarray]:
    w, b = (torch.from_numpy(part).double().requires_grad_() for part in (weight[: len(bias)], bias))
    loss = reference(torch.from_numpy(x).double() @ w.t() + b, torch.from_numpy(y), reduction="sum")
    loss.backward()
    return [part.detach().numpy() for part in (loss, w.grad, b.grad)]


# Fewer samples than chunks, a chunk that ends within a tile; features and classes next to multiples of their padding
@pytest.mark.parametrize("samples", [1, 31, 600, 1777])
@pytest.mark.parametrize(("features", "classes"), [(1, 2), (31, 3), (32, 5), (33, 6), (100, 11)])
def test_loss_and_derivatives_equal_those_of_autograd(samples: int, features: int, classes: int):
    x, y, weight, bias = problem(samples, features, classes)
    loss, by_weight, by_bias = cross_entropy(x, y, weight, bias)
    expected, weight_grad, bias_grad = by_autograd(x, y, weight, bias)
    assert loss == pytest.approx(float(expected), rel=1e-5)
    np.testing.assert_allclose(by_weight[:classes], weight_grad, atol=1e-5 * samples**0.5, rtol=1e-5)
    np.testing.assert_allclose(by_bias, bias_grad, atol=1e-5 * samples**0.5, rtol=1e-5)


def test_scores_far_apart_do_not_overflow_and_give_the_right_loss():
    """Classes are a thousand nats apart, but the exponential of float32 overflows at 88."""
    x, y, weight, bias = problem(600, 64, 7, size=100.0)
    loss, by_weight, _ = cross_entropy(x, y, weight, bias)
    expected, weight_grad, _ = by_autograd(x, y, weight, bias)
    assert expected > 600 * 500
    assert loss == pytest.approx(float(expected), rel=1e-5)
    np.testing.assert_allclose(by_weight[:7], weight_grad, atol=1e-3)


def test_the_number_of_threads_changes_no_bit():
    """Nor does a different division of the samples among them."""
    arguments = problem(1777, 40, 10)
    before, found = numba.get_num_threads(), []
    try:
        for threads in range(1, numba.config.NUMBA_NUM_THREADS + 1):
            numba.set_num_threads(threads)
            found.append(cross_entropy(*arguments))
    finally:
        numba.set_num_threads(before)
    assert len(found) > 1 or numba.config.NUMBA_NUM_THREADS == 1
    for other in found[1:]:
        for one, another in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, another)


def test_the_exponential_agrees_with_float64_to_the_rounding_of_its_argument():
    x = np.linspace(-87, 88, 100_001).astype(np.float32)
    found = np.array([exponential(each) for each in x], np.float64)
    np.testing.assert_allclose(found, np.exp(x.astype(np.float64)), rtol=2e-7 + 2**-24 * 88)
