"""Convolutions and pooling as written in a configuration, and the resulting shapes. Imports nothing heavy."""

import re
from collections.abc import Sequence
from math import prod
from typing import NamedTuple

from neurobench.config.errors import UserError

FORM = re.compile(r"(?:([1-9]\d*)c([1-9]\d*)|([1-9]\d*)a)(?:s([1-9]\d*))?(?:p(\d+))?")
WORDS = (
    "a convolution like 16c5s2p2 (16 channels, kernels of 5 x 5, stride 2, padding 2) or pooling like 3as2p1 (windows "
    "of 3 x 3); s and p may be left out: 16c5, 2a"
)


class Convolution(NamedTuple):
    """Convolution of square kernels on (channels, rows, columns), like `slayer.block.cuba.Conv`; dilation, groups: 1.

    With `pools`, like `slayer.block.cuba.Pool`: a kernel sums over a window of its own channel, each pixel with the
    same weight, which is not learned. The last window may extend beyond the padding into zeros (torch's `ceil_mode`):
    for 2a, those that lava-dl appends to an odd number of rows or columns.
    """

    inputs: tuple[int, int, int]
    channels: int
    kernel: int  # side length
    stride: int
    padding: int
    pools: bool = False

    @property
    def outputs(self) -> tuple[int, int, int]:
        rows, columns = map(self._places, self.inputs[1:])
        return self.channels, rows, columns

    def _places(self, size: int) -> int:
        """Kernel positions along an axis. The last window of a pool may end beyond the padding but begins before it."""
        steps, rest = divmod(size + 2 * self.padding - self.kernel, self.stride)
        begins = (steps + 1) * self.stride
        return steps + 1 + (self.pools and rest > 0 and begins < size + self.padding)

    @property
    def overhang(self) -> tuple[int, int]:
        """Rows and columns by which the last kernels extend beyond the padding."""
        ends = ((places - 1) * self.stride + self.kernel - self.padding for places in self.outputs[1:])
        rows, columns = (max(0, end - size - self.padding) for end, size in zip(ends, self.inputs[1:], strict=True))
        return rows, columns

    @property
    def fan_in(self) -> int:
        """Number of stored weights of a channel; in a pool all but `synapses` of them are 0."""
        return self.inputs[0] * self.kernel**2

    @property
    def synapses(self) -> int:
        """Number of synapses of a neuron."""
        return self.kernel**2 if self.pools else self.fan_in

    @property
    def positions(self) -> int:
        """Number of neurons of a channel, which share its weights and its delay."""
        return prod(self.outputs[1:])


def convolutions(texts: Sequence[str], shape: Sequence[int]) -> tuple[Convolution, ...]:
    """Parse `texts` in `FORM` to successive layers on inputs of `shape`. Raises UserError if a kernel does not fit."""
    layers: list[Convolution] = []
    for text in texts:
        inputs = layers[-1].outputs if layers else tuple(shape)
        if len(inputs) != 3:
            raise UserError(f"model.convolutions: {text} reads (channels, rows, columns); recordings have {inputs}")
        layer = _convolution(text, inputs)
        if layer.kernel > min(inputs[1:]) + 2 * layer.padding:
            raise UserError(
                f"model.convolutions: {text} does not fit into {inputs[1]} x {inputs[2]}. Use a smaller one."
            )
        if layer.pools and layer.padding >= layer.kernel:
            raise UserError(
                f"model.convolutions: {text} has windows of padding only. Use a padding below {layer.kernel}."
            )
        layers.append(layer)
    return tuple(layers)


def _convolution(text: str, inputs: tuple[int, int, int]) -> Convolution:
    parts = FORM.fullmatch(text)
    assert parts is not None, "the spec checks it"
    channels, kernel, window, stride, padding = parts.groups()
    if window:
        return Convolution(inputs, inputs[0], int(window), int(stride or window), int(padding or 0), pools=True)
    return Convolution(inputs, int(channels), int(kernel), int(stride or 1), int(padding or 0))
