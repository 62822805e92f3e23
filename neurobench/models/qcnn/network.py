"""The network's parameters in one flat vector, and its trunk."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import conv2d, linear, max_pool2d, relu

CHANNELS, HIDDEN, KERNEL = (6, 16), 64, 5


class Part(NamedTuple):
    """A parameter's shape and initial values: uniform in +-spread, normal with sd spread, or all equal to it."""

    shape: tuple[int, ...]
    begin: str
    spread: float


def trunk_parts(shape: tuple[int, ...], n: int) -> dict[str, Part]:
    """Parameters of a trunk from images (C, H, W) to n numbers, initialised as in torch's layers."""
    flat = CHANNELS[1] * math.prod(((side - 4) // 2 - 4) // 2 for side in shape[1:])
    conv1, conv2 = (CHANNELS[0], shape[0], KERNEL, KERNEL), (CHANNELS[1], CHANNELS[0], KERNEL, KERNEL)
    layers = {"conv1": conv1, "conv2": conv2, "hidden": (HIDDEN, flat), "z": (n, HIDDEN)}
    return {key: part for name, weight in layers.items() for key, part in affine(name, weight).items()}


def affine(name: str, shape: tuple[int, ...]) -> dict[str, Part]:
    """Weight and bias of a layer; `shape` is the weight's."""
    spread = math.prod(shape[1:]) ** -0.5
    return {f"{name}.weight": Part(shape, "uniform", spread), f"{name}.bias": Part(shape[:1], "uniform", spread)}


def initial(parts: Mapping[str, Part], seed: int) -> Tensor:
    """Initial values of all parameters, concatenated: (P,) float32."""
    generator = torch.Generator().manual_seed(seed)
    values = []
    for part in parts.values():
        size = math.prod(part.shape)
        if part.begin == "equal":
            values.append(torch.full((size,), part.spread))
        elif part.begin == "normal":
            values.append(torch.randn(size, generator=generator) * part.spread)
        else:
            values.append((2 * torch.rand(size, generator=generator) - 1) * part.spread)
    return torch.cat(values)


def views(parts: Mapping[str, Part], flat: Tensor) -> dict[str, Tensor]:
    """The parameters by name, as views."""
    pieces = flat.split([math.prod(part.shape) for part in parts.values()])
    return {name: piece.view(part.shape) for (name, part), piece in zip(parts.items(), pieces, strict=True)}


class Activity(NamedTuple):
    """The input of each layer of the trunk, and the output of the last."""

    x: Tensor  # (B, C, H, W) in [-1, 1]
    first: Tensor  # (B, 6, ...) pooled, after ReLU
    second: Tensor  # (B, 16, ...)
    hidden: Tensor  # (B, 64)
    z: Tensor  # (B, n)


def trunk(p: Mapping[str, Tensor], x: Tensor, mask: Tensor | None = None) -> Activity:
    """Run the trunk, images (B, C, H, W) in [0, 1] -> z (B, n). `mask`: (B, 16) dropout factors of the channels."""
    x = 2 * x - 1
    first = relu(max_pool2d(convolved(x, p["conv1.weight"], p["conv1.bias"]), 2))  # max pooling, then ReLU:
    second = relu(max_pool2d(conv2d(first, p["conv2.weight"], p["conv2.bias"]), 2))  # same as ReLU first, but faster
    if mask is not None:
        second = second * mask[:, :, None, None]
    hidden = relu(linear(second.flatten(1), p["hidden.weight"], p["hidden.bias"]))
    return Activity(x, first, second, hidden, linear(hidden, p["z.weight"], p["z.bias"]))


def convolved(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Compute conv2d as one matrix product: a fifth faster if x has few channels and needs no derivative.

    x (B, C, H, W), weight (O, C, K, K) -> (B, O, H - K + 1, W - K + 1)
    """
    size = weight.shape[2]
    patches = x.unfold(2, size, 1).unfold(3, size, 1)  # (B, C, rows, columns, K, K)
    batch, _, rows, columns = patches.shape[:4]
    flat = patches.permute(1, 4, 5, 0, 2, 3).reshape(weight[0].numel(), -1)
    y = torch.addmm(bias[:, None], weight.flatten(1), flat)
    return y.view(-1, batch, rows, columns).transpose(0, 1)


def dropout_mask(batch: int, rate: float, seed: int, device: torch.device) -> Tensor | None:
    """Dropout mask (B, 16): 0 for a dropped channel, else 1 / (1 - rate)."""
    if rate == 0:
        return None
    keep = torch.rand(batch, CHANNELS[1], generator=torch.Generator().manual_seed(seed)) >= rate
    return (keep / (1 - rate)).to(device)
