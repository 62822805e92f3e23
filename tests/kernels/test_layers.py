"""The compiled kernels against float64 and against the plain torch that stands beside them."""

import numba
import numpy as np
import pytest
import torch

from neurobench.kernels.logistic import logistic
from neurobench.kernels.rbm.layers import Pair, ascend, ascend_torch, conditional, conditional_torch, transposed
from neurobench.problems.rbm import RBM
from tests.draws import uniform


def sparse(rows: int, units: int, seed: int, grey: bool = False) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    on = (torch.rand(rows, units, generator=draw) < 0.2).float()
    return on * torch.rand(rows, units, generator=draw) if grey else on


def machine(visible: int, hidden: int, seed: int = 0) -> RBM:
    draw = torch.Generator().manual_seed(seed)
    return RBM(*(torch.randn(*size, generator=draw) for size in [(visible, hidden), (visible,), (hidden,)]))


def test_logistic_is_within_2e7_of_float64_everywhere():
    x = np.concatenate([np.linspace(-40, 40, 200_001), [-1e30, 1e30, 0.0]]).astype(np.float32)
    ours = np.array([logistic(value) for value in x])
    assert np.abs(ours - 1 / (1 + np.exp(-x.astype(np.float64).clip(-700)))).max() < 2e-7


@pytest.mark.parametrize(("rows", "units", "outputs"), [(1, 1, 1), (3, 7, 5), (20, 37, 130), (100, 784, 300)])
@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_half_step_is_torchs_with_the_same_uniforms(rows: int, units: int, outputs: int, grey: bool, beta: float):
    x, (W, _, b) = sparse(rows, units, 1, grey), machine(units, outputs)
    ours, plain = conditional(x, W, b, 5, beta), conditional_torch(x, W, b, 5, beta)
    torch.testing.assert_close(ours.p, plain.p, atol=2e-6, rtol=0)
    # A state may differ only where the uniform number falls between the two roundings of p.
    assert (ours.state != plain.state).float().mean() <= 1e-4
    assert set(ours.state.unique().tolist()) <= {0.0, 1.0}


def test_rows_all_dark_and_all_bright_are_summed_right():
    W, _, b = machine(24, 9)
    x = torch.stack([torch.zeros(24), torch.ones(24)])
    torch.testing.assert_close(conditional(x, W, b, 0).p, torch.sigmoid(b + x @ W))


@pytest.mark.parametrize(("data", "model"), [(10, 10), (1, 4), (33, 7)])
@pytest.mark.parametrize("grey", [False, True])
def test_an_update_is_torchs_twice_over(data: int, model: int, grey: bool):
    draw = torch.Generator().manual_seed(4)
    ours, plain = machine(53, 21), machine(53, 21)
    ours_speed, plain_speed = machine(53, 21, seed=9), machine(53, 21, seed=9)
    for seed in (0, 1):
        pairs = (
            Pair(sparse(data, 53, seed, grey), torch.rand(data, 21, generator=draw)),
            Pair(sparse(model, 53, seed + 7), torch.rand(model, 21, generator=draw)),
        )
        assert ascend(ours, ours_speed, *pairs, rate=0.3, decay=0.05, momentum=0.7)
        assert ascend_torch(plain, plain_speed, *pairs, rate=0.3, decay=0.05, momentum=0.7)
    for left, right in zip((*ours, *ours_speed), (*plain, *plain_speed), strict=True):
        torch.testing.assert_close(left, right, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("update", [ascend, ascend_torch])
@pytest.mark.parametrize("bad", ["W", "a", "b"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_update_says_where_a_parameter_is_no_longer_finite(update, bad: str, value: float):
    rbm, speed, pair = (
        machine(20, 5),
        RBM(*(part * 0 for part in machine(20, 5))),
        Pair(sparse(4, 20, 0), uniform(4, 5)),
    )
    getattr(rbm, bad).view(-1)[3] = value
    assert not update(rbm, speed, pair, pair, rate=0.1, decay=0.0, momentum=0.5)


@pytest.mark.parametrize("shape", [(1, 1), (16, 3), (50, 17), (784, 300)])
def test_a_transposed_copy(shape: tuple[int, int]):
    W = uniform(*shape)
    assert torch.equal(transposed(W), W.t())


def test_one_and_two_threads_give_the_same_bits():
    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("one thread is all there is")
    before, results = numba.get_num_threads(), []
    try:
        for threads in (1, 2):
            numba.set_num_threads(threads)
            rbm, speed, x = machine(784, 300), RBM(*(part * 0 for part in machine(784, 300))), sparse(101, 784, 3)
            drawn = conditional(x, rbm.W, rbm.b, 1)
            ascend(rbm, speed, Pair(x, drawn.p), Pair(x.flip(0), drawn.p), 0.1, 1e-3, 0.9)
            results.append((*drawn, *rbm, *speed))
    finally:
        numba.set_num_threads(before)
    assert all(torch.equal(left, right) for left, right in zip(*results, strict=True))
