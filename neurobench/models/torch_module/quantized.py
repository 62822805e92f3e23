"""A conventional network with the number formats of a spiking chip: integer weights, activations of few bits.

Weights are integers m of `weight_bits` bits that represent m / 2^fraction_bits, activations integers q from 0 to
2^activation_bits - 1 that represent q / (2^activation_bits - 1), inputs likewise; there are no biases. A layer is

    z = W q,    q' = clip(floor(z / 2^fraction_bits + 1/2), 0, 2^activation_bits - 1)

in integers alone. In training, rounding passes the gradient on unchanged, and clipping blocks it. Source: Bengio,
Leonard and Courville (2013), arXiv 1308.3432, for the straight-through estimator; Hubara et al. (2018), JMLR 18, for
networks with weights and activations of few bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

from torch import Tensor, nn
from torch.nn.functional import linear

EXACT = 2**24  # integers up to here are exact in float32


def rounded(x: Tensor, low: float, high: float) -> Tensor:
    """Rounded x: clip(floor(x + 1/2), low, high), with the gradient of clip(x, low, high)."""
    inside = x.clamp(low, high)
    return inside + ((x + 0.5).floor().clamp(low, high) - inside).detach()


class FewBitReLU(nn.ReLU):
    """ReLU with integer output: z in units of 1 / (`top` 2^fraction_bits) -> integers from 0 to `top`."""

    def __init__(self, top: int, fraction_bits: int):
        super().__init__()
        self.top, self.unit = top, 2.0**-fraction_bits

    def forward(self, z: Tensor) -> Tensor:
        return rounded(z * self.unit, 0, self.top)


class GridLinear(nn.Linear):
    """Linear layer without bias; `weight` is learned, and the integers of `on_grid` are applied."""

    def __init__(self, inputs: int, outputs: int, weight_bits: int, fraction_bits: int):
        super().__init__(inputs, outputs, bias=False)
        self.largest, self.scale = 2 ** (weight_bits - 1) - 1, 2.0**fraction_bits

    def on_grid(self) -> Tensor:
        """Weights (outputs, inputs) as integers from -largest - 1 to largest, stored as floats."""
        return rounded(self.weight * self.scale, -self.largest - 1, self.largest)

    def forward(self, q: Tensor) -> Tensor:
        return linear(q, self.on_grid())


class QuantizedMLP(nn.Module):
    """Values in [0, 1] of any shape -> logits of the classes. `hidden`: units of each hidden layer.

    Raises ValueError for numbers of bits or units below 1, and for sums that float32 cannot hold exactly.
    """

    def __init__(
        self,
        shape: Sequence[int],
        n_classes: int,
        hidden: Sequence[int],
        weight_bits: int,
        fraction_bits: int,
        activation_bits: int,
    ):
        super().__init__()
        counts = {"weight_bits": weight_bits, "activation_bits": activation_bits, "hidden": min(hidden, default=1)}
        for name, value in counts.items():
            if value < 1:
                raise ValueError(f"{name}={value} is not at least 1")
        self.top = 2**activation_bits - 1
        sizes = (prod(shape), *hidden, n_classes)
        largest = max(sizes[:-1]) * self.top * 2 ** (weight_bits - 1)
        if largest > EXACT:
            raise ValueError(f"sums may reach {largest:,}, and float32 is exact up to {EXACT:,}: use fewer bits")
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, outputs in pairwise(sizes):
            layers += [GridLinear(inputs, outputs, weight_bits, fraction_bits), FewBitReLU(self.top, fraction_bits)]
        self.layers = nn.Sequential(*layers[:-1])
        self.unit = 2.0**-fraction_bits / self.top  # value of 1 in an integer logit

    def sums(self, q: Tensor) -> Tensor:
        """Integer inputs (B, *shape) from 0 to `top` -> integer logits (B, classes)."""
        return self.layers(q)

    def forward(self, x: Tensor) -> Tensor:
        return self.sums(rounded(x * self.top, 0, self.top)) * self.unit
