"""Check, imported by test_interpreted with TRITON_INTERPRET=1: the GPU's engine and update on tensors of the CPU."""

from typing import Any

import torch

from neurobench.models.slayer import network
from neurobench.models.slayer.dense import DenseEngine
from neurobench.models.slayer.engine import EventEngine, LayerGradient
from neurobench.models.slayer.gpu_engine import GpuEngine
from neurobench.models.slayer.spikes import from_dense
from neurobench.models.slayer.update import update, update_by_triton, zero_moments
from tests.models.slayer.conftest import case, learner

CPU = torch.device("cpu")
STEPS = 22  # the interpreter's time depends on steps, which the kernels take four at a time


def dense(gradient: LayerGradient) -> torch.Tensor:
    return gradient.parts.sum(0) * gradient.factor


def check_engine(name: str) -> None:
    reference = case(name)
    reference = reference._replace(x=reference.x[:STEPS])
    inputs, found, events = from_dense(reference.x), [], EventEngine()
    events.run(inputs, reference.quantized, learns=True)
    for engine in (DenseEngine(CPU), GpuEngine(CPU)):
        act = engine.run(inputs, reference.quantized, learns=True, counted=True)
        found.append((*act, engine.gradients(reference.gradient(), reference.surrogate)))
        assert all(map(torch.equal, engine.arrived(), events.arrived()))
        for one, other in zip(engine.voltages(), events.voltages(), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5, check_dtype=False)
    assert (found[0][0] == found[1][0]).all()
    assert all((counts[0] > 0).any() for counts in found[0][1]), "a layer is silent"
    assert all((one == other).all() for one, other in zip(found[0][1], found[1][1], strict=True))
    assert found[0][2] == found[1][2]
    for one, other in zip(found[0][3], found[1][3], strict=True):
        torch.testing.assert_close(dense(one), dense(other), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(torch.as_tensor(one.dD), torch.as_tensor(other.dD), rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(one.delay, other.delay, rtol=1e-4, atol=1e-6)


def check_update(**settings: Any) -> None:
    """Check two updates from gradients in three parts, with some weights beyond the grid."""
    draw = torch.Generator().manual_seed(1)
    one, other = (learner(**settings) for _ in range(2))
    layers = [one.layers[1], other.layers[1]]
    for layer in layers:
        (layer.v if layer.g is None else layer.g).mul_(16)
        if layer.g is not None:
            layer.g[4] = 0  # a neuron whose weights are all 0 has a direction, and can grow
    moments = [zero_moments(layer) for layer in layers]
    for k in range(2):
        quantized = [network.quantize(layer, one.core, one.spec) for layer in layers]
        dw = torch.randn(len(layers[0].v), 3, layers[0].v.shape[1], generator=draw).transpose(0, 1)
        dD, delay = torch.randn(3, generator=draw).double(), torch.randn(dw.shape[2], generator=draw).double()
        gradient = LayerGradient(dw.sum(0, keepdim=True), 1.25, dD.numpy(), delay)
        size = update(layers[0], quantized[0], gradient, moments[0], 0.01, k, one.spec)
        mine = [(layers[1], quantized[1], LayerGradient(dw, 1.25, dD, delay), moments[1])]
        (found,) = update_by_triton(mine, 0.01, k, one.spec)
        torch.testing.assert_close(found, size, rtol=1e-5, atol=0)
    for name, tensor in layers[0].tensors().items():
        torch.testing.assert_close(layers[1].tensors()[name], tensor, rtol=1e-5, atol=2e-6)
    for name, kept in moments[0].items():
        for a, b in zip(kept, moments[1][name], strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    stay = 16 * torch.eye(3).repeat_interleave(4, 0)
    assert not layers[0].pools or all(torch.equal(layer.v, stay) for layer in layers)


for name in ("tiny_norm_delay", "tiny_float"):
    check_engine(name)
check_update()
check_update(weight_norm=False, delay=False, learn_decays=False)
check_update(convolutions=("3c9s5", "2a"))
print("agree")
