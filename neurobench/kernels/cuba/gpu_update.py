"""Rounding of a layer's weights to the grid, and one update of its parameters, in one launch each on a GPU.

`update` does the same on a CPU. A program handles some output neurons and all that their weights need: their norm,
the gradient's component along them, Adam. Sums over inputs are in float64, always in the same order.
"""

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from neurobench.kernels.cuba.update import HIGH, LOW, AdamStep

_ROWS, _COLUMNS = 128, 16  # size of a tile
_LAUNCH = {"num_warps": 8}
_LOW, _HIGH = tl.constexpr(float(LOW)), tl.constexpr(float(HIGH))
_HALF = tl.constexpr(1.5 * 2.0**23)  # as in `gpu_events`, for a float32


class Parameters(NamedTuple):
    """Parameters of a layer, or Adam's moments of them, all float32."""

    v: Tensor  # (I, C)
    g: Tensor | None  # (C,)
    D: Tensor  # (2,)
    delay: Tensor | None  # (C,)


class Gradient(NamedTuple):
    """Gradient with respect to the weights w, decays and delays."""

    parts: Tensor  # (P, I, C) float32: dL/dw is their sum times `factor`
    factor: float
    D: Tensor  # (2,) float64
    delay: Tensor  # (C,) float64


class Rule(NamedTuple):
    gridded: bool  # the gradient is 0 where the grid clips a weight
    learn_weights: bool  # if not, moments of v are not read
    learn_decays: bool
    most_decay: float
    most_delay: float


@triton.jit
def _half_mantissa(w):
    """rint(32 w), ties to even; if w is beyond the grid, some value beyond it."""
    return (tl.minimum(tl.maximum(w * 32.0, -1000.0), 1000.0) + _HALF) - _HALF


@triton.jit
def _to_grid(v, g, W, w, scale_out, inputs, width, normed: tl.constexpr, rows: tl.constexpr, columns: tl.constexpr):
    c = tl.program_id(0) * columns + tl.arange(0, columns)
    r = tl.arange(0, rows).to(tl.int64)
    within = c < width
    scale = tl.full((columns,), 1.0, tl.float32)
    if normed:
        squares = tl.zeros((columns,), tl.float64)
        for first in range(0, inputs, rows):
            inside = (first + r < inputs)[:, None] & within[None, :]
            part = tl.load(v + (first + r)[:, None] * width + c[None, :], mask=inside, other=0.0).to(tl.float64)
            squares += tl.sum(part * part, 0)
        norm = tl.where(within, tl.sqrt(squares).to(tl.float32).to(tl.float64), 1.0)
        scale = (tl.load(g + c, mask=within, other=0.0).to(tl.float64) / norm).to(tl.float32)
    tl.store(scale_out + c, scale, mask=within)
    for first in range(0, inputs, rows):
        inside = (first + r < inputs)[:, None] & within[None, :]
        at = (first + r)[:, None] * width + c[None, :]
        half = _half_mantissa(tl.load(v + at, mask=inside, other=0.0) * scale[None, :])
        half = tl.minimum(tl.maximum(half, _LOW), _HIGH)
        tl.store(W + at, half.to(tl.int8), mask=inside)
        tl.store(w + at, half * 0.03125, mask=inside)


@triton.jit
def _adam(p, first, second, at, inside, d, beta1, beta2, lr, correction, eps):
    """Return p after one step of Adam, and store its moments."""
    m = beta1 * tl.load(first + at, mask=inside, other=0.0) + (1 - beta1) * d
    s = beta2 * tl.load(second + at, mask=inside, other=0.0) + (1 - beta2) * d * d
    tl.store(first + at, m, mask=inside)
    tl.store(second + at, s, mask=inside)
    return p - lr * m / (tl.sqrt(s) * correction + eps)


@triton.jit
def _descend(
    v, g, D, delay, v1, g1, D1, delay1, v2, g2, D2, delay2, parts, dD, d_delay, scale_in, size_out, inputs, width,
    part_stride, row_stride, factor, beta1, beta2, lr, correction, eps, most_decay, most_delay,
    pieces: tl.constexpr, normed: tl.constexpr, delayed: tl.constexpr, gridded: tl.constexpr,
    learn_weights: tl.constexpr, learn_decays: tl.constexpr, rows: tl.constexpr, columns: tl.constexpr,
):  # fmt: skip
    c = tl.program_id(0) * columns + tl.arange(0, columns)
    r = tl.arange(0, rows).to(tl.int64)
    within = c < width
    scale = tl.load(scale_in + c, mask=within, other=1.0)
    dots, lengths = tl.zeros((columns,), tl.float64), tl.zeros((columns,), tl.float64)
    learned = inputs if learn_weights else 0
    for first in range(0, learned, rows):
        inside = (first + r < inputs)[:, None] & within[None, :]
        now = tl.load(v + (first + r)[:, None] * width + c[None, :], mask=inside, other=0.0)
        from_ = parts + (first + r)[:, None] * row_stride + c[None, :]
        total = tl.load(from_, mask=inside, other=0.0)
        for k in tl.static_range(1, pieces):
            total += tl.load(from_ + k * part_stride, mask=inside, other=0.0)
        total *= factor
        if gridded:
            half = _half_mantissa(now * scale[None, :])
            total = tl.where((half >= _LOW) & (half <= _HIGH), total, 0.0)
        tl.store(from_, total, mask=inside)
        dots += tl.sum((total * now).to(tl.float64), 0)
        if normed:
            lengths += tl.sum(now.to(tl.float64) * now.to(tl.float64), 0)
    pull = tl.zeros((columns,), tl.float32)
    squares = tl.zeros((columns,), tl.float64)
    if normed:
        length = tl.load(g + c, mask=within, other=1.0)
        norm = tl.where(scale != 0.0, length.to(tl.float64) / scale.to(tl.float64), tl.sqrt(lengths))
        pull = (scale.to(tl.float64) * dots / (norm * norm)).to(tl.float32)
        dg = (dots / norm).to(tl.float32)
        tl.store(g + c, _adam(length, g1, g2, c, within, dg, beta1, beta2, lr, correction, eps), mask=within)
        squares = dg.to(tl.float64) * dg.to(tl.float64)
    tl.debug_barrier()  # another thread may have written the values that are read next
    for first in range(0, learned, rows):
        inside = (first + r < inputs)[:, None] & within[None, :]
        at = (first + r)[:, None] * width + c[None, :]
        now = tl.load(v + at, mask=inside, other=0.0)
        total = tl.load(parts + (first + r)[:, None] * row_stride + c[None, :], mask=inside, other=0.0)
        d = scale[None, :] * total - pull[None, :] * now
        tl.store(v + at, _adam(now, v1, v2, at, inside, d, beta1, beta2, lr, correction, eps), mask=inside)
        if not normed:
            squares += tl.sum(d.to(tl.float64) * d.to(tl.float64), 0)
    if delayed:
        late = tl.load(delay + c, mask=within, other=0.0)
        by_delay = tl.load(d_delay + c, mask=within, other=0.0).to(tl.float32)
        late = _adam(late, delay1, delay2, c, within, by_delay, beta1, beta2, lr, correction, eps)
        tl.store(delay + c, tl.minimum(tl.maximum(late, 0.0), most_delay), mask=within)
        squares += by_delay.to(tl.float64) - by_delay.to(tl.float64)  # NaN if the gradient is not finite
    if tl.program_id(0) == 0:
        two = tl.arange(0, 2)
        decays = tl.load(D + two)
        if learn_decays:
            by_decays = tl.load(dD + two).to(tl.float32)
            decays = _adam(decays, D1, D2, two, two < 2, by_decays, beta1, beta2, lr, correction, eps)
            squares += tl.sum(by_decays.to(tl.float64) - by_decays.to(tl.float64), 0)
        tl.store(D + two, tl.minimum(tl.maximum(decays, 0.0), most_decay))
    tl.store(size_out + c, squares, mask=within)


def to_grid(v: Tensor, g: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Round g v / |v| to the grid: W (I, C) int8 = m / 2, w (I, C) float32 = m / 64, scale (C,) float32 = g / |v|."""
    inputs, width = v.shape
    W, w = torch.empty(v.shape, dtype=torch.int8, device=v.device), torch.empty_like(v)
    scale = torch.empty(width, device=v.device)
    normed, tile = g is not None, {"rows": _ROWS, "columns": _COLUMNS}
    grid = (triton.cdiv(width, _COLUMNS),)
    _to_grid[grid](v, v if g is None else g, W, w, scale, inputs, width, normed=normed, **tile, **_LAUNCH)
    return W, w, scale


def descend(
    p: Parameters, moments: tuple[Parameters, Parameters], gradient: Gradient, scale: Tensor, adam: AdamStep, rule: Rule
) -> Tensor:
    """Take one step of Adam on every parameter, in place; overwrites the parts of dL/dw. `scale` is from `to_grid`.

    Returns (C,) float64, whose sum is |dL/dg|^2, or |dL/dv|^2 without weight norm, and NaN if the gradient of another
    parameter is not finite.
    """
    inputs, width = p.v.shape
    sizes = torch.empty(width, dtype=torch.float64, device=p.v.device)
    absent = p.v  # placeholder for a missing tensor; never read
    tensors = [absent if each is None else each for group in (p, *moments) for each in group]
    parts = gradient.parts
    assert parts.stride(2) == 1
    layout = (inputs, width, parts.stride(0), parts.stride(1))
    numbers = (gradient.factor, *map(float, adam), rule.most_decay, rule.most_delay)
    grid, tile = (triton.cdiv(width, _COLUMNS),), {"rows": _ROWS, "columns": _COLUMNS}
    present = {"pieces": len(parts), "normed": p.g is not None, "delayed": p.delay is not None}
    kind = {"gridded": rule.gridded, "learn_weights": rule.learn_weights, "learn_decays": rule.learn_decays}
    given = (parts, gradient.D, gradient.delay, scale, sizes)
    _descend[grid](*tensors, *given, *layout, *numbers, **present, **kind, **tile, **_LAUNCH)
    return sizes
