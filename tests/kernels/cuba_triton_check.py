"""Run by test_cuba_triton with TRITON_INTERPRET=1, which must be set before triton is imported."""

import math

import torch

from neurobench.kernels.cuba.gpu import backward, forward
from neurobench.models.slayer.neuron import POINT, Cuba, fixed_step, float_step, scan_back, slope_of, unroll

T, B, C = 25, 3, 70  # 210 pairs: a whole block of 128 and part of one
SLOPE = slope_of(1.25, 0.03, 3.0, 0.0)
draw = torch.Generator().manual_seed(0)


def check(z: torch.Tensor, p: Cuba, unit: float) -> None:
    fixed = unit != 1
    reference = unroll(fixed_step if fixed else float_step, z.long() if fixed else z, p)
    ours = forward(z, p, fixed)
    assert reference[0].any()
    for one, other in zip(ours, reference, strict=True):
        torch.testing.assert_close(one, other.to(one.dtype), rtol=0, atol=0 if fixed else 1e-5)
    g = torch.randn(z.shape, generator=draw)
    eu, dD = backward(g, *ours[1:], SLOPE, p, unit)
    back = scan_back(g, *reference[1:], SLOPE, p, unit)
    torch.testing.assert_close(eu, back.eu, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(dD, back.dD, rtol=1e-3, atol=1e-3)


whole = torch.randint(-3000, 4500, (T, B, C), generator=draw, dtype=torch.int32)
check(whole, Cuba(POINT - 1024, POINT - 123, 5120, 2**30, 2**30), 1 / POINT)
check(4 * whole, Cuba(POINT - 1, POINT, 5120, 2**14, 2**14 - 1), 1 / POINT)
check(torch.randn(T, B, C, generator=draw), Cuba(0.75, 0.97, 1.25, math.inf, math.inf), 1.0)
print("agree")
