"""One update of a layer: from the gradient of its weights back through grid and norm, and Adam on every parameter."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

from neurobench.devices.core.protocol import Core
from neurobench.kernels.cuba_update import descend, gradient_of_weights, squares, to_grid
from neurobench.models.slayer.engine import LayerGradient
from neurobench.models.slayer.neuron import POINT
from neurobench.models.slayer.parameters import Held, Layer, held, held_of
from neurobench.models.slayer.spec import SlayerSNN
from neurobench.models.slayer.synapse import through_grid, through_norm

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8

Moments = dict[str, tuple[Tensor, Tensor]]  # parameter -> first and second moment


def at_rest(layer: Layer) -> Moments:
    return {name: (torch.zeros_like(each), torch.zeros_like(each)) for name, each in layer.tensors().items()}


def restored(stored: Mapping[str, Any], device: torch.device) -> Moments:
    return {
        name: (first.to(device, copy=True), second.to(device, copy=True)) for name, (first, second) in stored.items()
    }


def on_core(layer: Layer, core: Core, recipe: SlayerSNN) -> Held:
    """What the core holds of a layer: `parameters.held`, by compiled kernels on a CPU."""
    if layer.v.device.type != "cpu" or core.arithmetic == "float":
        return held(layer, core, recipe)
    chunks = numba.get_num_threads()
    scale = torch.ones(layer.v.shape[1])
    if layer.g is not None:
        scale = layer.g / torch.from_numpy(squares(layer.v.numpy(), chunks)).sqrt().float()
    W, w = torch.empty(layer.v.shape, dtype=torch.int8), torch.empty(layer.v.shape)
    to_grid(layer.v.numpy(), scale.numpy(), chunks, W.numpy(), w.numpy())
    return held_of(W, w, scale, layer, core, recipe)


def update(
    layer: Layer, there: Held, gradient: LayerGradient, moments: Moments, lr: float, k: int, recipe: SlayerSNN
) -> float:
    """Update number k, from 0, in place. `there`: what the gradient was taken on.

    Returns the gradient's size as lava-dl's monitor has it: its 2-norm by the length of the weights (by the weights
    themselves without weight norm), divided by their number. NaN where the gradient is not finite.
    """
    decays = decay_gradient(gradient.dD, recipe.as_lava("decay_grad")) if recipe.learn_decays else None
    delays = gradient.delay.float() if layer.delay is not None else None
    step = _update_compiled if layer.v.device.type == "cpu" else update_weights
    flow = step(layer, there, gradient, moments, lr, k)
    if decays is not None:
        adam(layer.D, decays.to(layer.D.device), moments["D"], lr, k)
        layer.D.clamp_(0, POINT)
    if layer.delay is not None and delays is not None:
        adam(layer.delay, delays, moments["delay"], lr, k)
        layer.delay.clamp_(0, recipe.max_delay)
    finite = decays is None or bool(torch.isfinite(decays).all())
    return flow if finite and (delays is None or bool(torch.isfinite(delays).all())) else math.nan


def decay_gradient(dD: np.ndarray | Tensor, as_lava: bool) -> Tensor:
    """dL/dD (2,) = -1/4096 sum e[t+1] y[t], y the current and the voltage after the reset; D in 1/4096 a step.

    lava-dl returns +sum e[t+1] y[t], y the voltage BEFORE the reset: the wrong sign, 4096 times the size.
    """
    i, after, before = (float(each) for each in dD)
    return torch.tensor([i, before] if as_lava else [-i / POINT, -after / POINT])


def adam(p: Tensor, slope: Tensor, moments: tuple[Tensor, Tensor], lr: float, k: int) -> None:
    """Kingma & Ba (2015), algorithm 1, in place; k counts from 0."""
    first, second = moments
    first.mul_(BETA1).add_(slope, alpha=1 - BETA1)
    second.mul_(BETA2).addcmul_(slope, slope, value=1 - BETA2)
    rate = lr / (1 - BETA1 ** (k + 1))
    p.sub_(rate * first / (second.sqrt() / math.sqrt(1 - BETA2 ** (k + 1)) + EPS))


def update_weights(layer: Layer, there: Held, gradient: LayerGradient, moments: Moments, lr: float, k: int) -> float:
    """The reference of `_update_compiled`, for any device."""
    dw = gradient.parts.sum(0) * gradient.factor
    if there.unit != 1:
        dw = through_grid(dw, layer.v * there.scale)
    dv, dg = through_norm(dw, layer.v, layer.g)
    adam(layer.v, dv, moments["v"], lr, k)
    if layer.g is None or dg is None:
        return float(dv.norm()) / dv.numel()
    adam(layer.g, dg, moments["g"], lr, k)
    return float(dg.norm()) / dg.numel()


def _update_compiled(layer: Layer, there: Held, gradient: LayerGradient, moments: Moments, lr: float, k: int) -> float:
    chunks = numba.get_num_threads()
    v, parts, scale = layer.v.numpy(), gradient.parts.numpy(), there.scale.numpy()
    dots = gradient_of_weights(parts, np.float32(gradient.factor), v, scale, there.unit != 1, chunks)
    pull, dg = np.zeros(len(dots), np.float32), None
    if layer.g is not None:
        norm = layer.g.double().numpy() / scale
        dg = torch.from_numpy(dots / norm).float()
        pull = (scale * dots / norm**2).astype(np.float32)
    rates = (BETA1, BETA2, lr / (1 - BETA1 ** (k + 1)), 1 / math.sqrt(1 - BETA2 ** (k + 1)), EPS)
    first, second = moments["v"]
    descend(parts[0], scale, pull, tuple(np.float32(r) for r in rates), chunks, v, first.numpy(), second.numpy())
    if layer.g is None or dg is None:
        return float(np.linalg.norm(parts[0])) / v.size
    adam(layer.g, dg, moments["g"], lr, k)
    return float(dg.norm()) / dg.numel()
