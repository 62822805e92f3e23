"""The quantised network: weights on the grid, integers that give the results of floats, gradients that pass through
rounding."""

from typing import Any

import numpy as np
import pytest
import torch

from neurobench.config.errors import UserError
from neurobench.metrics.operations import total
from neurobench.models.learner import Step, Task
from neurobench.models.torch_module.learner import TorchModuleLearner
from neurobench.models.torch_module.operations import operations
from neurobench.models.torch_module.quantized import GridLinear, rounded
from tests.models.torch_module.test_learner import CPU, SEEDS, batch
from tests.specs import spec

TASK = Task("image", (2, 5, 5), 3)


def network(hidden: tuple[int, ...] = (12, 7), task: Task = TASK, **arguments: int) -> TorchModuleLearner:
    bits = {"weight_bits": 8, "fraction_bits": 5, "activation_bits": 4, **arguments}
    fields = {"arguments": {"hidden": list(hidden), **bits}, "lr": 0.02}
    return spec("model/quantized_mlp", **fields).build(task, SEEDS, {}, CPU)


def trained(**changes: int) -> TorchModuleLearner:
    made = network(**changes)
    for k in range(20):
        made.learn(batch(16, k % 3, TASK.shape), Step(k, 20, 0))
    return made


def grids(made: TorchModuleLearner) -> list[torch.Tensor]:
    return [layer.on_grid().detach() for layer in made.net.modules() if isinstance(layer, GridLinear)]


@pytest.mark.parametrize(("bits", "low", "high"), [(8, -128, 127), (3, -4, 3)])
def test_weights_are_integers_of_the_given_number_of_bits(bits: int, low: int, high: int) -> None:
    made = trained(weight_bits=bits)
    with torch.no_grad():
        for part in made.net.parameters():
            part[0] = 100.0  # far off the grid, on either side
            part[1] = -100.0
    for weights in grids(made):
        assert torch.equal(weights, weights.round())
        assert (float(weights.min()), float(weights.max())) == (low, high)


@pytest.mark.parametrize(("bits", "fraction"), [(4, 5), (2, 6), (1, 3)])
def test_integer_arithmetic_alone_gives_the_networks_predictions(bits: int, fraction: int) -> None:
    made = trained(activation_bits=bits, fraction_bits=fraction)
    x, top = torch.rand(50, *TASK.shape, generator=torch.Generator().manual_seed(1)), 2**bits - 1
    q = np.floor(x.numpy().reshape(50, -1) * np.float32(top) + np.float32(0.5)).astype(np.int64)
    *hidden, last = [weights.numpy().astype(np.int64).T for weights in grids(made)]
    for weights in hidden:
        q = np.clip((q @ weights + (1 << (fraction - 1))) >> fraction, 0, top)
        assert 0 < q.mean() < top, "neither silent nor saturated"
    expected = (q @ last) / (top * 2**fraction)
    np.testing.assert_allclose(made.predict(x).numpy(), expected, rtol=1e-6)
    made.net.eval()
    assert np.array_equal((made.predict(x).numpy() * (top * 2**fraction)).round().astype(np.int64), q @ last)


def test_rounding_passes_the_gradient_through_and_clipping_does_not() -> None:
    x = torch.tensor([-3.0, -0.2, 0.4, 1.6, 2.5, 9.0], requires_grad=True)
    y = rounded(x, 0, 3)
    assert y.tolist() == [0, 0, 0, 2, 3, 3]
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 0, 1, 1, 1, 0]


def test_the_quantised_network_learns_which_row_of_pixels_is_brighter() -> None:
    made, draw = network((32,)), torch.Generator().manual_seed(0)
    x = torch.rand(200, *TASK.shape, generator=draw) * 0.3
    y = torch.arange(200) % 3
    for c in range(3):
        x[y == c, :, c] += 0.5
    for k in range(40):
        made.learn(batch(1)._replace(x=x, y=y), Step(k, 40, 0))
    assert float((made.predict(x).argmax(1) == y).float().mean()) > 0.95


def test_the_quantised_network_has_as_many_parameters_as_the_spiking_network() -> None:
    made = network((512, 512), Task("image", (2, 34, 34), 10))
    figures = made.finalize(None, None, None)  # type: ignore[arg-type]
    assert figures["parameters"] == 2312 * 512 + 512 * 512 + 512 * 10 == 1_451_008


def test_weights_that_the_grid_rounds_to_0_count_no_operations() -> None:
    made = network()
    with torch.no_grad():
        for part in made.net.parameters():
            part.fill_(0.01)  # a third of the grid's step
        next(made.net.parameters())[0] = 1.0
    figures, _ = total([operations(made, torch.ones(4, *TASK.shape))])
    weights = 50 * 12 + 12 * 7 + 7 * 3
    assert figures["connection_sparsity"] == pytest.approx(1 - 50 / weights)
    assert figures["effective_macs"] == 50


def test_sums_beyond_the_exact_integers_of_float32_are_refused() -> None:
    with pytest.raises(UserError, match="float32 is exact up to 16,777,216: use fewer bits"):
        network((600,), weight_bits=14)


@pytest.mark.parametrize(
    ("hidden", "settings", "sentence"),
    [
        ((8, 0), {}, "hidden=0 is not at least 1"),
        ((8,), {"weight_bits": 0}, "weight_bits=0 is not at least 1"),
        ((8,), {"activation_bits": 0}, "activation_bits=0 is not at least 1"),
    ],
)
def test_formats_without_bits_and_layers_without_units_are_refused(hidden: Any, settings: Any, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        network(hidden, **settings)
