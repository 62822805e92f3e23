"""The integer neuron at the limits of a core, in the reference and in the compiled step."""

import numpy as np
import torch

from neurobench.kernels.cuba import step
from neurobench.kernels.cuba.step import gather_fixed, gather_float
from neurobench.models.slayer.neuron import POINT, FixedNeuron, FloatNeuron, delayed, undelayed, unroll
from tests.models.slayer.conftest import vector

Z = vector("core_limits")
BITS = 2**23


def test_the_reference_wraps_and_clips_like_lavas_model_of_the_chip() -> None:
    for n in range(Z["a"].shape[1]):
        i, v, threshold = (int(Z[name][n]) for name in ("i_decay", "v_decay", "v_th_mant"))
        neuron = FixedNeuron(POINT - i, POINT - v, 64 * threshold, BITS, BITS - 1)
        z = torch.from_numpy(Z["a"][:, n].astype(np.int64) << 6)[:, None, None]
        s, currents, voltages = unroll(neuron, z)
        np.testing.assert_array_equal(currents[:, 0, 0], Z["u"][:, n])
        np.testing.assert_array_equal(voltages[:, 0, 0], Z["v"][:, n])
        np.testing.assert_array_equal(s[:, 0, 0], Z["s"][:, n])
    assert (np.abs(Z["v"]) == BITS - 1).any(), "the vectors reach the voltage's limit"


def test_the_compiled_step_wraps_and_clips_like_lavas_model_of_the_chip() -> None:
    wrapped = 0
    for n in range(Z["a"].shape[1]):
        i, v, threshold = (int(Z[name][n]) for name in ("i_decay", "v_decay", "v_th_mant"))
        u, w, out = np.zeros((3, 1), np.int32)
        fired = np.zeros(8, np.uint8)
        neuron = step.FixedNeuron(*map(np.int32, (POINT - i, POINT - v, 64 * threshold, BITS, BITS - 1)))
        for t, a in enumerate(Z["a"][:, n]):
            if a % 2:
                break  # the kernel is given sums of even mantissas
            before = u[0]
            step.step_fixed(np.array([a // 2], np.int32), 1.0, neuron, u, w, out, fired)
            assert (u[0], out[0], fired[0]) == (Z["u"][t, n], Z["v"][t, n], Z["s"][t, n]), (n, t)
            wrapped += abs(int(u[0]) - int(before)) > BITS
    assert wrapped, "the vectors make a current wrap"


def test_the_integer_decay_is_exact_if_float32_rounds_its_product() -> None:
    """3973/4096 of 7859: float32 rounds the product to 1 too much."""
    state, zero = torch.tensor([[7859]]), torch.zeros(1, 1, dtype=torch.int64)
    s, _currents, voltages = unroll(FixedNeuron(0, 3973, 10**6, 2**30, 2**30), torch.stack([state, zero]))
    assert voltages[1].item() == 7859 * 3973 // 4096
    assert not s.any()


def test_voltage_below_threshold_follows_the_geometric_sum() -> None:
    _, _, v = unroll(FloatNeuron(ku=0.0, kv=0.9, threshold=1e9), torch.ones(50, 1, 1, dtype=torch.float64))
    np.testing.assert_allclose(v[:, 0, 0], [(1 - 0.9 ** (t + 1)) / 0.1 for t in range(50)])


def test_sums_of_weight_rows_are_exact_for_any_number_of_rows() -> None:
    """300 rows of the largest weight: more than an int16 can store at once."""
    W = np.full((300, 9), 127, np.int8)
    W[7] = -128
    index = np.arange(300, dtype=np.uint16)
    part, a, b = np.empty(9, np.int16), np.empty(9, np.int32), np.empty(9, np.float32)
    gather_fixed(index, 0, 300, W, part, a)
    assert (a == W.astype(int).sum(0)).all()
    gather_float(index, 3, 30, W.astype(np.float32), b)
    assert (b == W[3:33].astype(int).sum(0)).all()


def test_delaying_and_undelaying_are_transposes_of_each_other() -> None:
    draw = torch.Generator().manual_seed(0)
    delay = torch.tensor([0, 1, 5, 30])
    x, g = (torch.rand(20, 3, 4, generator=draw) for _ in range(2))
    assert torch.allclose((delayed(x, delay) * g).sum(), (x * undelayed(g, delay)).sum())
    assert (delayed(x, delay)[:1] == 0).all()
    assert (delayed(x, delay)[6:, :, 2] == x[:14, :, 2]).all()
    assert (delayed(x, delay)[:, :, 3] == 0).all(), "a delay beyond the last step"
