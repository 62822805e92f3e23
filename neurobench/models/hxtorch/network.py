"""The perceptron that the tutorial calls Model: two linear layers with a converting ReLU in between, with initial
values and gradients, in LSB. Source: hxtorch 3bfc7aa, formulas."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from neurobench.devices.mac.protocol import W_MAX, X_MAX, Y_MAX, Y_MIN, AnalogMac
from neurobench.kernels.random import derive
from neurobench.models.hxtorch.spec import HXTorchMLP

RELU_SHIFT = 1  # assumed by the initialiser after every layer, whatever follows
WEIGHT_SCALE = 21  # a third of the weights' range: three standard deviations fit


class Layer(NamedTuple):
    """One linear layer as stored, with unrounded weights."""

    weight: Tensor  # (O, I)
    bias: Tensor | None  # (O,)
    num_sends: int  # how often each input is sent
    avg: int  # number of columns with the same weights

    def to(self, device: torch.device) -> Layer:
        bias = None if self.bias is None else self.bias.to(device)
        return self._replace(weight=self.weight.to(device), bias=bias)


class InitialScales(NamedTuple):
    num_sends: int
    std: float  # of the weights, before they are truncated to their range
    bias: float  # biases are uniform in [-bias, bias)


def initial_scales(gain: float, fan_in: int, num_sends: int | None, relu_shift: int = RELU_SHIFT) -> InitialScales:
    """Scales of initial values.

    T = 2^relu_shift sqrt(2) / gain, s = T / sqrt(fan_in); num_sends = ceil(s / 21), std = s / num_sends.
    """
    s = 2**relu_shift * math.sqrt(2) / gain / math.sqrt(fan_in)
    sends = math.ceil(s / WEIGHT_SCALE) if num_sends is None else num_sends
    return InitialScales(sends, s / sends, s / (X_MAX / math.sqrt(3)))


def initial_layer(
    inputs: int, outputs: int, gain: float, generator: torch.Generator, *, num_sends: int | None, bias: bool, avg: int
) -> Layer:
    """Layer with truncated normal weights and uniform biases."""
    scales = initial_scales(gain, inputs, num_sends)
    weight = torch.empty(outputs, inputs)
    torch.nn.init.trunc_normal_(weight, 0.0, scales.std, -W_MAX, W_MAX, generator)
    b = (2 * torch.rand(outputs, generator=generator) - 1) * scales.bias if bias else None
    return Layer(weight, b, scales.num_sends, avg)


def linear(x: Tensor, layer: Layer, mac: AnalogMac, seed: int) -> Tensor:
    """Output of a layer, (B, I) -> (B, O): mean over the columns with the same weights, then the bias.

    Clamps the stored weight in place. Outputs are integers with a bias, multiples of 1 / avg without.
    """
    layer.weight.clamp_(-W_MAX, W_MAX)
    w = layer.weight.t().repeat_interleave(layer.avg, dim=1) if layer.avg > 1 else layer.weight.t()
    y = mac.matmul(x, w, layer.num_sends, seed).y
    if layer.avg > 1:
        y = y.reshape(len(y), -1, layer.avg).sum(2) / layer.avg
    return y if layer.bias is None else add_bias(y, layer.bias)


def add_bias(a: Tensor, b: Tensor) -> Tensor:
    """Sum with a bias: clamp(clamp(floor(a)) + clamp(floor(b))), all to 8 bits."""
    return (a.floor().clamp_(Y_MIN, Y_MAX) + b.floor().clamp_(Y_MIN, Y_MAX)).clamp_(Y_MIN, Y_MAX)


def linear_gradient(g: Tensor, x: Tensor, layer: Layer, gain: float) -> Layer:
    """dL/d weight and dL/d bias under the host's model y = gain num_sends W x + b; g (B, O), x (B, I).

    Rounding, clamps and noise are ignored. Averaged columns give the sum of their equal shares.
    """
    weight = (g.t() @ x).mul_(gain * layer.num_sends)
    return Layer(weight, None if layer.bias is None else g.sum(0), layer.num_sends, layer.avg)


def input_gradient(g: Tensor, layer: Layer, gain: float) -> Tensor:
    """dL/dx (B, I) under the host's model."""
    return (g @ layer.weight).mul_(gain * layer.num_sends)


def converting_relu(x: Tensor, shift: int) -> Tensor:
    """ReLU from 8-bit read-out to 5-bit input: clamp(floor(clamp(floor(x), 0, 127) / 2^shift), 0, 31)."""
    return x.floor().clamp_(0, Y_MAX).mul_(2.0**-shift).floor_().clamp_(0, X_MAX)


def converting_relu_gradient(g: Tensor, x: Tensor, shift: int) -> Tensor:
    """Gradient of the converting ReLU: g (x > 0) / 2^shift, x before the floor; saturated units keep theirs."""
    return torch.ops.aten.threshold_backward(g, x, 0).mul_(2.0**-shift)


def softmax_gradient(logits: Tensor, y: Tensor, scale: float) -> Tensor:
    """Gradient of the mean cross-entropy of scale * logits with respect to logits."""
    p = torch.softmax(scale * logits, 1)
    p.scatter_add_(1, y[:, None], torch.full_like(p[:, :1], -1.0))
    return p.mul_(scale / len(y))


class Network(NamedTuple):
    first: Layer
    second: Layer
    shift: int

    @property
    def num_sends(self) -> list[int]:
        return [self.first.num_sends, self.second.num_sends]

    def parameters(self) -> list[Tensor]:
        """All parameters, first layer first, weight before bias."""
        return [part for layer in (self.first, self.second) for part in (layer.weight, layer.bias) if part is not None]

    def weights(self) -> dict[str, Tensor]:
        """Copies of the parameters, by name: w1, w2, and b1, b2 if there are biases."""
        parts = {"w1": self.first.weight, "b1": self.first.bias, "w2": self.second.weight, "b2": self.second.bias}
        return {name: part.clone() for name, part in parts.items() if part is not None}

    def with_weights(self, weights: Mapping[str, Tensor], num_sends: Sequence[int] | None = None) -> Network:
        """This network with copies of other weights, and with the num_sends that belong to them."""
        device, sends = self.first.weight.device, num_sends or self.num_sends
        copies = {name: part.to(device, copy=True) for name, part in weights.items()}
        first = Layer(copies["w1"], copies.get("b1"), sends[0], self.first.avg)
        return Network(first, Layer(copies["w2"], copies.get("b2"), sends[1], self.second.avg), self.shift)


class Activity(NamedTuple):
    """Values of the layers in the forward pass, for the backward pass."""

    x: Tensor  # (B, I) in [0, 31], unrounded
    before: Tensor  # (B, H) before the ReLU
    hidden: Tensor  # (B, H) in [0, 31]
    logits: Tensor  # (B, C) LSB


def grid_points(side: int) -> Tensor:
    """Grid on the unit square: (side^2, 4) x, y, 1 - x, 1 - y, where x varies slowest."""
    axis = torch.linspace(0, 1, side)
    x, y = (part.flatten() for part in torch.meshgrid(axis, axis, indexing="ij"))
    return torch.stack([x, y, 1 - x, 1 - y], 1)


def to_inputs(x: Tensor, half_lsb: bool) -> Tensor:
    """Scale inputs, [0, 1] -> [0, 31]. The array rounds 31 x and 31 (1 - x) alike, so that the second is redundant;
    with `half_lsb` half a step is added to 1 - x and 1 - y, and the two roundings determine x to half a step."""
    x = X_MAX * x
    if half_lsb:
        half = x.shape[1] // 2
        x[:, half:] = (x[:, half:] + 0.5).clamp_(max=X_MAX)
    return x


def input_cap(x: Tensor, y: Tensor) -> float:
    """Upper bound of any model's accuracy on samples x (N, 4) in [0, 31], y (N,), after their inputs are rounded.

    Samples in one cell of rounded inputs cannot be distinguished: at best its most frequent class is predicted.
    """
    digits = torch.tensor([1, 32, 32**2, 32**3], device=x.device)
    _, cell = (x.round().long() * digits).sum(1).unique(return_inverse=True)
    classes = int(y.max()) + 1
    counts = torch.bincount(cell * classes + y, minlength=(int(cell.max()) + 1) * classes).reshape(-1, classes)
    return float(counts.max(1).values.sum()) / len(y)


def forward(x: Tensor, net: Network, mac: AnalogMac, seed: int) -> Activity:
    """Forward pass of x (B, I) in [0, 31]. Both layers are computed on one device, one after the other."""
    before = linear(x, net.first, mac, derive(seed, 0))
    hidden = converting_relu(before, net.shift)
    return Activity(x, before, hidden, linear(hidden, net.second, mac, derive(seed, 1)))


def backward(g: Tensor, act: Activity, net: Network, gain: float) -> list[Tensor]:
    """Gradients in the order of `net.parameters()`; g (B, C) = dL/dlogits, `gain` that of the host's model."""
    second = linear_gradient(g, act.hidden, net.second, gain)
    g = converting_relu_gradient(input_gradient(g, net.second, gain), act.before, net.shift)
    first = linear_gradient(g, act.x, net.first, gain)
    return Network(first, second, net.shift).parameters()


def exact_forward(x: Tensor, net: Network, gain: float) -> Activity:
    """Forward pass in real numbers: no rounding, no range, no noise. `backward` is its exact gradient."""

    def affine(x: Tensor, layer: Layer) -> Tensor:
        y = gain * layer.num_sends * (x @ layer.weight.t())
        return y if layer.bias is None else y + layer.bias

    before = affine(x, net.first)
    hidden = before.clamp(min=0) * 2.0**-net.shift
    return Activity(x, before, hidden, affine(hidden, net.second))


def initial(spec: HXTorchMLP, inputs: int, outputs: int, gain: float, seed: int, device: torch.device) -> Network:
    """Network with initial values, which depend on the measured gain."""
    draw = torch.Generator().manual_seed(seed)
    sends, bias = spec.num_sends, spec.bias
    first = initial_layer(inputs, spec.hidden, gain, draw, num_sends=sends[0], bias=bias, avg=1)
    second = initial_layer(spec.hidden, outputs, gain, draw, num_sends=sends[1], bias=bias, avg=spec.avg)
    return Network(first.to(device), second.to(device), spec.shift)
