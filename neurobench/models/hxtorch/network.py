"""Two linear layers with a converting ReLU between them: what the tutorial calls Model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from neurobench.devices.mac.array import X_MAX
from neurobench.devices.mac.protocol import AnalogMac
from neurobench.kernels.random import derive
from neurobench.models.hxtorch import layers
from neurobench.models.hxtorch.layers import Layer, initial_layer
from neurobench.models.hxtorch.spec import HXTorchMLP


class Network(NamedTuple):
    """Everything that is learned, and how it is laid on the device."""

    first: Layer
    second: Layer
    shift: int

    @property
    def num_sends(self) -> list[int]:
        return [self.first.num_sends, self.second.num_sends]

    def parameters(self) -> list[Tensor]:
        """First layer first, weight before bias."""
        return [part for layer in (self.first, self.second) for part in (layer.weight, layer.bias) if part is not None]

    def weights(self) -> dict[str, Tensor]:
        """Copies of the parameters, by name: those of w1, b1, w2, b2 that there are."""
        parts = {"w1": self.first.weight, "b1": self.first.bias, "w2": self.second.weight, "b2": self.second.bias}
        return {name: part.clone() for name, part in parts.items() if part is not None}

    def with_weights(self, weights: Mapping[str, Tensor], num_sends: Sequence[int] | None = None) -> Network:
        """The same network with copies of other weights, and with the num_sends that go with them."""
        device, sends = self.first.weight.device, num_sends or self.num_sends
        copies = {name: part.to(device, copy=True) for name, part in weights.items()}
        first = Layer(copies["w1"], copies.get("b1"), sends[0], self.first.avg)
        return Network(first, Layer(copies["w2"], copies.get("b2"), sends[1], self.second.avg), self.shift)


class Activity(NamedTuple):
    """What the layers did, for the backward pass."""

    x: Tensor  # (B, I) in [0, 31], unrounded
    before: Tensor  # (B, H) before the ReLU
    hidden: Tensor  # (B, H) in [0, 31]
    logits: Tensor  # (B, C) LSB


def to_inputs(x: Tensor, half_lsb: bool) -> Tensor:
    """[0, 1] -> [0, 31]. The array rounds 31 x and 31 (1 - x) alike, so that the second says nothing new; with
    `half_lsb` half a step is added to 1 - x and 1 - y, and the two roundings tell x to half a step."""
    x = X_MAX * x
    if half_lsb:
        half = x.shape[1] // 2
        x[:, half:] = (x[:, half:] + 0.5).clamp_(max=X_MAX)
    return x


def input_cap(x: Tensor, y: Tensor) -> float:
    """The accuracy that no model exceeds on samples x (N, 4) in [0, 31], y (N,), after their inputs are rounded.

    Samples in one cell of rounded inputs cannot be told apart: at best its commonest class is right.
    """
    digits = torch.tensor([1, 32, 32**2, 32**3], device=x.device)
    _, cell = (x.round().long() * digits).sum(1).unique(return_inverse=True)
    classes = int(y.max()) + 1
    counts = torch.bincount(cell * classes + y, minlength=(int(cell.max()) + 1) * classes).reshape(-1, classes)
    return float(counts.max(1).values.sum()) / len(y)


def forward(x: Tensor, net: Network, mac: AnalogMac, seed: int) -> Activity:
    """x (B, I) in [0, 31]. Both layers are computed on one device, one after the other."""
    before = layers.linear(x, net.first, mac, derive(seed, 0))
    hidden = layers.converting_relu(before, net.shift)
    return Activity(x, before, hidden, layers.linear(hidden, net.second, mac, derive(seed, 1)))


def backward(g: Tensor, act: Activity, net: Network, gain: float) -> list[Tensor]:
    """Gradients in the order of `net.parameters()`; g (B, C) = dL/dlogits, `gain` the host's of the device."""
    second = layers.linear_gradient(g, act.hidden, net.second, gain)
    g = layers.converting_relu_gradient(layers.input_gradient(g, net.second, gain), act.before, net.shift)
    first = layers.linear_gradient(g, act.x, net.first, gain)
    return Network(first, second, net.shift).parameters()


def exact_forward(x: Tensor, net: Network, gain: float) -> Activity:
    """The same network in real numbers: no rounding, no range, no noise. `backward` is its gradient as it stands."""
    before = _affine(x, net.first, gain)
    hidden = before.clamp(min=0) * 2.0**-net.shift
    return Activity(x, before, hidden, _affine(hidden, net.second, gain))


def _affine(x: Tensor, layer: Layer, gain: float) -> Tensor:
    y = gain * layer.num_sends * (x @ layer.weight.t())
    return y if layer.bias is None else y + layer.bias


def initial(spec: HXTorchMLP, inputs: int, outputs: int, gain: float, seed: int, device: torch.device) -> Network:
    """Initial values, from the measured gain."""
    draw = torch.Generator().manual_seed(seed)
    first, second = spec.num_sends
    return Network(
        initial_layer(inputs, spec.hidden, gain, draw, num_sends=first, bias=spec.bias, avg=1).to(device),
        initial_layer(spec.hidden, outputs, gain, draw, num_sends=second, bias=spec.bias, avg=spec.avg).to(device),
        spec.shift,
    )
