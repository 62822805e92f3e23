"""Tests of the emulated BrainScaleS-2 chip and of its calibration."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neurobench.config.bounds import BoundsError
from neurobench.config.errors import UserError
from neurobench.devices.mac import calibration
from neurobench.devices.mac.mock_bss2 import Chip
from tests.specs import spec

CPU = torch.device("cpu")
VECTORS = np.load(Path(__file__).parents[1] / "models/hxtorch/calibration.npz")
IDEAL = {"mismatch": 0.0, "noise_std": 0.0}


def chip(seed: int = 0, run: int = 0, **changes: Any) -> Chip:
    device = spec("backend/mock", "mac", chip_seed=seed, **changes).open(run, CPU)
    assert isinstance(device, Chip)
    return device


def linear(**changes: Any) -> Any:
    return spec("backend/sim", "mac", **changes).open(0, CPU)


def test_pattern_and_calibration_depend_on_the_chip_seed_alone() -> None:
    same = [chip(3, run) for run in (0, 99)]
    torch.manual_seed(5)
    same[0].matmul(torch.ones(3, 4), torch.ones(4, 5), 1, 0)
    assert all(torch.equal(a, b) for a, b in zip(same[0].pattern, same[1].pattern, strict=True))
    assert same[0].calibration == same[1].calibration
    assert not torch.equal(chip(4).pattern.gain, same[0].pattern.gain)


def test_without_noise_a_sample_gets_the_same_answer_alone_and_in_a_batch() -> None:
    device = chip(noise_std=0.0)
    x = 31 * torch.rand(6, 200, generator=torch.Generator().manual_seed(1))
    w = 20 * torch.rand(200, 30, generator=torch.Generator().manual_seed(2))
    whole = device.matmul(x, w, 1, 0).y
    assert torch.equal(torch.stack([device.matmul(row, w, 1, 0).y for row in x]), whole)


def test_a_chip_without_mismatch_and_noise_equals_the_linear_model_of_its_gain() -> None:
    """Inputs and weights are integers, so that the two ways of rounding agree."""
    x = torch.randint(0, 32, (50, 300), generator=torch.Generator().manual_seed(1)).float()
    w = torch.randint(-20, 21, (300, 300), generator=torch.Generator().manual_seed(2)).float()
    # the gain is not a dyadic number: products within 1e-4 of an integer may fall to either side
    y, modelled = (device.matmul(x, w, 1, 0).y for device in (chip(**IDEAL), linear(noise_std=0.0)))
    assert (y != modelled).float().mean() < 1e-3


def test_the_chip_rounds_halves_away_from_zero_and_refuses_minus_a_half() -> None:
    device = chip(**IDEAL, gain=0.004)  # sent 260 times: 1.04 LSB a unit
    x, w = torch.tensor([[0.5, 2.5]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert device.matmul(x, w, 260, 0).y.tolist() == [[1.0, 3.0]]
    with pytest.raises(ValueError, match="input x: found -0.5 to -0.5"):
        device.matmul(torch.tensor([[-0.5]]), torch.ones(1, 1), 1, 0)


def test_chunks_of_rows_alternate_between_arrays_without_a_restart_at_column_blocks() -> None:
    """One nonzero input and weight at a time shows the gain of the synapse they use. Three chunks, so that the second
    block of columns begins on the other array."""
    device = chip(noise_std=0.0, column_offset=0.0)
    sends, inputs, outputs = 7000, 300, 260
    arrays = {(0, 0): 0, (1, 0): 1, (2, 0): 0, (0, 1): 1, (1, 1): 0, (2, 1): 1}  # (chunk, block) -> array, by hand
    for row, column in ((0, 0), (127, 255), (128, 3), (299, 9), (5, 256), (130, 259), (299, 258)):
        w = torch.zeros(inputs, outputs)
        w[row, column] = 1.0
        x = torch.zeros(1, inputs)
        x[0, row] = 1.0
        array = arrays[row // 128, column // 256]
        gain = device.pattern.gain[array, row % 128, column % 256]
        assert device.matmul(x, 3 * w, sends, 0).y[0, column] == (3 * sends * gain).floor(), (row, column)


def test_outputs_are_limited_by_the_rails_before_the_read_out_saturates() -> None:
    device = chip(noise_std=0.0)
    x, w = torch.full((1, 128), 31.0), torch.full((128, 256), 63.0)
    top, bottom = device.matmul(x, w, 1, 0).y[0], device.matmul(x, -w, 1, 0).y[0]
    assert torch.equal(top, device.pattern.high[0, 0].floor())
    assert torch.equal(bottom, device.pattern.low[0, 0].floor().clamp(min=-128))
    assert -112 < bottom.mean() < -109
    assert 123 < top.mean() < 126


def test_an_input_offset_acts_only_on_nonzero_inputs() -> None:
    device = chip(**IDEAL, x_offset=2.0, gain=0.004)  # sent 260 times: 1.04 LSB a unit
    y = device.matmul(torch.tensor([[0.0], [1.0], [5.0]]), torch.ones(1, 1), 260, 0).y
    assert y.flatten().tolist() == [0, 3, 7]


def test_a_chip_that_cannot_be_calibrated_says_why() -> None:
    with pytest.raises(UserError, match="no two patterns keep every column within 90 LSB.*Lower the chip's gain"):
        chip(gain=0.5)


@pytest.mark.parametrize(("gain", "calibrated"), [(1e-6, "compat"), (1e-7, "fit")])
def test_a_gain_that_is_lost_in_the_noise_is_refused_by_the_name_of_its_key(gain: float, calibrated: str) -> None:
    with pytest.raises(UserError, match=r"a gain of -.* was measured.* Raise backend\.mac\.gain"):
        chip(gain=gain, calibration=calibrated)


def test_mismatch_scales_spreads_and_offset_but_not_noise_and_rails() -> None:
    once, twice = (chip(mismatch=m).pattern for m in (1.0, 2.0))
    assert torch.allclose(twice.offset, 2 * once.offset)
    assert torch.equal(twice.low, once.low)
    assert torch.equal(twice.high, once.high)
    ratio = (twice.gain.std() / once.gain.std()).item()
    assert ratio == pytest.approx(2, rel=0.02)
    assert chip(mismatch=2.0).noise_std == pytest.approx(2.0, rel=0.02)


def test_gain_spreads_over_many_synapses_are_those_configured() -> None:
    gain = torch.cat([chip(seed).pattern.gain for seed in range(4)]) / 0.0034
    columns, rows = gain.mean(1), gain.mean(2)
    assert columns.std(1).mean().item() == pytest.approx(0.04, rel=0.1)
    assert rows.std(1).mean().item() == pytest.approx(0.02, rel=0.1)
    rest = gain - columns[:, None] - rows[:, :, None] + gain.mean((1, 2), keepdim=True)
    assert rest.std().item() == pytest.approx(0.05, rel=0.02)


@pytest.mark.parametrize("seed", range(5))
def test_fit_finds_gain_noise_and_column_spread_of_the_chip(seed: int) -> None:
    device = chip(seed)
    column = device.pattern.gain[0].mean(0)
    assert device.gain == pytest.approx(column.mean().item(), rel=0.005)
    assert device.noise_std == pytest.approx(2.0, rel=0.02)
    assert device.calibration["gain_spread"] == pytest.approx((column.std() / column.mean()).item(), rel=0.1)
    assert device.calibration["offset_spread"] == pytest.approx(device.pattern.offset[0].std().item(), rel=0.1)
    assert device.calibration["gain_error"] == pytest.approx(device.gain / column.mean().item() - 1, abs=1e-6)


def test_fit_sees_an_input_offset_as_gain() -> None:
    """An input of 16 acts as 17.75."""
    assert chip(x_offset=1.75).gain == pytest.approx(chip().gain * 17.75 / 16, rel=0.005)


def test_compat_has_the_bias_of_the_reference_routine() -> None:
    """On the linear model with gain 0.0034 and noise 2: a gain 1.5 % too large, the noise of two chunks and floors."""
    estimates = [calibration.compat(linear(), seed, CPU) for seed in range(10)]
    gain, noise = (float(np.mean([getattr(one, name) for one in estimates])) for name in ("gain", "noise_std"))
    assert gain / 0.0034 == pytest.approx(1.015, abs=0.007)
    assert noise / 2.0 == pytest.approx(1.42, abs=0.03)
    assert chip(calibration="compat").noise_std > 1.3 * chip().noise_std


def test_compat_gives_the_reference_values() -> None:
    densities = calibration.SCAN
    best = calibration.best_density(torch.from_numpy(VECTORS["compat_scan_y"].astype(np.float32)))
    assert best == int(VECTORS["compat_best"])
    x = 15.5 * torch.from_numpy(VECTORS["compat_u"] < float(densities[best])).float()
    found = calibration.compat_estimate(x, torch.from_numpy(VECTORS["compat_y"].astype(np.float32)))
    assert found.gain == pytest.approx(float(VECTORS["compat_gain"]), rel=1e-6)
    assert found.noise_std == pytest.approx(float(VECTORS["compat_noise_std"]), rel=1e-6)


def test_fit_gives_the_reference_values() -> None:
    y = torch.from_numpy(VECTORS["fit_y"].astype(np.float32))
    patterns = calibration.Patterns(torch.from_numpy(VECTORS["fit_x"].astype(np.float32)), y)
    assert np.array_equal(calibration.within(patterns).numpy(), VECTORS["fit_keep"])
    found = calibration.fit(patterns)
    for name in ("gain", "noise_std", "gain_spread", "offset_spread"):
        assert getattr(found, name) == pytest.approx(float(VECTORS[f"fit_{name}"]), rel=1e-6)
    assert np.allclose(found.a.numpy(), VECTORS["fit_col_gain"], rtol=1e-6)
    assert np.allclose(found.o.numpy(), VECTORS["fit_col_offset"], rtol=1e-6, atol=1e-6)


def test_the_column_spread_of_the_demos_lies_between_the_anchored_and_the_typical_chip() -> None:
    """One row of x = 12, w = 21 sent 100 times: the demos show an sd of 3.1 LSB over 256 columns."""
    spread = {}
    for name, fields in {
        "typical": {},
        "anchored": {"column_spread": 0.025, "synapse_spread": 0.03, "column_offset": 1.0},
    }.items():
        x, w = torch.full((400, 1), 12.0), torch.full((1, 256), 21.0)
        fields = {**fields, "gain": 0.0020}
        spread[name] = float(np.mean([chip(s, **fields).matmul(x, w, 100, 0).y.mean(0).std().item() for s in range(4)]))
    assert spread["anchored"] < 3.1 < spread["typical"]


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("chip_seed", -1, "chip_seed=-1 is not in [0, 2147483647]"),
        ("gain", 0.0, "gain=0.0 is not in (0, 1]"),
        ("gain", 1.5, "gain=1.5 is not in (0, 1]"),
        ("noise_std", -1.0, "noise_std=-1.0 is not in [0, 1000]"),
        ("noise_std", float("nan"), "noise_std=nan is not in [0, 1000]"),
        ("column_spread", 2.0, "column_spread=2.0 is not in [0, 1]"),
        ("calibration", "best", "calibration='best' is not one of fit, compat"),
    ],
)
def test_an_invalid_value_is_refused_with_a_specific_message(field: str, value: Any, sentence: str) -> None:
    with pytest.raises(BoundsError) as caught:
        spec("backend/mock", "mac", **{field: value})
    assert sentence in str(caught.value)
    if field in ("gain", "noise_std"):
        with pytest.raises(BoundsError):
            linear(**{field: value})
