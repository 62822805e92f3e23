"""Cost of a torch module's predictions, counted by hooks on its layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from neurobench.metrics.operations import Connection, Operations, Population, convolution, linear, population
from neurobench.models.torch_module.learner import TorchModuleLearner
from neurobench.models.torch_module.quantized import GridLinear

ACTIVATIONS = tuple(
    getattr(nn, name)
    for name in nn.modules.activation.__all__
    if name not in ("MultiheadAttention", "Softmax", "Softmax2d", "Softmin", "LogSoftmax")
)
SYNAPSES = ("connection_sparsity", "effective_macs", "effective_acs", "dense_operations")


@torch.no_grad()
def operations(learner: TorchModuleLearner, x: Any) -> Operations:
    """Operations of predicting x. Inputs are graded, so all products are MACs. Linear layers and plain 2D convolutions
    are counted; if a module has other weights, or layers of the user's that apply other ones than they store, these
    figures are undefined, with a reason that names them."""
    connections: list[Connection] = []
    others: list[str] = []
    populations: list[Population] = []
    hooks = []
    for name, layer in learner.net.named_modules():
        if _is_counted(layer):
            hooks.append(layer.register_forward_hook(_connecting(name, connections, others), with_kwargs=True))
        elif isinstance(layer, ACTIVATIONS):
            hooks.append(layer.register_forward_hook(_activating(name, populations)))
    try:
        learner.predict(x)
    finally:
        for hook in hooks:
            hook.remove()
    parameters = {name: part for name, part in learner.net.named_parameters() if part.requires_grad}
    frozen = {name: part for name, part in learner.net.named_parameters() if not part.requires_grad}
    buffers = {**dict(learner.net.named_buffers()), **frozen}  # stored as well, but not learned
    undefined = _undefined(learner.net, connections, populations, others)
    return Operations(len(x), len(x), connections, populations, parameters, buffers, undefined)


def _is_counted(layer: nn.Module) -> bool:
    if isinstance(layer, nn.Conv2d):
        plain = layer.groups == 1 and layer.dilation == (1, 1) and layer.padding_mode == "zeros"
        square = all(isinstance(sizes, tuple) and len(set(sizes)) == 1 for sizes in (layer.stride, layer.padding))
        return plain and square
    return isinstance(layer, nn.Linear)


def _connecting(name: str, connections: list[Connection], others: list[str]) -> Callable[..., None]:
    """Hook that counts a layer, or adds it to `others` if it computes something else than a layer of its kind."""

    def hook(layer: Any, inputs: tuple[Tensor, ...], named: dict[str, Tensor], output: Tensor) -> None:
        weight = layer.on_grid() if isinstance(layer, GridLinear) else layer.weight
        x = inputs[0] if inputs else named.get("input", next(iter(named.values())))  # own layers may take more
        weight, x = weight.detach(), x.detach()
        if isinstance(layer, nn.Linear):
            seen = linear(name, weight, x, spikes=False)
        else:
            stride, padding = int(layer.stride[0]), int(layer.padding[0])
            seen = convolution(name, weight, x, spikes=False, stride=stride, padding=padding)
        if not _is_plain(layer, weight, x, output):
            others.append(f"{name or 'the module'} ({type(layer).__name__})")
        again = any(connection.name == name for connection in connections)
        connections.append(replace(seen, weights=0, nonzero=0) if again else seen)  # its weights are counted once

    return hook


def _is_plain(layer: Any, weight: Tensor, x: Tensor, output: Any) -> bool:
    """Whether a layer's output is that of its weights and its input; one of a class of the user's may mask or round
    them."""
    kind = type(layer)
    if isinstance(layer, nn.Linear):
        if kind.forward in (nn.Linear.forward, GridLinear.forward):
            return True
        plain = nn.functional.linear(x, weight, layer.bias)
    else:
        if kind.forward is nn.Conv2d.forward and kind._conv_forward is nn.Conv2d._conv_forward:
            return True
        plain = nn.functional.conv2d(x, weight, layer.bias, layer.stride, layer.padding)
    if not isinstance(output, Tensor) or output.shape != plain.shape:
        return False
    rounding = 1e-4 if output.dtype.itemsize >= 4 else 0.01
    return bool((output - plain).abs().max() <= rounding * plain.abs().max())


def _activating(name: str, populations: list[Population]) -> Callable[..., None]:
    def hook(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        populations.append(population(name, output.detach()))

    return hook


def _undefined(
    net: nn.Module, connections: list[Connection], populations: list[Population], odd: list[str]
) -> dict[str, str]:
    """Reasons for undefined figures. Weights have two or more dimensions; biases and normalisation scales do not."""
    seen = {f"{connection.name}.weight".removeprefix(".") for connection in connections}
    others = [name for name, part in net.named_parameters() if part.dim() > 1 and name not in seen]
    undefined: dict[str, str] = {}
    if odd:
        reason = f"layers that do not apply their weights to their inputs as they are: {', '.join(dict.fromkeys(odd))}"
        undefined |= dict.fromkeys(SYNAPSES, reason)
    if others:
        reason = f"weights that belong to no torch.nn.Linear or plain Conv2d that was called: {', '.join(others[:5])}"
        undefined |= dict.fromkeys(SYNAPSES, reason)
    if not populations:
        undefined["activation_sparsity"] = "no activation function of this module is a layer (torch.nn.ReLU, ...)"
    return undefined
