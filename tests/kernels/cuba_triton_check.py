"""Check, imported by test_interpreted with TRITON_INTERPRET=1: layers, events and the grid of weights."""

import torch

from neurobench.data.events import Events
from neurobench.kernels.cuba.gpu import Arrival, backward, dropout_mask, forward
from neurobench.kernels.cuba.gpu_events import bin_dense
from neurobench.kernels.cuba.gpu_update import to_grid
from neurobench.kernels.random import uniforms
from neurobench.models.slayer.network import half_mantissas, scale_of, weights_of
from neurobench.models.slayer.neuron import (
    GRID,
    POINT,
    FixedNeuron,
    FloatNeuron,
    Neuron,
    delay_gradient,
    delayed,
    lava_surrogate,
    scan_back,
    undelayed,
    unroll,
)
from neurobench.models.slayer.spikes import as_dense, binned, motion

T, B, C = 18, 2, 40  # 80 pairs: a whole block of 64 and part of another; steps are taken four at a time
CPU = torch.device("cpu")
SURROGATE = lava_surrogate(1.25, 0.03, 3.0)
draw = torch.Generator().manual_seed(0)


def check_steps(sums: torch.Tensor, neuron: Neuron, keep: float, mask: torch.Tensor | None) -> None:
    fixed = isinstance(neuron, FixedNeuron)
    z = (sums.double() * 2 * GRID / keep).trunc().long() if fixed else sums / keep
    s, u, v = unroll(neuron, z)
    assert s.any()
    delay = torch.randint(0, 9, (C,), generator=draw, dtype=torch.int32)
    y = delayed(s.float() if mask is None else s.float() * mask, delay)
    arrival, gain = Arrival(delay, mask), 1.0 if mask is None else 1.25
    ours = forward(sums, neuron, arrival, keep, True, torch.bfloat16)
    assert (ours.y == y).all()
    assert (ours.counts[0] == s.sum(0)).all()
    assert (ours.counts[1] == y.sum(0)).all()
    for one, other in ((ours.u, u), (ours.v, v)):
        torch.testing.assert_close(one, other.to(one.dtype), rtol=0, atol=0 if fixed else 1e-5)
    kept = forward(sums, neuron, arrival, keep, False, torch.float32)
    assert (kept.y == y).all()
    g = torch.randn(sums.shape, generator=draw)
    parts, found = backward(g, ours, SURROGATE, neuron, arrival, gain)
    arriving = undelayed(g, delay) * gain * (1 if mask is None else mask)
    eu, dD = scan_back(arriving, u, v, SURROGATE, neuron)
    torch.testing.assert_close(parts.float().sum(2), eu, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found[:3].sum((1, 2), dtype=torch.float64), dD, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(found[3].sum(0), delay_gradient(g, y), rtol=1e-4, atol=1e-5)


def check_events(sheared: bool) -> None:
    lengths = torch.tensor([540, 0, 40])
    n = int(lengths.sum())
    t = torch.cat([torch.randint(0, 30_000, (int(each),), generator=draw).sort().values for each in lengths])
    t[:3] = torch.tensor([500, 1500, 2500])  # half steps: rounded to the even one
    t[:540] = t[:540].sort().values
    x, y, p = (torch.randint(0, most, (n,), generator=draw, dtype=torch.uint8) for most in (34, 34, 2))
    start = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
    events = Events(t.int(), x, y, p, start, (2, 34, 34))
    for moved in (None, motion(3, 5, (-4, 3), 5.0, (2, 34, 34))):
        for saccades in (1, 3):
            ours = bin_dense(events, T, 1.0, moved, sheared, saccades, CPU)
            assert (ours == as_dense(binned(events, T, 1.0, moved, sheared, saccades))).all()


whole = torch.randint(-24, 36, (T, B, C), generator=draw).float()
half = (torch.rand(B, C, generator=draw) < 0.8).to(torch.uint8)
check_steps(whole, FixedNeuron(POINT - 1024, POINT - 123, 5120, 2**30, 2**30), 1.0, None)
check_steps(whole, FixedNeuron(POINT - 1024, POINT - 123, 5120, 2**23, 2**23 - 1), 0.95, half)
check_steps(4 * whole, FixedNeuron(POINT - 1, POINT, 5120, 2**14, 2**14 - 1), 1.0, half)
check_steps(torch.randn(T, B, C, generator=draw), FloatNeuron(0.75, 0.97, 1.25), 0.8, half)
check_events(sheared=False)
check_events(sheared=True)
for seed in (3, 4):  # keys on both sides of 2^31
    assert (dropout_mask(seed, (B, C), 0.3, CPU) == (uniforms(seed, (B, C)) >= 0.3)).all()
v, g = 4 * torch.randn(150, 20, generator=draw), 90 * torch.rand(20, generator=draw)
for length in (g, None):
    W, w, scale = to_grid(v, length)
    assert (scale == scale_of(v, length)).all()
    assert (half_mantissas(v * scale) == W).all()
    assert (w == weights_of(W)).all()
    assert W.min() == -128
    assert W.max() == 127
print("agree")
