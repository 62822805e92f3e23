"""The initialiser of hxtorch's linear layer. Source: hxtorch 3bfc7aa, formulas only."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from neurobench.devices.mac.analog_array import W_MAX, X_MAX
from neurobench.models.hxtorch.layers import Layer

RELU_SHIFT = 1  # which the initialiser assumes after every layer, whatever follows
WEIGHT_SCALE = 21  # a third of the weights' range: three standard deviations fit


class Widths(NamedTuple):
    """How widely a layer's first values are spread."""

    num_sends: int
    std: float  # of the weights, before they are cut to their range
    bias: float  # biases are uniform in [-bias, bias)


def widths(gain: float, fan_in: int, num_sends: int | None = None, relu_shift: int = RELU_SHIFT) -> Widths:
    """T = 2^relu_shift sqrt(2) / gain, s = T / sqrt(fan_in); num_sends = ceil(s / 21), std = s / num_sends."""
    s = 2**relu_shift * math.sqrt(2) / gain / math.sqrt(fan_in)
    sends = math.ceil(s / WEIGHT_SCALE) if num_sends is None else num_sends
    return Widths(sends, s / sends, s / (X_MAX / math.sqrt(3)))


def initial_layer(
    inputs: int, outputs: int, gain: float, generator: torch.Generator, *, num_sends: int | None, bias: bool, avg: int
) -> Layer:
    """Truncated normal weights and uniform biases."""
    wide = widths(gain, inputs, num_sends)
    weight = torch.empty(outputs, inputs)
    torch.nn.init.trunc_normal_(weight, 0.0, wide.std, -W_MAX, W_MAX, generator)
    b = (2 * torch.rand(outputs, generator=generator) - 1) * wide.bias if bias else None
    return Layer(weight, b, wide.num_sends, avg)
