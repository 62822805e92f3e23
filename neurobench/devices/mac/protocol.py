"""Protocol of analog matrix multipliers, and the common properties of BrainScaleS-2's arrays: size, integer ranges,
and how a matrix is laid out on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.functional import pad

ROWS, COLUMNS = 128, 256  # signed rows: each input takes two rows of synapses
X_MAX, W_MAX = 31, 63  # inputs in [0, X_MAX], weights in [-W_MAX, W_MAX]
Y_MIN, Y_MAX = -128, 127  # range of the read-out, in LSB


class Products(NamedTuple):
    """The answer of an analog matrix multiplier."""

    y: Tensor  # (B, O) float32, whole numbers in [-128, 127]: LSB of the read-out
    cost: Mapping[str, float]  # vectors: B; sends: number of vectors sent, repeats included


class AnalogMac(Protocol):
    """Multiplies matrices of small integers in the analog domain, and digitises the products to 8 bits."""

    gain: float  # in the host's linear model of this device: LSB of the read-out for x * w = 1 sent once
    noise_std: float  # LSB, of one partial sum, in the same model
    identity: Mapping[str, Any]  # distinguishes this chip from others; empty if there is no chip
    calibration: Mapping[str, float]  # figures measured on the chip; empty if there is none

    def matmul(self, x: Tensor, w: Tensor, num_sends: int, seed: int) -> Products:
        """Multiply (B, I) @ (I, O) -> (B, O), or (I,) @ (I, O) -> (O,).

        x must round to [0, 31] and w to [-63, 63]; values outside are an error. Each input is sent `num_sends` times.
        """
        ...

    def host(self) -> AnalogMac:
        """Return the linear model of this device with its measured gain and noise; an ideal device returns itself."""
        ...


class OutOfRange(ValueError):
    """An operand that the array cannot represent. The message gives its range and the range that fits."""


def as_matrices(x: Tensor, w: Tensor, num_sends: int, rounding: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Round x (B, I) or (I,), w (I, O) -> (P, B, R), (P, R, O): P chunks of an array's rows, the last padded with 0.

    Raises OutOfRange, and ValueError if shapes do not match.
    """
    if w.ndim != 2:
        raise ValueError(f"w has {w.ndim} dimensions, not 2: (inputs, outputs)")
    if x.ndim not in (1, 2):
        raise ValueError(f"x has {x.ndim} dimensions, not 1 or 2: (inputs) or (batch, inputs)")
    if x.shape[-1] != w.shape[0]:
        raise ValueError(f"x has {x.shape[-1]} inputs, w has {w.shape[0]} rows; they must be equal")
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
        if not (low <= least and most <= high):  # also if either is NaN
            least, most = (float(extreme) for extreme in torch.aminmax(values))
            raise OutOfRange(f"{what}: found {least:g} to {most:g}, must round to [{low}, {high}]")
    return rounded


def half_away(values: Tensor) -> Tensor:
    """Round to the nearest integer, halves away from zero."""
    return torch.sign(values) * torch.floor(values.abs() + 0.5)


def read_out(v: Tensor, x: Tensor, num_sends: int) -> Products:
    """Digitise and clamp each partial sum in v (P, B, O), then clamp their sum: the answer to x (B, I) or (I,)."""
    y = v.floor_().clamp_(Y_MIN, Y_MAX)
    y = y[0] if len(y) == 1 else y.sum(0).clamp_(Y_MIN, Y_MAX)
    return Products(y[0] if x.ndim == 1 else y, {"vectors": len(y), "sends": len(y) * num_sends})
