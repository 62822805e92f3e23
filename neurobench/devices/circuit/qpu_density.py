"""Density matrices as real vectors of 4^n Pauli expectations: forwards for probabilities, or observables backwards.

Backwards, where all channels behind the product state are shared by the batch, n_obs vectors are evolved once
instead of one for each sample, and then contracted with the samples' product states.
"""

from __future__ import annotations

import torch
from torch import Tensor

from neurobench.devices.circuit.qpu_channels import Channel, Plan

_WIDE = 2  # wires: with fewer behind a channel, moving its axes to the end is faster than many narrow products


def final(plan: Plan, rows: torch.Size) -> Tensor:
    """(..., 4^n), r_P = Tr(P rho) behind all channels."""
    vector = product(plan.start)
    vector = vector.expand(*rows, vector.shape[-1])
    n = len(plan.start)
    for channel in plan.channels:
        vector = _apply(vector, channel, n)
    return vector


def product(start: list[Tensor]) -> Tensor:
    """n of (..., 4) -> (..., 4^n), the first the slowest; of none (1,)."""
    vector = start[0].new_ones(1)
    for part in start:
        vector = (vector[..., :, None] * part[..., None, :]).flatten(-2)
    return vector


def _apply(vector: Tensor, channel: Channel, n: int, transposed: bool = False) -> Tensor:
    """r -> M r on the channel's wires of (..., 4^n), or r -> M^T r."""
    matrix = channel.matrix.transpose(-1, -2) if transposed else channel.matrix
    first, size = channel.wires[0], len(channel.wires)
    behind = n - first - size  # wires whose Paulis vary faster
    if behind >= _WIDE and channel.wires == tuple(range(first, first + size)):
        spread = vector.unflatten(-1, (4**first, 4**size, 4**behind))
        return (matrix[..., None, :, :] @ spread).flatten(-3)
    lead = vector.ndim - 1
    axes = [lead + wire for wire in channel.wires]
    ends = list(range(-len(axes), 0))
    spread = vector.unflatten(-1, (4,) * n).movedim(axes, ends)
    rest = spread.shape[lead : lead + n - len(axes)]
    flat = spread.reshape(*spread.shape[:lead], -1, 4 ** len(axes))
    flat = flat @ matrix.transpose(-1, -2)
    spread = flat.reshape(*flat.shape[:-2], *rest, *(4,) * len(axes))
    lead = flat.ndim - 2  # a group axis of the matrix may have been added
    return spread.movedim(ends, [lead + wire for wire in channel.wires]).flatten(lead)


def probabilities(vector: Tensor, n: int, confusion: Tensor) -> Tensor:
    """(..., 4^n) -> (..., 2^n) of what is read; `confusion`: (2, 2), column: true bit."""
    kept = vector.unflatten(-1, (4,) * n)
    half = torch.tensor([[0.5, 0.5], [0.5, -0.5]], dtype=vector.dtype, device=vector.device)
    to_bit = confusion.to(half) @ half  # (I, Z) -> (read 0, read 1)
    for axis in range(-n, 0):
        kept = kept.movedim(axis, -1)
        kept = (kept[..., ::3] @ to_bit.t()).movedim(-1, axis)
    return kept.flatten(-n)


def backwards(plan: Plan, observables: Tensor, rows: torch.Size) -> Tensor:
    """`observables` (K, 4^n) -> (..., K) expectations: sum_P o_P r_P. The plan's channels must be shared."""
    n = len(plan.start)
    for channel in reversed(plan.channels):
        observables = _apply(observables, channel, n, transposed=True)
    half = n // 2
    left, right = product(plan.start[:half] or [observables.new_ones(1)]), product(plan.start[half:])
    left, right = (part.expand(*rows, part.shape[-1]) for part in (left, right))
    grid = observables.unflatten(-1, (4**half, -1))  # (..., K, 4^half, rest)
    partial = grid.flatten(-3, -2) @ right.transpose(-1, -2)
    partial = partial.unflatten(-2, (grid.shape[-3], grid.shape[-2]))  # (..., K, 4^half, B)
    return (partial * left.transpose(-1, -2)[..., None, :, :]).sum(-2).transpose(-1, -2)
