"""Calibration of an analog matrix multiplier: estimates of its gain and noise from its answers."""

from typing import NamedTuple

import torch
from torch import Tensor

from neurobench.config.errors import UserError
from neurobench.devices.mac.protocol import COLUMNS, ROWS, AnalogMac
from neurobench.kernels.random import derive

WEIGHT = 21  # of every synapse, in both routines
SCAN = 0.85 ** torch.arange(20, dtype=torch.float64)  # densities of active inputs


class Patterns(NamedTuple):
    """Random on/off patterns of the inputs, and the answers to them."""

    x: Tensor  # (D, R) inputs
    y: Tensor  # (D, T, O) answers, T repeats of each pattern


class Fit(NamedTuple):
    """Straight line fitted to each column, y + 0.5 = a (x W) + o, and its statistics over columns."""

    gain: float  # mean of a
    noise_std: float  # LSB, from trial to trial
    gain_spread: float  # sd of a over columns / mean
    offset_spread: float  # LSB, sd of o over columns
    a: Tensor  # (O,)
    o: Tensor  # (O,) LSB


class Compat(NamedTuple):
    """Gain and noise that hxtorch's `measure_mock_parameter` would print."""

    gain: float
    noise_std: float


def fit_patterns(mac: AnalogMac, seed: int, device: torch.device) -> Patterns:
    """Measure answers to inputs of 16 at 64 densities, 20 repeats each, on one whole array."""
    draw = torch.Generator().manual_seed(derive(seed, 0))
    density = torch.linspace(0.05, 0.9, 64)[:, None]
    x = (16 * (torch.rand(64, ROWS, generator=draw) < density)).float().to(device)
    w = torch.full((ROWS, COLUMNS), float(WEIGHT), device=device)
    y = mac.matmul(x.repeat_interleave(20, 0), w, 1, derive(seed, 1)).y
    return Patterns(x, y.reshape(64, 20, COLUMNS))


def fit(patterns: Patterns) -> Fit:
    """Fit each column by least squares, over patterns that keep every column within 90 LSB of zero.

    The 0.5 compensates for the floor in the read-out; 1/12 is the variance that rounding adds.
    """
    y = patterns.y.double()
    linear = within(patterns)
    if not is_linear(patterns):
        raise UserError(
            "calibration: no two patterns keep every column within 90 LSB, so there is no straight line to fit. "
            "Lower the chip's gain, mismatch or column_offset."
        )
    m = y[linear].mean(1) + 0.5
    s = WEIGHT * patterns.x[linear].double().sum(1)
    deviation = s - s.mean()
    a = (deviation @ (m - m.mean(0))) / (deviation @ deviation)
    o = m.mean(0) - a * s.mean()
    variance = y[linear].var(1).mean()
    noise_std = float((variance - 1 / 12).clamp(min=0).sqrt())
    return Fit(float(a.mean()), noise_std, float(a.std() / a.mean()), float(o.std()), a, o)


def within(patterns: Patterns) -> Tensor:
    """Mask (D,) of patterns that every column answers within 90 LSB, beyond which it is no longer linear."""
    m = patterns.y.double().mean(1) + 0.5
    return (m.abs() <= 90).all(1)


def is_linear(patterns: Patterns) -> bool:
    """Whether at least two patterns keep every column in its linear range, so that `fit` has a straight line."""
    return int(within(patterns).sum()) >= 2


def compat(mac: AnalogMac, seed: int, device: torch.device) -> Compat:
    """Calibrate as `measure_mock_parameter` does: with 256 inputs, so TWO chunks whose noise and floors add up.

    The gain comes out 1.5 % too large (15.5 is sent as 16) and the noise 1.4 times too large.
    """
    draw = torch.Generator().manual_seed(derive(seed, 2))
    w = torch.full((2 * ROWS, ROWS), float(WEIGHT), device=device)
    scan = torch.rand(20, 2 * ROWS, generator=draw)
    y = mac.matmul(_active(scan, SCAN[:, None]).to(device), w, 1, derive(seed, 3)).y
    density = SCAN[best_density(y)]
    u = torch.rand(50, 2 * ROWS, generator=draw)
    x = _active(u, density).to(device)
    return compat_estimate(x, mac.matmul(x, w, 1, derive(seed, 4)).y)


def _active(u: Tensor, density: Tensor) -> Tensor:
    return 15.5 * (u.double() < density).float()


def best_density(y: Tensor) -> int:
    """First index of the density whose median over columns is nearest to 63.5, half the positive range. y: (20, O)."""
    return int((y.double().median(1).values - 63.5).abs().argmin())


def compat_estimate(x: Tensor, y: Tensor) -> Compat:
    """gain = median of all y / (x W); noise = median over columns of the sd of y - gain x W. x (T, I), y (T, O)."""
    s = WEIGHT * x.double().sum(1, keepdim=True)
    gain = (y.double() / s).median()
    noise = (y.double() - gain * s).std(0).median()
    return Compat(float(gain), float(noise))
