"""What is fixed about one emulated BrainScaleS-2 chip, and where a matrix lies on it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from neurobench.devices.mac.analog_array import COLUMNS, ROWS
from neurobench.devices.mac.bss2 import BSS2
from neurobench.kernels.random import derive

ARRAYS = 2


class Pattern(NamedTuple):
    """Of the whole chip: A arrays, R rows, C columns. Of a matrix laid on it: a chunk p of rows for each a."""

    gain: Tensor  # (A, R, C) LSB for x * w = 1 sent once
    offset: Tensor  # (A, 1, C) LSB
    low: Tensor  # (A, 1, C) LSB, the rail where the membrane cannot fall further
    high: Tensor  # (A, 1, C) LSB


def draw_pattern(chip: BSS2) -> Pattern:
    """G = gain (1 + s_col N_col)(1 + s_row N_row)(1 + s_syn N_syn); an offset and two rails for each column.

    A function of `chip_seed`: the same normal deviates N under every spread and mismatch.
    """
    generator = torch.Generator().manual_seed(derive(chip.chip_seed, 0))

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    worse = chip.mismatch
    column = 1 + worse * chip.column_spread * normal(ARRAYS, 1, COLUMNS)
    row = 1 + worse * chip.row_spread * normal(ARRAYS, ROWS, 1)
    synapse = 1 + worse * chip.synapse_spread * normal(ARRAYS, ROWS, COLUMNS)
    return Pattern(
        gain=chip.gain * column * row * synapse,
        offset=worse * chip.column_offset * normal(ARRAYS, 1, COLUMNS),
        low=-110 + 6 * normal(ARRAYS, 1, COLUMNS),  # the demos: -110 to -115, with a spread
        high=127 - 3 * normal(ARRAYS, 1, COLUMNS).abs(),
    )


def laid_out(pattern: Pattern, chunks: int, outputs: int) -> Pattern:
    """The pattern under a matrix of `chunks` times 128 rows and `outputs` columns.

    It begins at row 0 and column 0. Each block of 256 columns takes its chunks of rows one after the other, and
    they alternate between the arrays, running on from block to block.
    """
    column = torch.arange(outputs, device=pattern.gain.device)
    chunk = torch.arange(chunks, device=pattern.gain.device)
    array = (column // COLUMNS * chunks + chunk[:, None]) % ARRAYS  # (P, O)
    at = column % COLUMNS
    return Pattern(*(part[array, :, at].transpose(1, 2) for part in pattern))
