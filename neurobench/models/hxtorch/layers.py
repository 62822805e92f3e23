"""The digital layers of hxtorch's perceptron and their gradients, in LSB. Source: hxtorch 3bfc7aa, formulas only."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from neurobench.devices.mac.analog_array import W_MAX, X_MAX, Y_MAX, Y_MIN
from neurobench.devices.mac.protocol import AnalogMac


class Layer(NamedTuple):
    """One linear layer as it is stored: weights unrounded."""

    weight: Tensor  # (O, I)
    bias: Tensor | None  # (O,)
    num_sends: int  # how often each input is sent
    avg: int  # columns that hold the same weights

    def to(self, device: torch.device) -> Layer:
        """A copy on a device."""
        bias = None if self.bias is None else self.bias.to(device, copy=True)
        return Layer(self.weight.to(device, copy=True), bias, self.num_sends, self.avg)


def linear(x: Tensor, layer: Layer, mac: AnalogMac, seed: int) -> Tensor:
    """(B, I) -> (B, O): mean over the columns that hold the same weights, then the bias.

    Clamps the stored weight in place. Whole numbers with a bias, steps of 1 / avg without.
    """
    layer.weight.clamp_(-W_MAX, W_MAX)
    w = layer.weight.t().repeat_interleave(layer.avg, dim=1) if layer.avg > 1 else layer.weight.t()
    y = mac.matmul(x, w, layer.num_sends, seed)
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


def relu(x: Tensor) -> Tensor:
    """clamp(floor(x), 0, 127)."""
    return x.floor().clamp_(0, Y_MAX)


def relu_gradient(g: Tensor, x: Tensor) -> Tensor:
    return g * (x > 0)


def softmax_gradient(logits: Tensor, y: Tensor, scale: float) -> Tensor:
    """Of the mean cross-entropy of scale * logits."""
    p = torch.softmax(scale * logits, 1)
    p[torch.arange(len(y), device=y.device), y] -= 1
    return p.mul_(scale / len(y))
