"""One update of a layer: its weights' gradient is taken back through grid and norm; Adam updates every parameter."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

from neurobench.kernels.cuba.update import AdamStep, descend, gradient_of_weights, squares
from neurobench.models.slayer.engine import LayerGradient
from neurobench.models.slayer.network import HIGH, LOW, Layer, QuantizedLayer
from neurobench.models.slayer.neuron import POINT, FixedNeuron
from neurobench.models.slayer.spec import SlayerSNN

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8

Moments = dict[str, tuple[Tensor, Tensor]]  # parameter -> first and second moment


def zero_moments(layer: Layer) -> Moments:
    return {name: (torch.zeros_like(each), torch.zeros_like(each)) for name, each in layer.learned().items()}


def copied_moments(stored: Mapping[str, Any], device: torch.device) -> Moments:
    return {name: (one.to(device, copy=True), two.to(device, copy=True)) for name, (one, two) in stored.items()}


def update(
    layer: Layer, quantized: QuantizedLayer, grad: LayerGradient, moments: Moments, lr: float, k: int, spec: SlayerSNN
) -> float:
    """Perform update k (from 0) of a layer in place. `quantized`: the layer at which the gradient was computed.

    Returns the gradient's size as in lava-dl's monitor: the 2-norm of the gradient of the weights' lengths (of the
    weights themselves without weight norm), divided by their number; 0 for a pool. NaN if the gradient is not finite.
    """
    gradients = {}
    if spec.learn_decays:
        gradients["D"] = decay_gradient(grad.dD, spec.as_lava("decay_grad")).to(layer.D.device)
    if layer.delay is not None:
        gradients["delay"] = grad.delay.float()
    size, count = 0.0, 1
    if not layer.pools:
        update_weights = update_weights_compiled if layer.v.device.type == "cpu" else update_weights_reference
        dv, dg = update_weights(layer, quantized, grad, moments["v"], lr, k)
        if dg is not None:
            gradients["g"] = dg
        measured = dv if dg is None else dg
        size, count = float(measured.norm()), measured.numel()
    for name, each in gradients.items():
        adam(layer.tensors()[name], each, moments[name], lr, k)
    layer.D.clamp_(0, POINT)
    if layer.delay is not None:
        layer.delay.clamp_(0, spec.max_delay)
    return size / count if all(bool(torch.isfinite(each).all()) for each in gradients.values()) else math.nan


def update_by_triton(
    layers: Sequence[tuple[Layer, QuantizedLayer, LayerGradient, Moments]], lr: float, k: int, spec: SlayerSNN
) -> list[float]:
    """Apply `update` to every layer on a GPU: one launch per layer, one transfer of all results."""
    from neurobench.kernels.cuba import gpu_update as kernel

    squares = []
    for layer, quantized, grad, moments in layers:
        p = kernel.Parameters(layer.v, layer.g, layer.D, layer.delay)
        absent = {"v": layer.v, "g": None, "delay": None}
        first, second = (kernel.Parameters(**{**absent, **each}) for each in _by_order(moments))
        by_decays = decay_gradient(grad.dD, spec.as_lava("decay_grad")).double()
        gradient = kernel.Gradient(grad.parts, grad.factor, by_decays, grad.delay)
        fixed = isinstance(quantized.neuron, FixedNeuron)
        rule = kernel.Rule(fixed, not layer.pools, spec.learn_decays, POINT, spec.max_delay)
        squares.append(kernel.descend(p, (first, second), gradient, quantized.scale, adam_step(lr, k), rule))
    sizes = torch.cat(squares).cpu().split([len(each) for each in squares])
    counts = [layer.v.numel() if layer.g is None else layer.g.numel() for layer, *_ in layers]
    lengths = [float(each.sum().sqrt()) / count for each, count in zip(sizes, counts, strict=True)]
    return [length if math.isfinite(length) else math.nan for length in lengths]


def _by_order(moments: Moments) -> tuple[dict[str, Any], dict[str, Any]]:
    """First and second moments of each parameter."""
    return {name: first for name, (first, _) in moments.items()}, {
        name: second for name, (_, second) in moments.items()
    }


def decay_gradient(dD: np.ndarray | Tensor, as_lava: bool) -> Tensor:
    """Gradient dL/dD (2,) = -1/4096 sum e[t+1] y[t], y the current and the voltage after the reset; D in 1/4096 a step.

    lava-dl returns +sum e[t+1] y[t], y the voltage BEFORE the reset: the wrong sign, 4096 times the size.
    """
    sums = torch.as_tensor(dD)
    return (sums[::2] if as_lava else -sums[:2] / POINT).float()


def adam(p: Tensor, gradient: Tensor, moments: tuple[Tensor, Tensor], lr: float, k: int) -> None:
    """One step of Adam in place: Kingma & Ba (2015), algorithm 1; k counts from 0."""
    first, second = moments
    first.mul_(BETA1).add_(gradient, alpha=1 - BETA1)
    second.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
    rate = lr / (1 - BETA1 ** (k + 1))
    p.sub_(rate * first / (second.sqrt() / math.sqrt(1 - BETA2 ** (k + 1)) + EPS))


def update_weights_reference(
    layer: Layer, quantized: QuantizedLayer, gradient: LayerGradient, moments: tuple[Tensor, Tensor], lr: float, k: int
) -> tuple[Tensor, Tensor | None]:
    """Update v by Adam on any device. Returns dL/dv, and dL/dg (None without weight norm)."""
    dw = gradient.parts.sum(0) * gradient.factor
    if isinstance(quantized.neuron, FixedNeuron):
        dw = through_grid(dw, layer.v * quantized.scale)
    dv, dg = through_norm(dw, layer.v, layer.g)
    adam(layer.v, dv, moments, lr, k)
    return dv, dg


def update_weights_compiled(
    layer: Layer, quantized: QuantizedLayer, gradient: LayerGradient, moments: tuple[Tensor, Tensor], lr: float, k: int
) -> tuple[Tensor, Tensor | None]:
    """Compiled version of `update_weights_reference` for the CPU. Overwrites the parts of `gradient`."""
    chunks = numba.get_num_threads()
    (dw,), v, scale = gradient.parts.numpy(), layer.v.numpy(), quantized.scale.numpy()
    fixed = isinstance(quantized.neuron, FixedNeuron)
    dots = gradient_of_weights(dw, np.float32(gradient.factor), v, scale, fixed, chunks)
    pull, dg = np.zeros(len(dots), np.float32), None
    if layer.g is not None:
        # A second pass over the weights is only needed if a length is 0
        norm = layer.g.double().numpy() / scale if scale.all() else np.sqrt(squares(v, chunks))
        dg = torch.from_numpy(dots / norm).float()
        pull = (scale * dots / norm**2).astype(np.float32)
    first, second = (moment.numpy() for moment in moments)
    descend(dw, scale, pull, adam_step(lr, k), chunks, v, first, second)
    return gradient.parts[0], dg


def adam_step(lr: float, k: int) -> AdamStep:
    rates = (BETA1, BETA2, lr / (1 - BETA1 ** (k + 1)), 1 / math.sqrt(1 - BETA2 ** (k + 1)), EPS)
    return AdamStep(*map(np.float32, rates))


def through_grid(dw: Tensor, w: Tensor) -> Tensor:
    """Straight-through gradient of the rounding; 0 where w is clipped to the grid. Both ends of the grid pass the
    gradient: torch.clamp's gradient there changed between torch 2.13 and 2.15."""
    half = (32 * w).round()
    return dw * ((half >= LOW) & (half <= HIGH))


def through_norm(dw: Tensor, v: Tensor, g: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Gradients dL/dv, dL/dg of w = g v / |v|, norms over the inputs. Source: Salimans & Kingma (2016), equation 3."""
    if g is None:
        return dw, None
    norm = v.square().sum(0).sqrt()
    dg = (dw * v).sum(0) / norm
    return g / norm * (dw - dg / norm * v), dg
