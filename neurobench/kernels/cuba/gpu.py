"""All time steps of a layer of current-based neurons in one launch on a GPU, forward and backward.

One program keeps the states of a block of (sample, neuron) pairs in registers while it walks through time, four steps
at a time: the inputs of all four are requested before the first is needed. Dropout and delays are part of the walk.
Equations: `neurobench.models.slayer.neuron`, whose functions these replace on CUDA.
"""

from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from neurobench.kernels.random import key_of
from neurobench.kernels.random_triton import uniform

BLOCK = 64  # pairs per program
_LAUNCH = {"num_warps": 2}
_Z = tl.constexpr(128.0)  # in 1/4096, increase of a current by half a mantissa of 1


class Spiked(NamedTuple):
    """Spikes and states of a layer in T steps."""

    y: Tensor  # (T, B, C) spikes as they arrive, in {0, 1}
    counts: Tensor  # (2, B, C) int32: spikes, and those of them that arrive
    u: Tensor  # (T, B, C) currents and, before the reset, voltages; empty unless they are stored
    v: Tensor


class Arrival(NamedTuple):
    """Delay and dropout between a spike and its arrival."""

    delay: Tensor  # (C,) int32 whole steps, in addition to the one that every spike takes
    mask: Tensor | None  # (B, C) uint8, 0 if dropout removes all spikes


@triton.jit
def _decayed(x, k):
    """trunc(x k / 4096) for int32, |x| < 2^30, by halves."""
    size = tl.abs(x)
    part = (size >> 12) * k + (((size & 4095) * k) >> 12)
    return tl.where(x < 0, -part, part)


@triton.jit
def _input(sums, at, valid, keep: tl.constexpr, fixed: tl.constexpr, width: tl.constexpr):
    """Load the input: int32 in 1/4096 from sums of half mantissas, divided by `keep` in float64 and cut; or floats."""
    a = tl.load(sums + at, mask=valid, other=0.0)
    if fixed:
        if keep == 1.0:
            a = (a * _Z).to(tl.int32)
        else:
            a = (a.to(tl.float64) * _Z / tl.full((width,), keep, tl.float64)).to(tl.int32)
    else:
        a = a / keep
    return a


@triton.jit
def _step(z, u, w, ku, kv, threshold, u_limit, v_limit, fixed: tl.constexpr):
    if fixed:
        u = _decayed(u, ku) + z
        u = tl.where(u > u_limit, u - 2 * u_limit, tl.where(u <= -u_limit, u + 2 * u_limit, u))
        v = tl.minimum(tl.maximum(_decayed(w, kv) + u, -v_limit), v_limit)
    else:
        u = ku * u + z
        v = kv * w + u
    return u, v, v > threshold


@triton.jit
def _pairs(delay, mask, pairs, neurons, masked: tl.constexpr, width: tl.constexpr):
    """This program's (sample, neuron) pairs; whether they exist; steps until their spikes arrive; whether dropout lets
    these pass."""
    pair = tl.program_id(0) * width + tl.arange(0, width)
    valid = pair < pairs
    lag = 1 + tl.load(delay + pair % neurons, mask=valid, other=0)
    passing = valid
    if masked:
        passing = valid & (tl.load(mask + pair, mask=valid, other=0) != 0)
    return pair, valid, lag, passing


@triton.jit(do_not_specialize=["ku", "kv", "threshold", "u_limit", "v_limit"])  # learned: compile only once
def _forward(
    sums, delay, mask, y, counts, u_out, v_out, pairs, neurons, steps,
    ku, kv, threshold, u_limit, v_limit,
    keep: tl.constexpr, fixed: tl.constexpr, masked: tl.constexpr, learns: tl.constexpr, width: tl.constexpr,
):  # fmt: skip
    pair, valid, lag, passing = _pairs(delay, mask, pairs, neurons, masked, width)
    u = tl.zeros((width,), tl.int32 if fixed else tl.float32)
    w = tl.zeros((width,), tl.int32 if fixed else tl.float32)
    spikes = tl.zeros((width,), tl.int32)
    arrived = tl.zeros((width,), tl.int32)
    one = tl.full((width,), 1.0, tl.float32)
    at = pair.to(tl.int64)
    for first in range(0, steps, 4):
        z0 = _input(sums, at, valid, keep, fixed, width)
        z1 = _input(sums, at + pairs, valid & (first + 1 < steps), keep, fixed, width)
        z2 = _input(sums, at + 2 * pairs, valid & (first + 2 < steps), keep, fixed, width)
        z3 = _input(sums, at + 3 * pairs, valid & (first + 3 < steps), keep, fixed, width)
        for k in tl.static_range(4):
            t = first + k
            z = z0 if k == 0 else (z1 if k == 1 else (z2 if k == 2 else z3))
            u, v, fired = _step(z, u, w, ku, kv, threshold, u_limit, v_limit, fixed)
            w = tl.where(fired, tl.zeros_like(v), v)
            now = valid & (t < steps)
            if learns:
                tl.store(u_out + at, u, mask=now)
                tl.store(v_out + at, v, mask=now)
            arrives = fired & passing & (t + lag < steps)
            tl.store(y + at + lag.to(tl.int64) * pairs, one.to(y.dtype.element_ty), mask=arrives)
            spikes += (fired & now).to(tl.int32)
            arrived += arrives.to(tl.int32)
            at += pairs
    tl.store(counts + pair, spikes, mask=valid)
    tl.store(counts + pairs + pair, arrived, mask=valid)


@triton.jit(do_not_specialize=["threshold"])
def _backward(
    g, delay, mask, u_in, v_in, parts, sums, pairs, neurons, steps,
    threshold, unit, centre, rate, peak, ku, kv, gain,
    masked: tl.constexpr, width: tl.constexpr,
):  # fmt: skip
    pair, valid, lag, passing = _pairs(delay, mask, pairs, neurons, masked, width)
    ev = tl.zeros((width,), tl.float32)
    eu = tl.zeros((width,), tl.float32)
    by_u = tl.zeros((width,), tl.float32)
    by_w = tl.zeros((width,), tl.float32)
    by_v = tl.zeros((width,), tl.float32)
    by_delay = tl.zeros((width,), tl.float32)
    after = tl.zeros((width,), tl.float32)  # dL/dy one step after the arrival
    far = lag.to(tl.int64) * pairs
    sample, neuron = (pair // neurons).to(tl.int64), pair % neurons
    samples = pairs // neurons
    for first in range(0, steps, 4):
        last = steps - 1 - first
        at = pair.to(tl.int64) + (tl.zeros((width,), tl.int64) + last) * pairs
        g0 = tl.load(g + at + far, mask=valid & (last + lag < steps), other=0.0)
        g1 = tl.load(g + at + far - pairs, mask=valid & (last - 1 + lag < steps) & (last >= 1), other=0.0)
        g2 = tl.load(g + at + far - 2 * pairs, mask=valid & (last - 2 + lag < steps) & (last >= 2), other=0.0)
        g3 = tl.load(g + at + far - 3 * pairs, mask=valid & (last - 3 + lag < steps) & (last >= 3), other=0.0)
        v0 = tl.load(v_in + at, mask=valid, other=0)
        v1 = tl.load(v_in + at - pairs, mask=valid & (last >= 1), other=0)
        v2 = tl.load(v_in + at - 2 * pairs, mask=valid & (last >= 2), other=0)
        v3 = tl.load(v_in + at - 3 * pairs, mask=valid & (last >= 3), other=0)
        u0 = tl.load(u_in + at, mask=valid, other=0)
        u1 = tl.load(u_in + at - pairs, mask=valid & (last >= 1), other=0)
        u2 = tl.load(u_in + at - 2 * pairs, mask=valid & (last >= 2), other=0)
        u3 = tl.load(u_in + at - 3 * pairs, mask=valid & (last >= 3), other=0)
        for k in tl.static_range(4):
            t = last - k
            now = g0 if k == 0 else (g1 if k == 1 else (g2 if k == 2 else g3))
            state = v0 if k == 0 else (v1 if k == 1 else (v2 if k == 2 else v3))
            u = u0 if k == 0 else (u1 if k == 1 else (u2 if k == 2 else u3))
            v = state.to(tl.float32) * unit
            fired = state > threshold
            by_u += eu * (u.to(tl.float32) * unit)
            by_w += tl.where(fired, 0.0, ev * v)
            by_v += ev * v
            by_delay += tl.where(fired & passing & (t + lag < steps), after - now, 0.0)
            slope = peak * tl.exp(tl.abs(v - centre) * rate)
            ev = tl.where(passing, now * gain, 0.0) * slope + kv * ev
            eu = ev + ku * eu
            after = now
            to = ((t * samples + sample) * 3) * neurons + neuron
            within = valid & (t >= 0)
            high = eu.to(tl.bfloat16)
            rest = eu - high.to(tl.float32)
            middle = rest.to(tl.bfloat16)
            tl.store(parts + to, high, mask=within)
            tl.store(parts + to + neurons, middle, mask=within)
            tl.store(parts + to + 2 * neurons, (rest - middle.to(tl.float32)).to(tl.bfloat16), mask=within)
    tl.store(sums + pair, by_u, mask=valid)
    tl.store(sums + pairs + pair, by_w, mask=valid)
    tl.store(sums + 2 * pairs + pair, by_v, mask=valid)
    tl.store(sums + 3 * pairs + pair, by_delay, mask=valid)


@triton.jit(do_not_specialize=["k0", "k1"])
def _keep(mask, size, k0, k1, dropout, width: tl.constexpr):
    pair = tl.program_id(0) * width + tl.arange(0, width)
    draw = uniform(pair.to(tl.uint32), k0.to(tl.uint32, bitcast=True), k1.to(tl.uint32, bitcast=True))
    tl.store(mask + pair, (draw >= dropout).to(tl.uint8), mask=pair < size)


def forward(sums: Tensor, p: Any, arrival: Arrival, keep: float, learns: bool, kind: torch.dtype) -> Spiked:
    """Run a layer on sums (T, B, C) float32 over active inputs: of half mantissas, exact, for a `FixedNeuron` p; of
    weights for a `FloatNeuron`. keep: share of inputs left by dropout; learns: store states; kind: dtype of y."""
    fixed = hasattr(p, "u_limit")
    steps, samples, neurons = sums.shape
    pairs = samples * neurons
    y = torch.zeros(sums.shape, dtype=kind, device=sums.device)
    counts = torch.empty(2, samples, neurons, dtype=torch.int32, device=sums.device)
    states = sums.shape if learns else (1,)
    u, v = torch.empty((2, *states), dtype=torch.int32 if fixed else torch.float32, device=sums.device)
    numbers = (*map(int, p),) if fixed else (*map(float, p), 0, 0)
    mask = counts if arrival.mask is None else arrival.mask
    tensors = (sums, arrival.delay, mask, y, counts, u, v, pairs, neurons, steps)
    choice = {"keep": keep, "fixed": fixed, "masked": arrival.mask is not None, "learns": learns}
    _forward[(triton.cdiv(pairs, BLOCK),)](*tensors, *numbers, **choice, width=BLOCK, **_LAUNCH)
    return Spiked(y, counts, u, v)


def backward(g: Tensor, spiked: Spiked, surrogate: Any, p: Any, arrival: Arrival, gain: float) -> tuple[Tensor, Tensor]:
    """Compute dL/dz and the sums for decays and delays from g = dL/dy (T, B, C) float32.

    dL/dz is (T, B, 3, C) bfloat16, three parts whose sum is the float32. The sums are (4, B, C): the three of
    `neuron.scan_back` and that of `neuron.delay_gradient`, not yet multiplied by `gain`, the value of a spike
    that dropout leaves.
    """
    steps, samples, neurons = g.shape
    pairs, unit = samples * neurons, p.lsb
    parts = torch.empty(steps, samples, 3, neurons, dtype=torch.bfloat16, device=g.device)
    sums = torch.empty(4, samples, neurons, device=g.device)
    numbers = (unit, surrogate.centre, -1 / surrogate.tau, surrogate.peak, p.ku * unit, p.kv * unit, gain)
    mask = sums if arrival.mask is None else arrival.mask
    tensors = (g.contiguous(), arrival.delay, mask, spiked.u, spiked.v, parts, sums, pairs, neurons, steps)
    masked, grid = arrival.mask is not None, (triton.cdiv(pairs, BLOCK),)
    _backward[grid](*tensors, p.threshold, *map(float, numbers), masked=masked, width=BLOCK, **_LAUNCH)
    return parts, sums


def dropout_mask(seed: int, shape: tuple[int, int], dropout: float, device: torch.device) -> Tensor:
    """Mask (B, C) uint8: 0 where the draw of `neurobench.kernels.random.uniforms` is below `dropout`."""
    mask = torch.empty(shape, dtype=torch.uint8, device=device)
    k0, k1 = (word - (word >> 31 << 32) for word in key_of(seed))  # the same bits as int32
    size = mask.numel()
    _keep[(triton.cdiv(size, 1024),)](mask, size, k0, k1, dropout, width=1024)
    return mask
