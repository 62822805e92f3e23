"""Conversion of convolutional networks to the channels-last order of `kernels.cuba.convolution`, and back."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from torch import Tensor

from neurobench.kernels.cuba.convolution import Places
from neurobench.kernels.cuba.spike_lists import Spikes
from neurobench.models.slayer.architecture import Convolution
from neurobench.models.slayer.network import QuantizedLayer

Shape = tuple[int, int, int]  # channels, rows, columns


def last_from_first(shape: Shape) -> Tensor:
    """Number in the order channels, rows, columns of each neuron in the order rows, columns, channels, (C P,) int64."""
    channels, rows, columns = shape
    return torch.arange(channels * rows * columns).view(channels, -1).t().reshape(-1)


def first_from_last(shape: Shape) -> Tensor:
    """Inverse permutation of `last_from_first`."""
    channels, rows, columns = shape
    return torch.arange(channels * rows * columns).view(-1, channels).t().reshape(-1)


def renamed(spikes: Spikes, numbers: Tensor) -> Spikes:
    """Renumber the neurons of spike lists; `clip`, because the lists have entries that no spike fills."""
    names = numbers.numpy().astype(np.uint16)
    return spikes._replace(neurons=np.take(names, spikes.neurons, mode="clip"))


def input_shapes(layers: Sequence[QuantizedLayer]) -> list[Shape | None]:
    """Shape of each layer's inputs if `channels_last` reorders them, else None."""
    shapes: list[Shape | None] = []
    before: Convolution | None = None
    for layer in layers:
        shapes.append(layer.conv.inputs if layer.conv else before and before.outputs)
        before = layer.conv
    return shapes


def channels_last(layers: Sequence[QuantizedLayer]) -> list[QuantizedLayer]:
    """Layers in channels-last order: weights of a convolution are (taps, input channels, C), each of its neurons has a
    delay, and the rows of the dense layer after it follow its neurons."""
    ordered = []
    for layer, shape in zip(layers, input_shapes(layers), strict=True):
        if layer.conv is not None:
            W, w = (taps_first(each, layer.conv) for each in (layer.W, layer.w))
            layer = layer._replace(W=W, w=w, delay=layer.delay.repeat(layer.conv.positions))
        elif shape is not None:
            rows = last_from_first(shape)
            layer = layer._replace(W=layer.W[rows], w=layer.w[rows])
        ordered.append(layer)
    return ordered


def taps_first(weights: Tensor, conv: Convolution) -> Tensor:
    """Reorder weights (fan_in, C) to (taps, input channels, C)."""
    return weights.view(conv.inputs[0], -1, conv.channels).transpose(0, 1).contiguous()


def channels_first(dW: Tensor) -> Tensor:
    """Invert `taps_first` for gradients (P, taps, input channels, C)."""
    return dW.transpose(1, 2).flatten(1, 2)


@cache
def places(conv: Convolution) -> Places:
    """Kernel positions that cover each pixel, and the weight with which each does."""
    _, rows, columns = conv.inputs
    first, tap, position = [0], [], []
    high, wide = conv.outputs[1:]
    for y, x in np.ndindex(rows, columns):
        for i, j in np.ndindex(conv.kernel, conv.kernel):
            (row, spare), (column, rest) = (
                divmod(at, conv.stride) for at in (y + conv.padding - i, x + conv.padding - j)
            )
            if spare == rest == 0 and 0 <= row < high and 0 <= column < wide:
                tap.append(i * conv.kernel + j)
                position.append(row * wide + column)
        first.append(len(tap))
    starts, taps, positions = (np.array(each, np.int32) for each in (first, tap, position))
    return Places(starts, taps, positions, conv.inputs[0], conv.pools)
