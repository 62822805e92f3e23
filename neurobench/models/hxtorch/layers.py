"""The layers of hxtorch's perceptron, their initial values and gradients, in LSB. Source: hxtorch 3bfc7aa, formulas."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from neurobench.devices.mac.array import W_MAX, X_MAX, Y_MAX, Y_MIN
from neurobench.devices.mac.protocol import AnalogMac

RELU_SHIFT = 1  # which the initialiser assumes after every layer, whatever follows
WEIGHT_SCALE = 21  # a third of the weights' range: three standard deviations fit


class Layer(NamedTuple):
    """One linear layer as it is stored: weights unrounded."""

    weight: Tensor  # (O, I)
    bias: Tensor | None  # (O,)
    num_sends: int  # how often each input is sent
    avg: int  # columns that hold the same weights

    def to(self, device: torch.device) -> Layer:
        bias = None if self.bias is None else self.bias.to(device)
        return self._replace(weight=self.weight.to(device), bias=bias)


class InitialScales(NamedTuple):
    """Initialisation scales of a layer."""

    num_sends: int
    std: float  # of the weights, before they are truncated to their range
    bias: float  # biases are uniform in [-bias, bias)


def initial_scales(gain: float, fan_in: int, num_sends: int | None, relu_shift: int = RELU_SHIFT) -> InitialScales:
    """T = 2^relu_shift sqrt(2) / gain, s = T / sqrt(fan_in); num_sends = ceil(s / 21), std = s / num_sends."""
    s = 2**relu_shift * math.sqrt(2) / gain / math.sqrt(fan_in)
    sends = math.ceil(s / WEIGHT_SCALE) if num_sends is None else num_sends
    return InitialScales(sends, s / sends, s / (X_MAX / math.sqrt(3)))


def initial_layer(
    inputs: int, outputs: int, gain: float, generator: torch.Generator, *, num_sends: int | None, bias: bool, avg: int
) -> Layer:
    """Truncated normal weights and uniform biases."""
    scales = initial_scales(gain, inputs, num_sends)
    weight = torch.empty(outputs, inputs)
    torch.nn.init.trunc_normal_(weight, 0.0, scales.std, -W_MAX, W_MAX, generator)
    b = (2 * torch.rand(outputs, generator=generator) - 1) * scales.bias if bias else None
    return Layer(weight, b, scales.num_sends, avg)


def linear(x: Tensor, layer: Layer, mac: AnalogMac, seed: int) -> Tensor:
    """(B, I) -> (B, O): mean over the columns that hold the same weights, then the bias.

    Clamps the stored weight in place. Whole numbers with a bias, steps of 1 / avg without.
    """
    layer.weight.clamp_(-W_MAX, W_MAX)
    w = layer.weight.t().repeat_interleave(layer.avg, dim=1) if layer.avg > 1 else layer.weight.t()
    y = mac.matmul(x, w, layer.num_sends, seed).y
    if layer.avg > 1:
        y = y.reshape(len(y), -1, layer.avg).sum(2) / layer.avg
    return y if layer.bias is None else add_bias(y, layer.bias)


def add_bias(a: Tensor, b: Tensor) -> Tensor:
    """clamp(clamp(floor(a)) + clamp(floor(b))), all to 8 bits."""
    return (a.floor().clamp_(Y_MIN, Y_MAX) + b.floor().clamp_(Y_MIN, Y_MAX)).clamp_(Y_MIN, Y_MAX)


def linear_gradient(g: Tensor, x: Tensor, layer: Layer, gain: float) -> Layer:
    """dL/d weight and dL/d bias under the host's model y = gain num_sends W x + b; g (B, O), x (B, I).

    Rounding, clamps and noise leave no trace in it. Averaged columns give the sum of their equal shares.
    """
    weight = (g.t() @ x).mul_(gain * layer.num_sends)
    return Layer(weight, None if layer.bias is None else g.sum(0), layer.num_sends, layer.avg)


def input_gradient(g: Tensor, layer: Layer, gain: float) -> Tensor:
    """dL/dx (B, I) under the same model."""
    return (g @ layer.weight).mul_(gain * layer.num_sends)


def converting_relu(x: Tensor, shift: int) -> Tensor:
    """8-bit read-out to 5-bit input: clamp(floor(clamp(floor(x), 0, 127) / 2^shift), 0, 31)."""
    return x.floor().clamp_(0, Y_MAX).mul_(2.0**-shift).floor_().clamp_(0, X_MAX)


def converting_relu_gradient(g: Tensor, x: Tensor, shift: int) -> Tensor:
    """g (x > 0) / 2^shift, with x as it was before the floor; saturated units keep their gradient."""
    return g * (x > 0) * 2.0**-shift


def softmax_gradient(logits: Tensor, y: Tensor, scale: float) -> Tensor:
    """Of the mean cross-entropy of scale * logits."""
    p = torch.softmax(scale * logits, 1)
    p[torch.arange(len(y), device=y.device), y] -= 1
    return p.mul_(scale / len(y))
