"""Gradients against finite differences, of a network whose spikes the surrogate makes differentiable."""

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from neurobench.models.slayer.dense import DenseEngine
from neurobench.models.slayer.engine import Dropout, EventEngine
from neurobench.models.slayer.network import QuantizedLayer
from neurobench.models.slayer.neuron import POINT, FixedNeuron, FloatNeuron, Neuron, lava_surrogate, unroll
from neurobench.models.slayer.spikes import from_dense
from neurobench.models.slayer.update import decay_gradient

T, N, INPUTS, C = 40, 3, 12, 8
SURROGATE = lava_surrogate(1.25, 0.03, 3.0)


def silent_layer(current: float, voltage: float, W: Tensor) -> QuantizedLayer:
    """A layer whose threshold is never reached: its voltages are then those of a plain linear filter."""
    neuron = FloatNeuron(1 - current, 1 - voltage, 1e6)
    return QuantizedLayer(W, W, neuron, torch.zeros(W.shape[1], dtype=torch.int32), torch.ones(W.shape[1]))


def smooth_loss(x: Tensor, W: Tensor, current: float, voltage: float, g: Tensor) -> float:
    """sum_t g[t+1] F(v[t]) with F' the surrogate: the function whose gradient the scan claims to compute. float64."""
    _, _, v = unroll(FloatNeuron(1 - current, 1 - voltage, 1e6), x.double() @ W.double())
    away = v - SURROGATE.centre
    area = SURROGATE.peak * SURROGATE.tau * torch.sign(away) * (1 - torch.exp(-away.abs() / SURROGATE.tau))
    return float((g.permute(1, 0, 2)[1:].double() * area[:-1]).sum())


@pytest.mark.parametrize("engine", [EventEngine(), DenseEngine(torch.device("cpu"))], ids=["event", "dense"])
def test_decay_and_weight_gradients_are_those_of_the_smooth_network(engine: EventEngine | DenseEngine) -> None:
    draw = torch.Generator().manual_seed(1)
    x = (torch.rand(T, N, INPUTS, generator=draw) < 0.2).float()
    W = torch.randn(INPUTS, C, generator=draw) * 0.3
    g = torch.randn(N, T, C, generator=draw)
    layer = silent_layer(0.25, 0.03, W)
    engine.run(from_dense(x), [layer], learns=True)
    (gradient,) = engine.gradients(g, SURROGATE)
    h = 1e-5
    i = (smooth_loss(x, W, 0.25 + h, 0.03, g) - smooth_loss(x, W, 0.25 - h, 0.03, g)) / (2 * h * POINT)
    v = (smooth_loss(x, W, 0.25, 0.03 + h, g) - smooth_loss(x, W, 0.25, 0.03 - h, g)) / (2 * h * POINT)
    assert decay_gradient(gradient.dD, as_lava=False).tolist() == pytest.approx([i, v], rel=1e-3)
    dW = gradient.parts.sum(0)
    for row, column in ((0, 0), (5, 3), (11, 7)):
        step = torch.zeros_like(W)
        step[row, column] = 1e-3
        difference = (smooth_loss(x, W + step, 0.25, 0.03, g) - smooth_loss(x, W - step, 0.25, 0.03, g)) / 2e-3
        assert float(dW[row, column]) == pytest.approx(difference, rel=1e-3)


def test_a_delay_gradient_is_the_slope_between_two_whole_delays() -> None:
    """Between delays d and d + 1 an interpolated arrival is (1 - f) y[t] + f y[t-1]: its slope in f is the gradient."""
    draw = torch.Generator().manual_seed(2)
    x = (torch.rand(T, N, INPUTS, generator=draw) < 0.3).float()
    g = torch.randn(N, T, C, generator=draw)
    delay = torch.tensor([0, 1, 2, 3, 10, 20, 38, 39], dtype=torch.int32)
    neuron = FloatNeuron(0.75, 0.97, 1.25)
    W = torch.rand(INPUTS, C, generator=draw)
    values = []
    for d in (delay, delay + 1):
        engine = EventEngine()
        act = engine.run(from_dense(x), [QuantizedLayer(W, W, neuron, d, torch.ones(C))], learns=True)
        values.append((g * act.y).sum((0, 1)))
        if d is delay:
            (gradient,) = engine.gradients(g, SURROGATE)
    np.testing.assert_allclose(gradient.delay.numpy(), (values[1] - values[0]).numpy(), atol=1e-4)


@pytest.mark.parametrize("steps", [7, 8, 17, T], ids=lambda steps: f"{steps} steps")  # the kernels' tiles have 8
@pytest.mark.parametrize(
    "neuron",
    [
        FloatNeuron(0.75, 0.97, 1.25),
        FixedNeuron(POINT - 1024, POINT - 123, 5120, 2**30, 2**30),
        FixedNeuron(POINT - 1024, POINT - 123, 5120, 2**13, 2**13 - 1),
    ],
    ids=["float", "fixed", "clipped and wrapped"],
)
def test_event_and_dense_engines_agree_with_dropout_delays_and_three_layers(neuron: Neuron, steps: int) -> None:
    draw = torch.Generator().manual_seed(3)
    x = (torch.rand(steps, N, INPUTS, generator=draw) < 0.3).float()
    sizes = (INPUTS, 21, 17, 5)
    layers, masks = [], []
    for k, (inputs, width) in enumerate(itertools.pairwise(sizes)):
        half = torch.randint(-20, 40, (inputs, width), generator=draw).to(torch.int8)
        w = half.float() / 32
        delay = torch.randint(0, 6 if k < 2 else 1, (width,), generator=draw, dtype=torch.int32)
        W = half if isinstance(neuron, FixedNeuron) else w
        layers.append(QuantizedLayer(W, w, neuron, delay, torch.ones(width)))
        masks.append((torch.rand(N, width, generator=draw) > 0.2).to(torch.uint8))
    g = torch.randn(N, steps, 5, generator=draw)
    results = []
    for engine in (EventEngine(), DenseEngine(torch.device("cpu"))):
        act = engine.run(from_dense(x), layers, Dropout(masks[:2], 0.8), learns=True)
        results.append((act, engine.gradients(g, SURROGATE)))
    (event, ours), (dense, theirs) = results
    assert event.y.sum() > 0
    assert (event.y == dense.y).all()
    for a, b in zip(ours, theirs, strict=True):
        one, other = a.parts.sum(0) * a.factor, b.parts.sum(0) * b.factor
        assert float((one - other).abs().max() / other.abs().max()) < 1e-5
        np.testing.assert_allclose(a.dD, b.dD, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(a.delay, b.delay, atol=1e-5)


@pytest.mark.parametrize("dropout", [0.05, 0.3, 0.99])
def test_compiled_dropout_masks_are_those_of_torch_and_drop_the_given_share(dropout: float) -> None:
    seed, shape = 2**62 + 5, (70, 500)
    masks = [engine.dropout_mask(seed, shape, dropout) for engine in (EventEngine(), DenseEngine(torch.device("cpu")))]
    assert torch.equal(*masks)
    assert abs(masks[0].float().mean() - (1 - dropout)) < 0.01
