"""Binning of a camera's events into a network's time steps on a GPU: `spike_lists.bin_events`, with a dense result."""

from typing import Any

import numpy as np
import torch
import triton
import triton.language as tl
from torch import Tensor

_WIDTH = 512  # events per program
_HALF = tl.constexpr(1.5 * 2.0**52)  # adding and subtracting it rounds a float64 to an integer, ties to even


@triton.jit
def _rint(x):
    return (x + _HALF) - _HALF


@triton.jit
def _bin(
    t, x, y, p, start, motion, dense, samples, steps, saccades, polarities, rows, columns,
    sheared: tl.constexpr, width: tl.constexpr,
):  # fmt: skip
    n = tl.program_id(0)
    k = tl.load(start + n) + tl.program_id(1) * width + tl.arange(0, width)
    valid = k < tl.load(start + n + 1)
    motion += 6 * n
    dx, dy = tl.load(motion), tl.load(motion + 1)
    cos, sin = tl.load(motion + 2), tl.load(motion + 3)
    time = tl.load(t + k, mask=valid, other=0).to(tl.float64)
    period, span = tl.load(motion + 4), tl.load(motion + 5)
    saccade = tl.minimum(tl.floor(time / span).to(tl.int32), saccades - 1)
    step = _rint((time - saccade * span) / period).to(tl.int64)
    right, down = tl.load(x + k, mask=valid, other=0).to(tl.float64), tl.load(y + k, mask=valid, other=0).to(tl.float64)
    if sheared:
        across = right * cos - down * sin + dx
        column, row = _rint(across).to(tl.int32), _rint(across * sin + down * cos + dy).to(tl.int32)
    else:
        middle_x, middle_y = (columns - 1) * 0.5, (rows - 1) * 0.5  # exact
        right, down = right - middle_x, down - middle_y
        column = _rint(middle_x + right * cos - down * sin + dx).to(tl.int32)
        row = _rint(middle_y + right * sin + down * cos + dy).to(tl.int32)
    valid = valid & (step < steps) & (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
    polarity = saccade * polarities + tl.load(p + k, mask=valid, other=0).to(tl.int32)
    i = (polarity * rows + row) * columns + column
    at = (step * samples + n) * (saccades * polarities * rows * columns) + i
    tl.store(dense + at, tl.full((width,), 1.0, tl.float32).to(dense.dtype.element_ty), mask=valid)


def bin_dense(
    events: Any,
    steps: int,
    sampling_time: float,
    moved: np.ndarray | None,
    sheared: bool,
    saccades: int,
    device: torch.device,
) -> Tensor:
    """Inputs (T, N, inputs) bfloat16 in {0, 1} of N recordings (`neurobench.data.events.Events`).

    moved: (N, 4), saccades: see `bin_events`; sampling_time: ms. Rounds as on the CPU, in float64, with no product
    fused with a sum.
    """
    n, (polarities, rows, columns) = len(events), events.sensor
    motion = np.empty((n, 6))
    motion[:, :4] = (0.0, 0.0, 1.0, 0.0) if moved is None else moved
    motion[:, 4] = 1000.0 * sampling_time
    motion[:, 5] = steps * motion[:, 4]
    dense = torch.zeros(steps, n, saccades * polarities * rows * columns, dtype=torch.bfloat16, device=device)
    longest = int(events.start.diff().max()) if n else 0
    if longest:
        tensors = (events.t, events.x, events.y, events.p, events.start)
        fields = [each.to(device, non_blocking=True) for each in tensors]  # staged before the call returns
        sizes = (n, steps, saccades, polarities, rows, columns)
        grid, launch = (n, triton.cdiv(longest, _WIDTH)), {"enable_fp_fusion": False}
        moves = torch.from_numpy(motion).to(device)
        _bin[grid](*fields, moves, dense, *sizes, sheared=sheared, width=_WIDTH, **launch)
    return dense
