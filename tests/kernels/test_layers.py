"""Compiled kernels against float64 and against their equivalents in plain torch."""

import numba
import numpy as np
import pytest
import torch

from neurobench.kernels.logistic import logistic
from neurobench.kernels.rbm.layers import (
    Pair,
    anneal_layers,
    ascend,
    ascend_torch,
    conditional,
    conditional_down,
    conditional_torch,
    laid_out,
)
from neurobench.kernels.rbm.rows import ROOM, active, add_rows
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
def test_a_half_step_equals_torchs_with_the_same_uniform_numbers(
    rows: int, units: int, outputs: int, grey: bool, beta: float
):
    x, (W, _, b) = sparse(rows, units, 1, grey), machine(units, outputs)
    ours, plain = conditional(x, W, b, 5, beta), conditional_torch(x, W, b, 5, beta)
    torch.testing.assert_close(ours.p, plain.p, atol=2e-6, rtol=0)
    # A state may differ only where the uniform number falls between the two roundings of p.
    assert (ours.state != plain.state).float().mean() <= 1e-4
    assert set(ours.state.unique().tolist()) <= {0.0, 1.0}


def test_rows_of_only_zeros_and_of_only_ones_are_summed_correctly():
    W, _, b = machine(24, 9)
    x = torch.stack([torch.zeros(24), torch.ones(24)])
    torch.testing.assert_close(conditional(x, W, b, 0).p, torch.sigmoid(b + x @ W))


@pytest.mark.parametrize(("data", "model"), [(10, 10), (1, 4), (33, 7)])
@pytest.mark.parametrize("grey", [False, True])
def test_two_consecutive_updates_equal_torchs(data: int, model: int, grey: bool):
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
def test_an_update_reports_if_a_parameter_is_no_longer_finite(update, bad: str, value: float):
    rbm, speed, pair = (
        machine(20, 5),
        RBM(*(part * 0 for part in machine(20, 5))),
        Pair(sparse(4, 20, 0), uniform(4, 5)),
    )
    getattr(rbm, bad).view(-1)[3] = value
    assert not update(rbm, speed, pair, pair, rate=0.1, decay=0.0, momentum=0.5)


@pytest.mark.parametrize(
    ("rows", "hidden", "visible"), [(1, 1, 1), (3, 5, 7), (20, 37, 130), (9, 16, 160), (100, 300, 784)]
)
@pytest.mark.parametrize("grey", [False, True])
def test_a_downward_half_step_equals_one_with_the_transposed_weights_bit_for_bit(
    rows: int, hidden: int, visible: int, grey: bool
):
    x, (W, a, _) = sparse(rows, hidden, 1, grey), machine(visible, hidden)
    down, transposed = conditional_down(x, W, a, 5, 0.7), conditional(x, W.t().contiguous(), a, 5, 0.7)
    assert torch.equal(down.p, transposed.p)
    assert torch.equal(down.state, transposed.state)
    alone = conditional_down(x, W, a, 5, 0.7, probabilities=False)
    assert alone.p.numel() == 0
    assert torch.equal(alone.state, down.state), "states alone are drawn as with their probabilities"
    alone = conditional(x, W.t().contiguous(), a, 5, 0.7, states=False)
    assert alone.state.numel() == 0
    assert torch.equal(alone.p, down.p)


@pytest.mark.parametrize(("visible", "hidden"), [(7, 5), (40, 16), (784, 300), (60, 331)])
def test_a_laid_out_machine_computes_the_same_bits_as_a_plain_one(visible: int, hidden: int):
    v, u, answers = sparse(20, visible, 1), sparse(30, visible, 2, grey=True), []
    for layout in (lambda each: each, laid_out):
        rbm, speed = layout(machine(visible, hidden)), layout(machine(visible, hidden, seed=9))
        drawn, after = conditional(v, rbm.W, rbm.b, 5), conditional(u, rbm.W, rbm.b, 6)
        down = conditional_down(drawn.state, rbm.W, rbm.a, 7)
        assert ascend(rbm, speed, Pair(v, drawn.p), Pair(u, after.p), rate=0.3, decay=0.05, momentum=0.7)
        walked = anneal_layers(rbm, [0.5, 1.0], 8, down.state, drawn.state)
        answers.append((*drawn, *after, *down, *rbm, *speed, *walked))
    assert all(torch.equal(left, right) for left, right in zip(*answers, strict=True))


def test_weights_in_another_memory_layout_are_read_correctly_but_updates_refuse_them():
    rbm, speed, x = machine(20, 33), machine(20, 33, seed=9), sparse(6, 20, 1)
    for other in (rbm.W.t().contiguous().t(), torch.cat([rbm.W, rbm.W], 1)[:, :33], torch.cat([rbm.W] * 2, 1)[:, 33:]):
        assert torch.equal(conditional(x, other, rbm.b, 5).p, conditional(x, rbm.W, rbm.b, 5).p)
        pair = Pair(x, conditional(x, other, rbm.b, 5).p)
        with pytest.raises(ValueError, match="contiguous or `laid_out`"):
            ascend(rbm._replace(W=other), speed, pair, pair, 0.1, 0.0, 0.5)


def test_laid_out_rows_begin_at_cache_lines_and_end_with_zeros():
    rbm = laid_out(machine(5, 20))
    assert rbm.W.stride() == (32, 1)
    assert rbm.W.data_ptr() % 64 == 0
    assert not rbm.W.as_strided((5, 12), (32, 1), 20).any()


def test_active_units_are_listed_in_order_whatever_their_pattern():
    """All patterns of eight states, and lengths that end within a group."""
    x = ((np.arange(256)[:, None] >> np.arange(8)) & 1).astype(np.float32)
    for row in [x.ravel(), *x, *(np.tile(row, 5)[:37] for row in x[::7])]:
        index = np.full(len(row) + ROOM, 99, np.uint32)
        n = active(-row, index)
        assert index[:n].tolist() == np.flatnonzero(row).tolist()


@pytest.mark.parametrize("width", [*range(1, 20), 63, 64, 80, 96, 112, 128, 144, 155, 304, 320])
@pytest.mark.parametrize("n", [0, 1, 3, 4, 5, 9])
def test_rows_are_added_four_at_a_time_in_a_fixed_order(width: int, n: int):
    """Integers of at most 24 bits times 0, 1 or 1/2 need no rounding; in float32 the order then matters only in sums
    beyond 2^24, which numpy adds here in the order that the kernel should use."""
    draw = np.random.default_rng(width)
    W = draw.integers(-(2**23), 2**23, (12, width)).astype(np.float32)
    x, index = np.ones(12, np.float32), np.sort(draw.choice(12, n, replace=False)).astype(np.uint32)
    x[::3] = 0.5
    out = draw.integers(-(2**23), 2**23, width).astype(np.float32)
    wanted, rows = out.copy(), x[index, None] * W[index]
    whole = n // 4 * 4
    for k in range(0, whole, 4):
        wanted += (rows[k] + rows[k + 1]) + (rows[k + 2] + rows[k + 3])
    for row in rows[whole:]:
        wanted += row
    add_rows(x, index, n, W, out)
    np.testing.assert_array_equal(out, wanted)


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
