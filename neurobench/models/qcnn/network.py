"""The network's parameters, all in one flat vector, and the trunk that they make."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import conv2d, linear, max_pool2d, relu

from neurobench.models.qcnn.spec import HybridQCNN

CHANNELS, HIDDEN, KERNEL = (6, 16), 64, 5


class Part(NamedTuple):
    """A parameter's shape, and how it begins: uniform in +-spread, normal with sd spread, or all equal to it."""

    shape: tuple[int, ...]
    begin: str
    spread: float


def parts(recipe: HybridQCNN, head: str, shape: tuple[int, ...], classes: int) -> dict[str, Part]:
    """Of a network for images of `shape` (C, H, W). Convolutions and linear layers begin as torch's."""
    n = recipe.n_qubits
    flat = CHANNELS[1] * math.prod(((side - 4) // 2 - 4) // 2 for side in shape[1:])
    found = {
        **_affine("conv1", (CHANNELS[0], shape[0], KERNEL, KERNEL)),
        **_affine("conv2", (CHANNELS[1], CHANNELS[0], KERNEL, KERNEL)),
        **_affine("hidden", (HIDDEN, flat)),
        **_affine("z", (n, HIDDEN)),
    }
    if head in ("binary", "sigmoid"):
        return found
    if head == "linear":
        found["w"] = Part((recipe.depth, n, 2), "normal", 0.1)
        if recipe.reupload:
            found["s"] = Part((recipe.depth, n), "equal", 1.0)
    if head == "mlp":
        found["mix"] = Part((n, n), "uniform", n**-0.5)
    features = n + n * (n - 1) // 2 if head == "linear" and recipe.zz else n
    return {**found, "gain": Part((1,), "equal", recipe.gain), **_affine("out", (classes, features))}


def _affine(name: str, shape: tuple[int, ...]) -> dict[str, Part]:
    spread = math.prod(shape[1:]) ** -0.5
    return {f"{name}.weight": Part(shape, "uniform", spread), f"{name}.bias": Part(shape[:1], "uniform", spread)}


def initial(named: Mapping[str, Part], seed: int) -> Tensor:
    """(P,) float32, all parameters one after the other."""
    draw = torch.Generator().manual_seed(seed)
    values = []
    for part in named.values():
        size = math.prod(part.shape)
        if part.begin == "uniform":
            values.append((2 * torch.rand(size, generator=draw) - 1) * part.spread)
        elif part.begin == "normal":
            values.append(torch.randn(size, generator=draw) * part.spread)
        else:
            values.append(torch.full((size,), part.spread))
    return torch.cat(values)


def views(named: Mapping[str, Part], flat: Tensor) -> dict[str, Tensor]:
    """The parameters by name, as views."""
    pieces = flat.split([math.prod(part.shape) for part in named.values()])
    return {name: piece.view(part.shape) for (name, part), piece in zip(named.items(), pieces, strict=True)}


class Activity(NamedTuple):
    """What enters each layer of the trunk, and what leaves the last."""

    x: Tensor  # (B, C, H, W) in [-1, 1]
    first: Tensor  # (B, 6, ...) pooled, after ReLU
    second: Tensor  # (B, 16, ...)
    hidden: Tensor  # (B, 64)
    z: Tensor  # (B, n)


def trunk(p: Mapping[str, Tensor], x: Tensor, kept: Tensor | None) -> Tensor:
    """Images (B, C, H, W) in [0, 1] -> z (B, n). `kept`: (B, 16) factors of the channels under dropout, or None."""
    return activity(p, x, kept).z


def activity(p: Mapping[str, Tensor], x: Tensor, kept: Tensor | None = None) -> Activity:
    """The trunk, layer by layer."""
    x = 2 * x - 1
    first = relu(max_pool2d(convolved(x, p["conv1.weight"], p["conv1.bias"]), 2))  # the largest of four, then ReLU:
    second = relu(max_pool2d(conv2d(first, p["conv2.weight"], p["conv2.bias"]), 2))  # the same as ReLU first, quicker
    if kept is not None:
        second = second * kept[:, :, None, None]
    hidden = relu(linear(second.flatten(1), p["hidden.weight"], p["hidden.bias"]))
    return Activity(x, first, second, hidden, linear(hidden, p["z.weight"], p["z.bias"]))


def convolved(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """conv2d as one matrix product: a fifth faster where x has few channels and needs no derivative.

    x (B, C, H, W), weight (O, C, K, K) -> (B, O, H - K + 1, W - K + 1)
    """
    size = weight.shape[2]
    patches = x.unfold(2, size, 1).unfold(3, size, 1)  # (B, C, rows, columns, K, K)
    batch, _, rows, columns = patches.shape[:4]
    flat = patches.permute(1, 4, 5, 0, 2, 3).reshape(weight[0].numel(), -1)
    found = torch.addmm(bias[:, None], weight.flatten(1), flat)
    return found.view(-1, batch, rows, columns).transpose(0, 1)


def dropped(batch: int, rate: float, seed: int, device: torch.device) -> Tensor | None:
    """(B, 16): 0 for a dropped channel, else 1 / (1 - rate)."""
    if rate == 0:
        return None
    draw = torch.Generator().manual_seed(seed)
    kept = torch.rand(batch, CHANNELS[1], generator=draw) >= rate
    return (kept / (1 - rate)).to(device)
