"""Convolutions as a configuration writes them, and the shapes that follow. Nothing heavy."""

import re
from collections.abc import Sequence
from math import prod
from typing import NamedTuple

from neurobench.config.errors import UserError

FORM = re.compile(r"([1-9]\d*)c([1-9]\d*)(?:s([1-9]\d*))?(?:p(\d+))?")
WORDS = "channels, c, side of the kernel, then s and a stride, p and a padding where they are not 1 and 0: 16c5s2p2"


class Convolution(NamedTuple):
    """Square kernels on (channels, rows, columns), as `slayer.block.cuba.Conv` has them; dilation and groups are 1."""

    inputs: tuple[int, int, int]
    channels: int
    kernel: int  # its side
    stride: int
    padding: int

    @property
    def outputs(self) -> tuple[int, int, int]:
        rows, columns = ((size + 2 * self.padding - self.kernel) // self.stride + 1 for size in self.inputs[1:])
        return self.channels, rows, columns

    @property
    def fan_in(self) -> int:
        return self.inputs[0] * self.kernel**2

    @property
    def positions(self) -> int:
        """Neurons of a channel; they share its weights and its delay."""
        return prod(self.outputs[1:])


def convolutions(texts: Sequence[str], shape: Sequence[int]) -> tuple[Convolution, ...]:
    """Of `texts` in `FORM`, one after the other on inputs of `shape`. Raises UserError where a kernel does not fit."""
    layers: list[Convolution] = []
    for text in texts:
        inputs = layers[-1].outputs if layers else tuple(shape)
        if len(inputs) != 3:
            raise UserError(f"model.convolutions: {text} reads (channels, rows, columns); recordings have {inputs}")
        parts = FORM.fullmatch(text)
        assert parts is not None, "the spec checks it"
        channels, kernel, stride, padding = (
            int(part or default) for part, default in zip(parts.groups(), (1, 1, 1, 0), strict=True)
        )
        if kernel > min(inputs[1:]) + 2 * padding:
            raise UserError(
                f"model.convolutions: {text} does not fit into {inputs[1]} x {inputs[2]}. Take a smaller one."
            )
        layers.append(Convolution(inputs, channels, kernel, stride, padding))
    return tuple(layers)
