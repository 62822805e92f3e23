"""What a network learns, and what a core holds of it."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurobench.devices.core.protocol import Core
from neurobench.models.slayer.neuron import GRID, POINT, Cuba
from neurobench.models.slayer.spec import SlayerSNN
from neurobench.models.slayer.synapse import halves, scale_of


@dataclass
class Layer:
    """Parameters, changed in place by learning. All float32."""

    v: Tensor  # (I, C) weights, or their direction where there is a g
    g: Tensor | None  # (C,) their length
    D: Tensor  # (2,) current and voltage decay, in 1/4096 a step
    delay: Tensor | None  # (C,) steps

    def tensors(self) -> dict[str, Tensor]:
        named = {"v": self.v, "g": self.g, "D": self.D, "delay": self.delay}
        return {name: tensor for name, tensor in named.items() if tensor is not None}

    @property
    def w(self) -> Tensor:
        """(I, C) real weights."""
        return self.v * scale_of(self.v, self.g)


class Held(NamedTuple):
    """A layer as a core holds it."""

    W: Tensor  # (I, C) int8, half the mantissas; float32 on a core of floats
    w: Tensor  # (I, C) float32, the same in units of the weights
    cuba: Cuba
    unit: float  # of the states: 1/4096 or 1
    delay: Tensor  # (C,) int32 whole steps
    scale: Tensor  # (C,) float32: w was v * scale before the grid


def initial(sizes: tuple[int, ...], recipe: SlayerSNN, seed: int) -> list[Layer]:
    """v ~ U(+-1/sqrt(I)), g = |v|, no bias; delays ~ U[0, 1) of hidden layers."""
    draw = torch.Generator().manual_seed(seed)
    layers = []
    for k, (inputs, width) in enumerate(itertools.pairwise(sizes)):
        # Drawn as (C, I), the layout of lava-dl's weights.
        v = (torch.rand(width, inputs, generator=draw) * 2 - 1) / math.sqrt(inputs)
        v = v.t().contiguous()
        hidden = k + 2 < len(sizes)
        layers.append(
            Layer(
                v=v,
                g=v.square().sum(0).sqrt() if recipe.weight_norm else None,
                D=torch.tensor([POINT * recipe.current_decay, POINT * recipe.voltage_decay]),
                delay=torch.rand(width, generator=draw) if recipe.delay and hidden else None,
            )
        )
    return layers


def mantissa(threshold: float) -> int:
    """vThMant: the threshold in 1/64, cut."""
    return int(GRID * threshold)


def cuba_on(core: Core, D: Tensor, threshold: float) -> tuple[Cuba, float]:
    """Neuron constants as `core` holds them, and the unit of its states. Learned decays stay within its range."""
    if core.arithmetic == "float":
        i, v = (D.double().clamp(0, POINT) / POINT).tolist()
        return Cuba(1 - i, 1 - v, threshold, math.inf, math.inf), 1.0
    i, v = np.rint(D.double().clamp(0, POINT).cpu().numpy()).astype(int)
    i = int(min(max(i, core.i_decay[0]), core.i_decay[1]))
    v = int(min(max(v, core.v_decay[0]), core.v_decay[1]))
    return Cuba(POINT - i, POINT - v, mantissa(threshold) * GRID, core.u_limit, core.v_limit), 1 / POINT


def held(layer: Layer, core: Core, recipe: SlayerSNN) -> Held:
    """The reference of what `neurobench.kernels.cuba_update.to_grid` computes, for any device."""
    scale = scale_of(layer.v, layer.g)
    w = layer.v * scale
    W = w
    if core.arithmetic == "fixed":
        W = halves(w)
        w = W.float() / (GRID / 2)
    return held_of(W, w, scale, layer, core, recipe)


def held_of(W: Tensor, w: Tensor, scale: Tensor, layer: Layer, core: Core, recipe: SlayerSNN) -> Held:
    cuba, unit = cuba_on(core, layer.D, recipe.threshold)
    if layer.delay is None:
        delay = torch.zeros(layer.v.shape[1], dtype=torch.int32, device=layer.v.device)
    else:
        delay = layer.delay.clamp(0, recipe.max_delay).floor().int()
    return Held(W, w, cuba, unit, delay, scale)


def copied(layers: list[Layer]) -> list[dict[str, Any]]:
    return [{name: tensor.clone() for name, tensor in layer.tensors().items()} for layer in layers]
