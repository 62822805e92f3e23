"""Run by test_cuba_triton with TRITON_INTERPRET=1, which must be set before triton is imported."""

import torch

from neurobench.kernels.cuba.gpu import backward, forward
from neurobench.models.slayer.neuron import (
    POINT,
    FixedNeuron,
    FloatNeuron,
    Neuron,
    lava_surrogate,
    scan_back,
    unroll,
)

T, B, C = 25, 3, 70  # 210 pairs: a whole block of 128 and part of one
SURROGATE = lava_surrogate(1.25, 0.03, 3.0)
draw = torch.Generator().manual_seed(0)


def check(z: torch.Tensor, neuron: Neuron) -> None:
    fixed = isinstance(neuron, FixedNeuron)
    reference = unroll(neuron, z.long() if fixed else z)
    ours = forward(z, neuron, fixed)
    assert reference[0].any()
    for one, other in zip(ours, reference, strict=True):
        torch.testing.assert_close(one, other.to(one.dtype), rtol=0, atol=0 if fixed else 1e-5)
    g = torch.randn(z.shape, generator=draw)
    eu, dD = backward(g, *ours[1:], SURROGATE, neuron, neuron.lsb)
    expected_eu, expected_dD = scan_back(g, *reference[1:], SURROGATE, neuron)
    torch.testing.assert_close(eu, expected_eu, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(dD, expected_dD, rtol=1e-3, atol=1e-3)


whole = torch.randint(-3000, 4500, (T, B, C), generator=draw, dtype=torch.int32)
check(whole, FixedNeuron(POINT - 1024, POINT - 123, 5120, 2**30, 2**30))
check(4 * whole, FixedNeuron(POINT - 1, POINT, 5120, 2**14, 2**14 - 1))
check(torch.randn(T, B, C, generator=draw), FloatNeuron(0.75, 0.97, 1.25))
print("agree")
