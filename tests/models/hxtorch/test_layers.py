"""The layers: forward pass and gradient against the reference vectors of hxtorch."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from neurobench.devices.mac.protocol import Products
from neurobench.models.hxtorch import network
from neurobench.models.hxtorch.network import Layer, initial_layer, initial_scales
from tests.models.hxtorch.conftest import linear

HERE = Path(__file__).parent
LAYERS, MAC = np.load(HERE / "layers.npz"), np.load(HERE / "mac.npz")


def tensor(name: str) -> Tensor:
    return torch.from_numpy(LAYERS[name].astype(np.float32))


def close(found: Tensor, expected: np.ndarray) -> bool:
    return np.allclose(found.numpy(), expected, rtol=1e-4, atol=1e-4)


def test_converting_relu_and_its_gradient_match_hxtorch_for_every_shift() -> None:
    x, g = tensor("crelu_x"), tensor("crelu_grad")
    for number, shift in enumerate(LAYERS["crelu_shift"]):
        assert np.array_equal(network.converting_relu(x, int(shift)).numpy(), LAYERS["crelu_y"][number])
        assert close(network.converting_relu_gradient(g, x, int(shift)), LAYERS["crelu_dx"][number])


def test_a_bias_is_added_in_8_bits_and_passes_the_gradient_through() -> None:
    a, b, g = tensor("add_a"), tensor("add_b"), tensor("add_grad")
    assert np.array_equal(network.add_bias(a, b).numpy(), LAYERS["add_y"])
    assert np.array_equal(network.add_bias(tensor("avg_out"), tensor("avg_bias")).numpy(), LAYERS["avg_add"])
    layer = Layer(torch.zeros(6, 1), b, 1, 1)
    assert close(network.linear_gradient(g, torch.zeros(7, 1), layer, 1.0).bias, LAYERS["add_db"])


class Answers:
    """A device that returns the reference's products."""

    gain, noise_std = 1.0, 0.0

    def matmul(self, x: Tensor, w: Tensor, num_sends: int, seed: int) -> Products:
        return Products(tensor("avg_in"), {})


def test_columns_with_the_same_weights_are_averaged() -> None:
    layer = Layer(torch.zeros(3, 1), None, 1, int(LAYERS["avg_n"]))
    assert close(network.linear(torch.zeros(7, 1), layer, Answers(), 0), LAYERS["avg_out"])


def test_a_linear_layers_clamped_weight_output_and_gradient_match_the_reference() -> None:
    gain, sends, avg = float(LAYERS["lin_gain"]), int(LAYERS["lin_num_sends"]), int(LAYERS["lin_avg"])
    mac = linear(gain=gain, noise_std=0.0)
    layer = Layer(tensor("lin_weight"), tensor("lin_bias"), sends, avg)
    assert layer.weight.abs().max() > 63
    x, g = tensor("lin_x"), tensor("lin_grad")
    assert np.array_equal(network.linear(x, layer, mac, 0).numpy(), LAYERS["lin_y"])
    assert close(layer.weight, LAYERS["lin_weight_after"])
    assert close(network.linear(x, layer._replace(bias=None), mac, 0), LAYERS["lin_y_nobias"])
    gradient = network.linear_gradient(g, x, layer, gain)
    assert close(gradient.weight, LAYERS["lin_dweight"])
    assert close(gradient.bias, LAYERS["lin_dbias"])
    assert close(network.input_gradient(g, layer, gain), LAYERS["lin_dx"])


@pytest.mark.parametrize(
    "case", ["exact", "round", "neghalf", "saturate", "chunk", "edge128", "edge129", "layer1", "layer2", "default"]
)
def test_the_gradient_of_the_device_is_that_of_the_linear_model_with_unrounded_operands(case: str) -> None:
    x, w, g = (torch.from_numpy(MAC[f"{case}_{part}"]) for part in ("x", "w", "grad"))
    layer = Layer(w.t().contiguous(), None, int(MAC[f"{case}_num_sends"]), 1)
    gain = float(MAC[f"{case}_gain"])
    assert close(network.linear_gradient(g, x, layer, gain).weight.t(), MAC[f"{case}_dw"])
    assert close(network.input_gradient(g, layer, gain), MAC[f"{case}_dx"])


def test_the_initialisation_scales_are_those_of_the_reference() -> None:
    names = ("gain", "fan_in", "relu_shift", "num_sends_given", "num_sends", "std", "bias_bound")
    for gain, fan_in, shift, given, sends, std, bound in zip(*(LAYERS[f"init_{name}"] for name in names), strict=True):
        scales = initial_scales(float(gain), int(fan_in), int(given) or None, int(shift))
        assert scales.num_sends == sends
        assert (scales.std, scales.bias) == pytest.approx((std, bound), rel=1e-9)


def test_num_sends_equal_those_that_the_tutorial_printed() -> None:
    assert [initial_scales(0.0034, inputs, None).num_sends for inputs in (4, 128)] == [20, 4]
    assert [initial_scales(0.002, inputs, None).num_sends for inputs in (4, 128)] == [34, 6]


def test_initial_weights_are_normal_truncated_at_63_and_biases_uniform() -> None:
    draw = torch.Generator().manual_seed(0)
    layer = initial_layer(400, 500, 0.0034, draw, num_sends=1, bias=True, avg=1)
    scales = initial_scales(0.0034, 400, 1)
    assert layer.weight.abs().max() <= 63
    cut = 63 / scales.std  # sd of a normal truncated at +-cut, in closed form
    normal = torch.distributions.Normal(0.0, 1.0)
    inside = 2 * normal.cdf(torch.tensor(cut)) - 1
    factor = 1 - 2 * cut * normal.log_prob(torch.tensor(cut)).exp() / inside
    assert layer.weight.std().item() == pytest.approx(scales.std * factor.sqrt().item(), rel=0.01)
    assert layer.bias is not None
    assert layer.bias.abs().max() <= scales.bias
    assert layer.bias.std().item() == pytest.approx(scales.bias / 3**0.5, rel=0.05)
    assert initial_layer(4, 3, 0.0034, draw, num_sends=None, bias=False, avg=5).bias is None


def test_the_gradient_of_the_loss_equals_that_of_autograd() -> None:
    logits = (20 * torch.randn(6, 3, generator=torch.Generator().manual_seed(0))).requires_grad_()
    y = torch.tensor([0, 1, 2, 2, 1, 0])
    torch.nn.functional.cross_entropy(0.25 * logits, y).backward()
    assert torch.allclose(network.softmax_gradient(logits.detach(), y, 0.25), logits.grad, atol=1e-7)
