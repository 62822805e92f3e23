"""The camera's pixels on a GPU: `camera.simulate_pixels`, one program for 32 pixels of one recording.

The cheap steps before the pixels are computed by `prepare_gpu` on the CPU, so that they give the same. Each value here
is a float32 or a float64 if it is one on the CPU, and no product is fused with a sum. Only the last bit of a float64
logarithm or cosine may differ: see `neurobench.data.camera.emulation.emulate`. Checked with Triton's interpreter, on
an H100, and compiled for other GPUs, for which its instructions are inspected.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import triton
import triton.language as tl
from torch import Tensor

from neurobench.kernels import camera as cpu
from neurobench.kernels import coded_events as coded
from neurobench.kernels.random_triton import uniform

WIDTH = 32  # pixels per program: one per lane, so that few wait for the one with the most events
# One warp per program; products and sums are rounded separately, as on the CPU.
LAUNCH = {"num_warps": 1, "enable_fp_fusion": False}

_TURN = tl.constexpr(2 * math.pi)
_NEAR_DARK = tl.constexpr(cpu.NEAR_DARK)
_SIDE = tl.constexpr(coded.SIDE)
_T_SHIFT, _Y_SHIFT, _X_SHIFT = tl.constexpr(coded.T_SHIFT), tl.constexpr(coded.Y_SHIFT), tl.constexpr(coded.X_SHIFT)
_LAST = tl.constexpr(coded.LAST)


@triton.jit
def _log1m(counter, k0, k1):
    """log(1 - draw), float64: minus a draw from the exponential distribution of mean 1"""
    return tl.log(1 - uniform(counter, k0, k1).to(tl.float64))


@triton.jit
def _normal(counter, k0, k1):
    """Triton version of `neurobench.kernels.camera.normal`"""
    angle = _TURN * uniform(counter + 1, k0, k1).to(tl.float64)
    return tl.sqrt(-2 * _log1m(counter, k0, k1)) * tl.cos(angle)


@triton.jit
def _view(scene, at, row, column, valid, edge, fine):
    """Bilinear value of the scene (F, F) at each pixel with the camera moved to at (2,), and its row and column."""
    u = tl.minimum(tl.maximum(row + tl.load(at), 0.0), edge)
    v = tl.minimum(tl.maximum(column + tl.load(at + 1), 0.0), edge)
    a, b = u.to(tl.int32), v.to(tl.int32)
    fu, fv = u - a.to(tl.float32), v - b.to(tl.float32)
    corner = scene + a * fine + b
    one, two = tl.load(corner, mask=valid, other=0), tl.load(corner + 1, mask=valid, other=0)
    three, four = tl.load(corner + fine, mask=valid, other=0), tl.load(corner + fine + 1, mask=valid, other=0)
    top = one + fv * (two - one)
    bottom = three + fv * (four - three)
    return top + fu * (bottom - top), u, v


@triton.jit
def simulate_pixels(recordings, camera, codes, counts, sizes, edge, width: tl.constexpr):
    """Append the events of `width` pixels of one recording to its row of codes, in any order.

    recordings: scenes, bounds, paths of `prepare_gpu`, keys (B, 2) int32; codes (B, room) int32, counts (B,) int64;
    camera: base, threshold, (10,) float64 dt and the fields after it in `Prepared`; sizes: F, K, room, SIDE^2; edge:
    the last point of the grid that has a neighbour. The launch grid is (B, programs per recording).

    A pixel that has come to rest in the dark need not be skipped: it sees the dark again and does not change.
    """
    scenes, boxes, paths, keys = recordings
    base, threshold, pixel = camera
    fine, steps, room, pixels = sizes
    recording = tl.program_id(0).to(tl.int64)
    i = tl.program_id(1) * width + tl.arange(0, width)
    valid = i < pixels
    scene, path, bounds = scenes + recording * fine * fine, paths + recording * steps * 2, boxes + recording * 4
    k0 = tl.load(keys + recording * 2).to(tl.uint32, bitcast=True)
    k1 = tl.load(keys + recording * 2 + 1).to(tl.uint32, bitcast=True)
    low, high, left, right = tl.load(bounds), tl.load(bounds + 1), tl.load(bounds + 2), tl.load(bounds + 3)
    dt, refractory_brighter, refractory_tail, delay = (
        tl.load(pixel),
        tl.load(pixel + 1),
        tl.load(pixel + 2),
        tl.load(pixel + 3),
    )
    rate, gain, threshold_noise = tl.load(pixel + 4), tl.load(pixel + 5), tl.load(pixel + 6)
    refractory_darker, lost = tl.load(pixel + 8), tl.load(pixel + 9).to(tl.float32)
    step = dt.to(tl.float32)
    dark = tl.load(scene)
    row = tl.load(base + 2 * i, mask=valid, other=0)
    column = tl.load(base + 2 * i + 1, mask=valid, other=0)
    brighter = tl.load(threshold + i, mask=valid, other=0)
    darker = tl.load(threshold + pixels + i, mask=valid, other=0)

    signal, _, _ = _view(scene, path, row, column, valid, edge, fine)
    up, down = brighter, darker
    reference = signal - up + uniform(i.to(tl.uint32), k0, k1) * (up + down)
    blind = tl.full((width,), -1.0, tl.float32)  # us; until then the pixel sends nothing
    fired = tl.zeros((width,), tl.uint32)

    for k in range(1, steps):
        t0 = ((k - 1) * dt).to(tl.float32)
        t1 = t0 + step
        seen, u, v = _view(scene, path + 2 * k, row, column, valid, edge, fine)
        outside = (u < low) | (u > high) | (v < left) | (v > right)
        before = signal
        speed = step * (rate + gain * (seen - dark).to(tl.float64)).to(tl.float32)
        now = before + (seen - before) * (speed / (1 + speed.to(tl.float64)))
        now = tl.where(outside & (tl.abs(now - dark) < _NEAR_DARK), dark.to(tl.float64), now)
        signal = now.to(tl.float32)
        slope = (now - before) / step.to(tl.float64)
        active = valid & (blind < t1)
        while tl.max(active.to(tl.int32), 0) > 0:
            begin = tl.maximum(blind, t0)
            level = before + slope * (begin - t0)
            caught = reference + lost * (level - reference)
            reference = tl.where(active & (blind >= t0), caught.to(tl.float32), reference)
            above, below = reference + up, reference - down
            crosses = (below < level) & (level < above)
            rises, falls = now >= above, now <= below
            reached = tl.where(rises, above, below)
            t = tl.where(crosses, begin + (reached - level) / slope, begin.to(tl.float64))
            active = active & (rises | falls | ~crosses)
            n = tl.sum(active.to(tl.int32), 0)
            if n > 0:
                dims = tl.where(crosses, falls, level <= below)
                reference = tl.where(active, tl.where(dims, below, above), reference)
                counter = (i + 1).to(tl.uint32) * 2048 + fired * 4
                fired += active.to(tl.uint32)
                tail = -refractory_tail * _log1m(counter + 1, k0, k1)
                refractory = tail + tl.where(dims, refractory_darker, refractory_brighter)
                until = tl.maximum(t + refractory.to(tl.float32), (t + 1).to(tl.float32)).to(tl.float32)
                blind = tl.where(active, until, blind)
                if threshold_noise > 0:
                    z = (1 + threshold_noise * _normal(counter + 2, k0, k1)).to(tl.float32)
                    z = tl.maximum(z, 0.1)
                    up = tl.where(active, brighter * z, up)
                    down = tl.where(active, darker * z, down)
                us = (t + -delay * _log1m(counter, k0, k1)).to(tl.int64)
                us = tl.minimum(tl.maximum(us, 0), _LAST)
                code = us << _T_SHIFT | (i // _SIDE) << _Y_SHIFT | (i % _SIDE) << _X_SHIFT | dims.to(tl.int32)
                taken = tl.atomic_add(counts + recording, n.to(tl.int64), sem="relaxed")
                slot = taken + tl.cumsum(active.to(tl.int32), 0) - 1
                tl.store(codes + recording * room + slot, code.to(tl.int32), mask=active & (slot < room))
                active = active & (blind < t1)


def emulate(shown, camera, chunks, room, device) -> tuple[np.ndarray, np.ndarray]:
    """Event codes (all,) uint32 of the recordings, one after the other, and their counts (B,) int64.

    device: PyTorch device of the pixels; room: capacity for each recording's codes; the others are those of
    `neurobench.kernels.camera.emulate`. A count above the room means that events were lost: call again with more.
    """

    def on_device(array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(device)

    n, fine, steps, pixels = len(shown.images), len(camera.taps), len(camera.path), len(camera.base)
    prepared = [np.empty((n, *shape), np.float32) for shape in ((fine, fine), (4,), (steps, 2))]
    background, background_counts = np.empty((n, room), np.uint32), np.zeros(n, np.int64)
    cpu.prepare_gpu(shown, camera, chunks, *prepared, background, background_counts)
    most = min(room, int(background_counts.max(initial=0)))
    codes = torch.empty((n, room), dtype=torch.int32, device=device)
    codes[:, :most] = on_device(background[:, :most].view(np.int32))
    counts = on_device(background_counts)
    constants = np.array(camera[camera._fields.index("dt") :])
    recordings = tuple(map(on_device, (*prepared, shown.keys.view(np.int32))))
    sensor = tuple(map(on_device, (camera.base, camera.threshold, constants)))
    sizes, edge = (fine, steps, room, pixels), float(np.float32(fine - 1.001))
    grid = n, triton.cdiv(pixels, WIDTH)
    simulate_pixels[grid](recordings, sensor, codes, counts, sizes, edge, width=WIDTH, **LAUNCH)
    # Sort each recording's codes as unsigned numbers, one recording after the other.
    valid = torch.arange(room, device=device) < counts[:, None]
    owner = torch.arange(n, device=device)[:, None].expand(codes.shape)[valid]
    ordered = (owner << 32 | codes[valid].long() & 0xFFFFFFFF).sort().values
    return ordered.to(torch.int32).cpu().numpy().view(np.uint32), counts.cpu().numpy()
