"""What an analog matrix multiplier does, and what every array of BrainScaleS-2 shares: its size, its integer ranges,
and how a matrix is laid on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.functional import pad

ROWS, COLUMNS = 128, 256  # signed rows, so one input takes two rows of synapses
X_MAX, W_MAX = 31, 63  # inputs in [0, X_MAX], weights in [-W_MAX, W_MAX]
Y_MIN, Y_MAX = -128, 127  # of the read-out, in LSB


class Products(NamedTuple):
    """The answer of an analog matrix multiplier."""

    y: Tensor  # (B, O) float32, whole numbers in [-128, 127]: LSB of the read-out
    cost: Mapping[str, float]  # vectors: B; sends: how often a vector was sent for them


class AnalogMac(Protocol):
    """Multiplies matrices of small integers in the analog domain, and digitises the products to 8 bits."""

    gain: float  # of the host's linear model of this device: LSB of the read-out for x * w = 1 sent once
    noise_std: float  # LSB, of one partial sum, in the same model
    identity: Mapping[str, Any]  # what tells this chip from another one; empty where there is no chip
    calibration: Mapping[str, float]  # what was measured of the chip; empty where there is none

    def matmul(self, x: Tensor, w: Tensor, num_sends: int, seed: int) -> Products:
        """(B, I) @ (I, O) -> (B, O), or (I,) @ (I, O) -> (O,).

        x is rounded to [0, 31] and w to [-63, 63]; outside is an error. Each input is sent `num_sends` times.
        """
        ...

    def host(self) -> AnalogMac:
        """The linear model of this device with what was measured of it; an ideal device is its own model."""
        ...


class OutOfRange(ValueError):
    """An operand that the array cannot hold. The message gives what it was and what fits."""


def as_matrices(x: Tensor, w: Tensor, num_sends: int, rounding: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """x (B, I) or (I,), w (I, O) -> (P, B, R), (P, R, O), rounded: P chunks of an array's rows, the last padded with 0.

    Raises OutOfRange, and ValueError for shapes that do not fit.
    """
    if w.ndim != 2:
        raise ValueError(f"w has {w.ndim} dimensions, not 2: (inputs, outputs)")
    if x.ndim not in (1, 2):
        raise ValueError(f"x has {x.ndim} dimensions, not 1 or 2: (inputs) or (batch, inputs)")
    if x.shape[-1] != w.shape[0]:
        raise ValueError(f"x has {x.shape[-1]} inputs, w has {w.shape[0]} rows; they must be as many")
    if isinstance(num_sends, bool) or not isinstance(num_sends, int) or num_sends < 1:
        raise ValueError(f"num_sends={num_sends!r} is not an integer of at least 1")
    x = torch.atleast_2d(_in_range("input x", x, rounding, 0, X_MAX))
    w = _in_range("weight w", w, rounding, -W_MAX, W_MAX)
    if len(w) <= ROWS:
        return x[None], w[None]
    missing = -len(w) % ROWS
    x, w = pad(x, (0, missing)), pad(w, (0, 0, 0, missing))
    return x.reshape(len(x), -1, ROWS).transpose(0, 1), w.reshape(-1, ROWS, w.shape[1])


def _in_range(what: str, values: Tensor, rounding: Callable[[Tensor], Tensor], low: int, high: int) -> Tensor:
    rounded = rounding(values)
    if rounded.numel():
        least, most = (float(extreme) for extreme in torch.aminmax(rounded))
        if not (low <= least and most <= high):  # also where either is NaN
            least, most = (float(extreme) for extreme in torch.aminmax(values))
            raise OutOfRange(f"{what}: found {least:g} to {most:g}, must round to [{low}, {high}]")
    return rounded


def half_away(values: Tensor) -> Tensor:
    """Rounds to the nearest integer, halves away from zero."""
    return torch.sign(values) * torch.floor(values.abs() + 0.5)


def read_out(v: Tensor, x: Tensor, num_sends: int) -> Products:
    """The answer to x (B, I) or (I,): each partial sum in v (P, B, O) is digitised and clamped, then their sum."""
    y = v.floor_().clamp_(Y_MIN, Y_MAX)
    y = y[0] if len(y) == 1 else y.sum(0).clamp_(Y_MIN, Y_MAX)
    return Products(y[0] if x.ndim == 1 else y, {"vectors": len(y), "sends": len(y) * num_sends})
