"""Parameters of a network, and their form on a core. Weights are (inputs, outputs): an active input is a row."""

from __future__ import annotations

import importlib.util
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numba
import torch
from torch import Tensor

from neurobench.config.errors import UserError
from neurobench.devices.core.specs import Core, FloatCore
from neurobench.kernels.cuba.update import squares, to_grid
from neurobench.models.slayer.architecture import Convolution
from neurobench.models.slayer.neuron import GRID, POINT, FixedNeuron, FloatNeuron, Neuron
from neurobench.models.slayer.spec import SlayerSNN

LOW, HIGH = -128, 127  # range of half a mantissa: even mantissas from -256 to 254
LARGEST_DELAY = 62  # steps


@dataclass
class Layer:
    """Parameters of a layer, all float32; training changes them in place."""

    v: Tensor  # (I, C) weights, or their direction with weight norm
    g: Tensor | None  # (C,) their length
    D: Tensor  # (2,) current and voltage decay, in 1/4096 a step
    delay: Tensor | None  # (C,) steps
    conv: Convolution | None = None  # if set, I are the inputs of a kernel and C the channels

    def tensors(self) -> dict[str, Tensor]:
        named = {"v": self.v, "g": self.g, "D": self.D, "delay": self.delay}
        return {name: tensor for name, tensor in named.items() if tensor is not None}

    def learned(self) -> dict[str, Tensor]:
        """Trained parameters by name: all but the weights of a pool, which are constant."""
        return {name: each for name, each in self.tensors().items() if name != "v" or not self.pools}

    @property
    def pools(self) -> bool:
        return self.conv is not None and self.conv.pools

    def to(self, device: torch.device) -> Layer:
        moved = {name: tensor.to(device) for name, tensor in self.tensors().items()}
        return Layer(moved["v"], moved.get("g"), moved["D"], moved.get("delay"), self.conv)


class QuantizedLayer(NamedTuple):
    """A layer as stored on a core."""

    W: Tensor  # (I, C) int8, half the mantissas; float32 on a floating-point core
    w: Tensor  # (I, C) float32, the same in units of the weights
    neuron: Neuron
    delay: Tensor  # (C,) int32 whole steps
    scale: Tensor  # (C,) float32: w is v * scale, rounded to the grid
    conv: Convolution | None = None  # as in `Layer`

    def cpu(self) -> QuantizedLayer:
        return self._replace(W=self.W.cpu(), w=self.w.cpu(), delay=self.delay.cpu(), scale=self.scale.cpu())


def initial_layers(
    sizes: tuple[int, ...], spec: SlayerSNN, seed: int, convolved: Sequence[Convolution] = ()
) -> list[Layer]:
    """Draw the initial layers, of which the first are `convolved`. v ~ weight_scale U(+-1/sqrt(I)), g = |v|, no bias;
    hidden delays ~ U[0, 1). A pool has v = weight_scale within a channel, and no g.

    Source: `weight_scale` and the ranges are those of lava-dl's `slayer.synapse`.
    """
    generator = torch.Generator().manual_seed(seed)
    layers = []
    for k, (inputs, width) in enumerate(itertools.pairwise(sizes)):
        conv = convolved[k] if k < len(convolved) else None
        if conv is not None:
            inputs, width = conv.fan_in, conv.channels
        g = None
        if conv is not None and conv.pools:
            v = spec.weight_scale * within_channels(conv).float()
        else:
            drawn = torch.rand(width, inputs, generator=generator) * 2 - 1  # in lava-dl's layout
            v = (drawn / math.sqrt(inputs)).t().contiguous() * spec.weight_scale
            g = v.square().sum(0).sqrt() if spec.weight_norm else None
        delay = torch.rand(width, generator=generator) if spec.delay and k + 2 < len(sizes) else None
        D = torch.tensor([POINT * spec.current_decay, POINT * spec.voltage_decay], dtype=torch.float32)
        layers.append(Layer(v, g, D, delay, conv))
    return layers


def within_channels(conv: Convolution) -> Tensor:
    """Mask (fan_in, channels) bool of the weights of a pool that are synapses: those from a channel to itself."""
    return torch.eye(conv.channels, dtype=torch.bool).repeat_interleave(conv.kernel**2, 0)


def synaptic(weights: Tensor, conv: Convolution | None) -> Tensor:
    """Select those of the weights (I, C) that are synapses; for a pool, as a flat vector."""
    return weights[within_channels(conv).to(weights.device)] if conv is not None and conv.pools else weights


def copy_parameters(stored: Sequence[Mapping[str, Tensor]], layers: list[Layer], source: str) -> None:
    """Copy stored parameters into `layers`, in place. Raises UserError if names or shapes differ."""
    if len(stored) != len(layers):
        raise UserError(f"{source} are {len(stored)}; this network has {len(layers)}")
    for k, (saved, layer) in enumerate(zip(stored, layers, strict=True)):
        tensors = layer.tensors()
        for name in {**tensors, **saved}:
            shape, needed = (tuple(each[name].shape) if name in each else "nothing" for each in (saved, tensors))
            if shape != needed:
                raise UserError(f"{source}.{k}.{name} has shape {shape}; this network needs {needed}")
            tensors[name].copy_(saved[name])


def quantize(layer: Layer, core: Core, spec: SlayerSNN) -> QuantizedLayer:
    """Quantise a layer for `core`, with compiled kernels on a CPU and Triton kernels on a GPU."""
    if isinstance(core, FloatCore):
        scale = scale_of(layer.v, layer.g)
        W = w = layer.v * scale
    else:
        W, w, scale = _grid_kernel(layer.v.device)(layer)
    if layer.delay is None:
        delay = torch.zeros(layer.v.shape[1], dtype=torch.int32, device=layer.v.device)
    else:
        delay = layer.delay.clamp(0, spec.max_delay).floor().int()
    return QuantizedLayer(W, w, neuron_on(core, layer.D, spec.threshold), delay, scale, layer.conv)


def runs_triton(device: torch.device) -> bool:
    return device.type == "cuda" and importlib.util.find_spec("triton") is not None


def _grid_kernel(device: torch.device) -> Callable[[Layer], tuple[Tensor, Tensor, Tensor]]:
    if runs_triton(device):
        from neurobench.kernels.cuba.gpu_update import to_grid as to_grid_triton

        return lambda layer: to_grid_triton(layer.v, layer.g)
    return on_grid_compiled if device.type == "cpu" else on_grid


def neuron_on(core: Core, D: Tensor, threshold: float) -> Neuron:
    """Constants of the neuron on `core`. Learned decays are clipped to the core's range."""
    D = D.cpu().double().clamp(0, POINT)
    if isinstance(core, FloatCore):
        i, v = (D / POINT).tolist()
        return FloatNeuron(1 - i, 1 - v, threshold)
    (i_low, i_high), (v_low, v_high) = core.i_decay, core.v_decay
    i, v = D.round().int().tolist()
    i, v = min(max(i, i_low), i_high), min(max(v, v_low), v_high)
    return FixedNeuron(POINT - i, POINT - v, int(GRID * threshold) * GRID, core.u_limit, core.v_limit)


def scale_of(v: Tensor, g: Tensor | None) -> Tensor:
    """Factor (C,) on v (I, C): g / |v| of each output neuron, 1 without weight norm."""
    if g is None:
        return torch.ones(v.shape[1], device=v.device)
    return g / v.double().square().sum(0).sqrt().float()


def half_mantissas(w: Tensor) -> Tensor:
    """Half the mantissas m of weights w = m / 64, int8: clamp(rint(32 w), -128, 127), ties to even; m is 2 halves."""
    return (32 * w).round().clamp(LOW, HIGH).to(torch.int8)


def weights_of(W: Tensor) -> Tensor:
    """Convert half mantissas to weights, float32."""
    return W.float() / (GRID / 2)


def on_grid(layer: Layer) -> tuple[Tensor, Tensor, Tensor]:
    """W, w and scale of `QuantizedLayer` in fixed-point arithmetic. Reference implementation."""
    scale = scale_of(layer.v, layer.g)
    W = half_mantissas(layer.v * scale)
    return W, weights_of(W), scale


def on_grid_compiled(layer: Layer) -> tuple[Tensor, Tensor, Tensor]:
    """Compiled version of `on_grid` for the CPU."""
    chunks = numba.get_num_threads()
    scale = torch.ones(layer.v.shape[1])
    if layer.g is not None:
        scale = layer.g / torch.from_numpy(squares(layer.v.numpy(), chunks)).sqrt().float()
    W, w = torch.empty(layer.v.shape, dtype=torch.int8), torch.empty(layer.v.shape)
    to_grid(layer.v.numpy(), scale.numpy(), chunks, W.numpy(), w.numpy())
    return W, w, scale
