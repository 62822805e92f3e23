"""Measuring the gain and the noise of an analog matrix multiplier from what it answers."""

from typing import NamedTuple

import torch
from torch import Tensor

from neurobench.config.errors import UserError
from neurobench.devices.mac.protocol import COLUMNS, ROWS, AnalogMac
from neurobench.kernels.random import derive

WEIGHT = 21  # of every synapse, in both routines
SCAN = 0.85 ** torch.arange(20, dtype=torch.float64)  # densities of active inputs


class Patterns(NamedTuple):
    """Answers to random on/off patterns of the inputs."""

    x: Tensor  # (D, R) sent
    y: Tensor  # (D, T, O) read, T times each


class Fit(NamedTuple):
    """A straight line for each column, y + 0.5 = a (x W) + o, and what the columns have in common."""

    gain: float  # mean of a
    noise_std: float  # LSB, from trial to trial
    gain_spread: float  # sd of a over columns / mean
    offset_spread: float  # LSB, sd of o over columns
    a: Tensor  # (O,)
    o: Tensor  # (O,) LSB


class Compat(NamedTuple):
    """What hxtorch's `measure_mock_parameter` would print."""

    gain: float
    noise_std: float


def fit_patterns(mac: AnalogMac, seed: int, device: torch.device) -> Patterns:
    """Inputs of 16 at 64 densities, 20 repeats each, one whole array."""
    draw = torch.Generator().manual_seed(derive(seed, 0))
    density = torch.linspace(0.05, 0.9, 64)[:, None]
    x = (16 * (torch.rand(64, ROWS, generator=draw) < density)).float().to(device)
    w = torch.full((ROWS, COLUMNS), float(WEIGHT), device=device)
    y = mac.matmul(x.repeat_interleave(20, 0), w, 1, derive(seed, 1)).y
    return Patterns(x, y.reshape(64, 20, COLUMNS))


def fit(patterns: Patterns) -> Fit:
    """Least squares for each column, over patterns that keep every column within 90 LSB of zero.

    The half makes up for the floor of the read-out; 1/12 is the variance that rounding adds.
    """
    y = patterns.y.double()
    linear = within(patterns)
    if linear.sum() < 2:
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
    """(D,) bool: patterns that no column answers with more than 90 LSB, where it is no longer linear."""
    m = patterns.y.double().mean(1) + 0.5
    return (m.abs() <= 90).all(1)


def compat(mac: AnalogMac, seed: int, device: torch.device) -> Compat:
    """As `measure_mock_parameter`: 256 inputs, so TWO chunks whose noise and floors add up.

    Its gain comes out 1.5 % too large (15.5 is sent as 16) and its noise 1.4 times too large.
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
    """The first k whose median over columns is nearest to 63.5, half the positive range. y: (20, O)."""
    return int((y.double().median(1).values - 63.5).abs().argmin())


def compat_estimate(x: Tensor, y: Tensor) -> Compat:
    """gain = median of all y / (x W); noise = median over columns of the sd of y - gain x W. x (T, I), y (T, O)."""
    s = WEIGHT * x.double().sum(1, keepdim=True)
    gain = (y.double() / s).median()
    noise = (y.double() - gain * s).std(0).median()
    return Compat(float(gain), float(noise))
