"""All time steps of a layer of current-based neurons in one launch on a GPU, forward and back.

One program keeps the states of a block of (sample, neuron) pairs in registers while it walks through time. Equations:
`neurobench.models.slayer.neuron`, whose functions these replace on CUDA.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 128  # pairs a program


@triton.jit
def _decayed(x, k):
    """trunc(x k / 4096) of int32, |x| < 2^30, by halves."""
    size = tl.abs(x)
    part = (size >> 12) * k + (((size & 4095) * k) >> 12)
    return tl.where(x < 0, -part, part)


@triton.jit
def _forward(
    z, s, u_out, v_out, pairs, steps, ku, kv, threshold, u_limit, v_limit, fixed: tl.constexpr, width: tl.constexpr
):
    column = tl.program_id(0) * width + tl.arange(0, width)
    valid = column < pairs
    u = tl.zeros((width,), tl.int32 if fixed else tl.float32)
    w = tl.zeros((width,), tl.int32 if fixed else tl.float32)
    at = column.to(tl.int64)
    for _ in range(steps):
        coming = tl.load(z + at, mask=valid, other=0)
        if fixed:
            u = _decayed(u, ku) + coming
            u = tl.where(u > u_limit, u - 2 * u_limit, tl.where(u <= -u_limit, u + 2 * u_limit, u))
            v = tl.minimum(tl.maximum(_decayed(w, kv) + u, -v_limit), v_limit)
        else:
            u = ku * u + coming
            v = kv * w + u
        fired = v > threshold
        w = tl.where(fired, tl.zeros_like(v), v)
        tl.store(s + at, fired.to(tl.uint8), mask=valid)
        tl.store(u_out + at, u, mask=valid)
        tl.store(v_out + at, v, mask=valid)
        at += pairs


@triton.jit
def _backward(
    g, u_in, v_in, eu_out, sums, pairs, steps, threshold, unit, centre, rate, peak, ku, kv, width: tl.constexpr
):
    column = tl.program_id(0) * width + tl.arange(0, width)
    valid = column < pairs
    ev = tl.zeros((width,), tl.float32)
    eu = tl.zeros((width,), tl.float32)
    by_u = tl.zeros((width,), tl.float32)
    by_w = tl.zeros((width,), tl.float32)
    by_v = tl.zeros((width,), tl.float32)
    at = column.to(tl.int64) + (tl.zeros((width,), tl.int64) + (steps - 1)) * pairs
    for _ in range(steps):
        state = tl.load(v_in + at, mask=valid, other=0)
        v = state.to(tl.float32) * unit
        by_u += eu * (tl.load(u_in + at, mask=valid, other=0).to(tl.float32) * unit)
        by_w += tl.where(state > threshold, 0.0, ev * v)
        by_v += ev * v
        slope = peak * tl.exp(tl.abs(v - centre) * rate)
        ev = tl.load(g + at, mask=valid, other=0.0) * slope + kv * ev
        eu = ev + ku * eu
        tl.store(eu_out + at, eu, mask=valid)
        at -= pairs
    tl.store(sums + column, by_u, mask=valid)
    tl.store(sums + pairs + column, by_w, mask=valid)
    tl.store(sums + 2 * pairs + column, by_v, mask=valid)


def forward(z: Tensor, p: Any, fixed: bool) -> tuple[Tensor, Tensor, Tensor]:
    """z (T, B, C) int32 or float32 -> spikes (T, B, C) bool, currents and voltages before the reset.

    p: `neuron.FloatNeuron` or `FixedNeuron`.
    """
    z = z.contiguous()
    pairs, steps = z[0].numel(), len(z)
    s = torch.empty(z.shape, dtype=torch.uint8, device=z.device)
    u, v = torch.empty_like(z), torch.empty_like(z)
    grid = (triton.cdiv(pairs, BLOCK),)
    limits = (int(p.u_limit), int(p.v_limit)) if fixed else (0, 0)
    kind = int if fixed else float
    _forward[grid](z, s, u, v, pairs, steps, *map(kind, p[:3]), *limits, fixed=fixed, width=BLOCK)
    return s.bool(), u, v


def backward(g: Tensor, u: Tensor, v: Tensor, surrogate: Any, p: Any, unit: float) -> tuple[Tensor, Tensor]:
    """As `neuron.scan_back`; unit: p's lsb."""
    g = g.contiguous()
    pairs, steps = g[0].numel(), len(g)
    eu = torch.empty_like(g)
    sums = torch.empty(3, pairs, device=g.device)
    one = 1 if unit == 1 else 4096
    numbers = (unit, surrogate.centre, -1 / surrogate.tau, surrogate.peak, p.ku / one, p.kv / one)
    threshold = int(p.threshold) if unit != 1 else p.threshold
    _backward[(triton.cdiv(pairs, BLOCK),)](g, u, v, eu, sums, pairs, steps, threshold, *numbers, width=BLOCK)
    return eu, sums.double().sum(1)
