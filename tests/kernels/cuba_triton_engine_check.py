"""Run by test_cuba_triton with TRITON_INTERPRET=1: the engine of GPUs on tensors of the CPU."""

import torch

from neurobench.models.slayer.dense import DenseEngine
from neurobench.models.slayer.spikes import from_dense
from tests.models.slayer.conftest import case

for name in ("tiny_norm_delay", "tiny_float"):
    reference = case(name)
    inputs, found = from_dense(reference.x), []
    for fused in (False, True):
        engine = DenseEngine(torch.device("cpu"))
        engine._fused = fused
        act = engine.run(inputs, reference.quantized, learns=True)
        found.append((act.y, engine.gradients(reference.gradient(), reference.surrogate)))
    assert (found[0][0] == found[1][0]).all()
    for one, other in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(one.parts, other.parts, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(torch.as_tensor(one.dD), torch.as_tensor(other.dD), rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(one.delay, other.delay, rtol=1e-4, atol=1e-6)
print("agree")
