"""What every analog array of BrainScaleS-2 shares: its size, its integer ranges, and how a matrix is laid on it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

ROWS, COLUMNS = 128, 256  # signed rows, so one input takes two rows of synapses
X_MAX, W_MAX = 31, 63  # inputs in [0, X_MAX], weights in [-W_MAX, W_MAX]
Y_MIN, Y_MAX = -128, 127  # of the read-out, in LSB


class OutOfRange(ValueError):
    """An operand that the array cannot hold. The message gives what was found and what fits."""


def integers(x: Tensor, w: Tensor, num_sends: int, rounding: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """x (B, I) and w (I, O) as the array holds them. Raises OutOfRange, and ValueError for shapes that do not fit."""
    if w.ndim != 2:
        raise ValueError(f"w has {w.ndim} dimensions, not 2: (inputs, outputs)")
    if x.ndim != 2:
        raise ValueError(f"x has {x.ndim} dimensions, not 1 or 2: (inputs) or (batch, inputs)")
    if x.shape[1] != w.shape[0]:
        raise ValueError(f"x has {x.shape[1]} inputs, w has {w.shape[0]} rows; they must be as many")
    if isinstance(num_sends, bool) or not isinstance(num_sends, int) or num_sends < 1:
        raise ValueError(f"num_sends={num_sends!r} is not an integer of at least 1")
    return _held("input x", x, rounding, 0, X_MAX), _held("weight w", w, rounding, -W_MAX, W_MAX)


def _held(what: str, values: Tensor, rounding: Callable[[Tensor], Tensor], low: int, high: int) -> Tensor:
    held = rounding(values)
    if held.numel():
        least, most = (float(extreme) for extreme in torch.aminmax(held))
        if not (low <= least and most <= high):  # also where either is NaN
            found = [float(extreme) for extreme in torch.aminmax(values)]
            raise OutOfRange(f"{what}: found {found[0]:g} to {found[1]:g}, must round to [{low}, {high}]")
    return held


def half_away(values: Tensor) -> Tensor:
    """Rounds to the nearest integer, halves away from zero."""
    return torch.sign(values) * torch.floor(values.abs() + 0.5)


def chunked(x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """x (B, I), w (I, O) -> (P, B, R), (P, R, O): rows in chunks of an array's; zeros fill the last one up."""
    inputs = w.shape[0]
    if inputs <= ROWS:
        return x[None], w[None]
    missing = -inputs % ROWS
    x = torch.nn.functional.pad(x, (0, missing))
    w = torch.nn.functional.pad(w, (0, 0, 0, missing))
    return x.reshape(len(x), -1, ROWS).transpose(0, 1), w.reshape(-1, ROWS, w.shape[1])


def read_out(v: Tensor) -> Tensor:
    """v (P, B, O) -> (B, O): each partial sum is digitised and clamped, then their sum is clamped."""
    y = v.floor_().clamp_(Y_MIN, Y_MAX)
    return y[0] if len(y) == 1 else y.sum(0).clamp_(Y_MIN, Y_MAX)
