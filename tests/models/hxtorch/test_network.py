"""The whole network against the reference network, layer by layer, and against autograd where they must agree."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from neurobench.devices.mac.protocol import Products
from neurobench.devices.mac.sim_linear import LinearModel
from neurobench.kernels.random import derive
from neurobench.models.hxtorch import network
from neurobench.models.hxtorch.network import Layer, Network, softmax_gradient, to_inputs
from tests.models.hxtorch.conftest import CPU, linear
from tests.specs import spec

NETWORK = np.load(Path(__file__).parent / "network.npz")
GAIN = float(NETWORK["gain"])
MAC = linear(gain=GAIN, noise_std=0.0)


def tensor(name: str) -> Tensor:
    return torch.from_numpy(NETWORK[name]).clone()


def reference(bias: bool = True) -> Network:
    sends, avg = NETWORK["num_sends"], int(NETWORK["avg"])
    first = Layer(tensor("w1"), tensor("b1") if bias else None, int(sends[0]), 1)
    second = Layer(tensor("w2"), tensor("b2") if bias else None, int(sends[1]), avg)
    return Network(first, second, int(NETWORK["shift"]))


def test_every_layers_output_equals_that_of_the_reference() -> None:
    net, x = reference(), to_inputs(tensor("x"), half_lsb=False)
    act = network.forward(x, net, MAC, 0)
    assert np.array_equal(network.linear(x, net.first._replace(bias=None), MAC, 0).numpy(), NETWORK["mac1"])
    assert np.array_equal(act.before.numpy(), NETWORK["pre1"])
    assert np.array_equal(act.hidden.numpy(), NETWORK["hidden"])
    assert np.array_equal(act.logits.numpy(), NETWORK["logits"])


def test_columns_of_the_second_layer_and_logits_without_bias_match_the_reference() -> None:
    net = reference()
    hidden = torch.from_numpy(NETWORK["hidden"].astype(np.float32))
    w = net.second.weight.t().repeat_interleave(net.second.avg, dim=1)
    assert np.array_equal(MAC.matmul(hidden, w, net.second.num_sends, 0).y.numpy(), NETWORK["mac2"])
    act = network.forward(to_inputs(tensor("x"), half_lsb=False), reference(bias=False), MAC, 0)
    assert np.allclose(act.logits.numpy(), NETWORK["logits_nobias"], rtol=1e-6)


def test_half_lsb_inputs_give_the_reference_logits() -> None:
    act = network.forward(to_inputs(tensor("x"), half_lsb=True), reference(), MAC, 0)
    assert np.array_equal(act.logits.numpy(), NETWORK["logits_halflsb"])


def test_half_lsb_inputs_stay_in_range_and_do_not_modify_the_data() -> None:
    x = torch.tensor([[0.0, 1.0, 1.0, 0.0]])
    assert to_inputs(x, half_lsb=True).tolist() == [[0.0, 31.0, 31.0, 0.5]]
    assert x.tolist() == [[0.0, 1.0, 1.0, 0.0]]


def test_loss_and_gradients_match_the_reference() -> None:
    net, y, scale = reference(), tensor("labels"), float(NETWORK["temperature"])
    act = network.forward(to_inputs(tensor("x"), half_lsb=False), net, MAC, 0)
    loss = torch.nn.functional.cross_entropy(scale * act.logits, y)
    assert loss.item() == pytest.approx(float(NETWORK["loss"]), rel=1e-5)
    gradients = network.backward(softmax_gradient(act.logits, y, scale), act, net, GAIN)
    for found, name in zip(gradients, ("dw1", "db1", "dw2", "db2"), strict=True):
        assert np.allclose(found.numpy(), NETWORK[name], rtol=1e-4, atol=1e-4), name


@pytest.mark.parametrize("bias", [True, False])
def test_in_exact_arithmetic_the_gradient_equals_that_of_autograd(bias: bool) -> None:
    net = reference()
    net = Network(*(layer._replace(bias=layer.bias if bias else None) for layer in net[:2]), net.shift)
    net = Network(*(layer._replace(weight=layer.weight.double()) for layer in net[:2]), net.shift)
    x, y = to_inputs(tensor("x"), half_lsb=False).double(), tensor("labels")
    leaves = [part.double().requires_grad_() for part in net.parameters()]
    named = iter(leaves)
    live = Network(
        *(layer._replace(weight=next(named), bias=next(named) if bias else None) for layer in net[:2]), net.shift
    )
    act = network.exact_forward(x, live, GAIN)
    torch.nn.functional.cross_entropy(0.25 * act.logits, y).backward()
    with torch.no_grad():
        found = network.backward(softmax_gradient(act.logits, y, 0.25), act, live, GAIN)
    for mine, leaf in zip(found, leaves, strict=True):
        assert torch.allclose(mine, leaf.grad, rtol=1e-9, atol=1e-12)


def test_each_layer_has_a_separate_noise_seed() -> None:
    class Seen(LinearModel):
        def __init__(self) -> None:
            super().__init__(spec("backend/sim", "mac", gain=GAIN), 0, CPU)
            self.seeds: list[int] = []

        def matmul(self, x: Tensor, w: Tensor, num_sends: int, seed: int) -> Products:
            self.seeds.append(seed)
            return super().matmul(x, w, num_sends, seed)

    mac = Seen()
    network.forward(to_inputs(tensor("x"), half_lsb=False), reference(), mac, 5)
    assert mac.seeds == [derive(5, 0), derive(5, 1)]
