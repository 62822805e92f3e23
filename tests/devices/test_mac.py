"""Tests of the linear model of the analog matrix multiplier, and of every shipped multiplier."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from neurobench.devices.mac.protocol import half_away
from neurobench.devices.mac.sim_linear import LinearModel
from tests.specs import CONF, spec, values

CPU = torch.device("cpu")
VECTORS = np.load(Path(__file__).parents[1] / "models/hxtorch/mac.npz")
CASES = ("exact", "round", "neghalf", "saturate", "chunk", "edge128", "edge129", "layer1", "layer2", "default")


def linear(**changes: float) -> LinearModel:
    device = spec("backend/sim", "mac", **changes).open(0, CPU)
    assert isinstance(device, LinearModel)
    return device


def quiet(gain: float) -> LinearModel:
    return linear(gain=gain, noise_std=0.0)


def case(name: str) -> tuple[Tensor, Tensor, int, float]:
    """x, w, num_sends and gain of a reference case."""
    x, w = (torch.from_numpy(VECTORS[f"{name}_{part}"]) for part in "xw")
    return x, w, int(VECTORS[f"{name}_num_sends"]), float(VECTORS[f"{name}_gain"])


@pytest.mark.parametrize("name", CASES)
def test_the_linear_model_reproduces_the_reference_vectors_exactly(name: str) -> None:
    x, w, sends, gain = case(name)
    assert np.array_equal(quiet(gain).matmul(x, w, sends, 0).y.numpy(), VECTORS[f"{name}_y"])


def test_accepted_inputs_and_weights_are_those_of_the_reference() -> None:
    one = torch.ones(1, 1)
    for value, legal in zip(VECTORS["accept_x"], VECTORS["accept_x_ok"], strict=True):
        assert accepted(torch.full((1, 1), float(value)), one) == legal, f"x={value}"
    for value, legal in zip(VECTORS["accept_w"], VECTORS["accept_w_ok"], strict=True):
        assert accepted(one, torch.full((1, 1), float(value))) == legal, f"w={value}"


def accepted(x: Tensor, w: Tensor) -> bool:
    try:
        quiet(0.1).matmul(x, w, 1, 0)
    except ValueError:
        return False
    return True


def test_operands_rounded_half_away_from_zero_reproduce_the_reference_vectors() -> None:
    x, w, sends, gain = case("round")
    y = quiet(gain).matmul(half_away(x), half_away(w), sends, 0).y
    assert np.array_equal(y.numpy(), VECTORS["round_y_half_away"])
    assert (VECTORS["round_y_half_away"] != VECTORS["round_y"]).sum() == 30


def test_noise_is_added_once_per_chunk_and_not_scaled_by_num_sends() -> None:
    """Two chunks: variance 2 (sigma^2 + 1/12), of which 1/12 is from the floor; it also costs half an LSB per chunk."""
    device = linear(gain=0.001, noise_std=3.0)
    for inputs, chunks in ((128, 1), (129, 2), (300, 3)):
        for sends in (1, 50):
            y = device.matmul(torch.zeros(20_000, inputs), torch.zeros(inputs, 4), sends, 7).y
            assert y.var().item() == pytest.approx(chunks * (9 + 1 / 12), rel=0.02)
            assert y.mean().item() == pytest.approx(-chunks / 2, abs=0.05)


def test_noise_is_a_function_of_the_seed_and_differs_from_column_to_column() -> None:
    device = linear()
    x, w = torch.zeros(500, 4), torch.zeros(4, 2)
    first = device.matmul(x, w, 1, 1).y
    assert torch.equal(first, device.matmul(x, w, 1, 1).y)
    assert not torch.equal(first, device.matmul(x, w, 1, 2).y)
    assert abs(torch.corrcoef(first.t())[0, 1].item()) < 0.15


FILES = sorted(f"backend/{path.stem}" for path in (CONF / "backend").glob("*.yaml"))
BACKENDS = [file for file in FILES if "_target_" in values(file).get("mac", {})]


@pytest.fixture(params=BACKENDS)
def mac(request: pytest.FixtureRequest) -> Any:
    return spec(request.param, "mac").open(0, CPU)


class TestEveryDevice:
    def test_answers_are_8_bit_integers_and_report_their_cost(self, mac: Any) -> None:
        x = 31 * torch.rand(20, 300, generator=torch.Generator().manual_seed(0))
        w = 63 - 126 * torch.rand(300, 700, generator=torch.Generator().manual_seed(1))
        y, cost = mac.matmul(x, w, 9, 0)
        assert cost == {"vectors": 20, "sends": 180}
        assert y.shape == (20, 700)
        assert y.dtype == torch.float32
        assert torch.equal(y, y.round())
        assert y.min() == -128
        assert y.max() == 127
        one = mac.matmul(x[0], w, 9, 0)
        assert one.y.shape == (700,)
        assert one.cost == {"vectors": 1, "sends": 9}

    def test_the_same_seed_gives_the_same_answer_after_other_calls(self, mac: Any) -> None:
        x, w = torch.full((5, 4), 3.0), torch.full((4, 6), 7.0)
        first = mac.matmul(x, w, 2, 11).y
        mac.matmul(torch.ones(7, 200), torch.ones(200, 300), 1, 5)
        assert torch.equal(mac.matmul(x, w, 2, 11).y, first)

    def test_the_host_model_has_the_gain_and_noise_of_the_device_and_a_similar_mean(self, mac: Any) -> None:
        """Over 200 columns and 400 repeats the chip's fixed pattern averages out."""
        host = mac.host()
        assert (host.gain, host.noise_std) == (mac.gain, mac.noise_std)
        assert host.host().gain == host.gain
        x, w = torch.full((400, 128), 10.0), torch.full((128, 200), 12.0)
        measured, modelled = mac.matmul(x, w, 1, 0).y, host.matmul(x, w, 1, 1).y
        assert measured.mean().item() == pytest.approx(modelled.mean().item(), abs=1.0)

    @pytest.mark.parametrize(
        ("x", "w", "sends", "sentence"),
        [
            (torch.tensor([[32.0, 0.0]]), torch.ones(2, 1), 1, r"input x: found 0 to 32, must round to \[0, 31\]"),
            (torch.tensor([[-0.75]]), torch.ones(1, 1), 1, r"input x: found -0.75 to -0.75"),
            (torch.ones(1, 1), torch.tensor([[-70.0]]), 1, r"weight w: found -70 to -70, must round to \[-63, 63\]"),
            (torch.tensor([[float("nan")]]), torch.ones(1, 1), 1, "input x: found nan to nan"),
            (torch.ones(1, 1), torch.tensor([[float("inf")]]), 1, "weight w: found inf to inf"),
            (torch.ones(1, 2), torch.ones(2), 1, "w has 1 dimensions, not 2"),
            (torch.ones(1, 1, 2), torch.ones(2, 1), 1, "x has 3 dimensions, not 1 or 2"),
            (torch.ones(1, 2), torch.ones(300, 1), 1, "x has 2 inputs, w has 300 rows"),
            (torch.ones(1, 1), torch.ones(1, 1), 0, "num_sends=0 is not an integer of at least 1"),
            (torch.ones(1, 1), torch.ones(1, 1), 1.5, "num_sends=1.5 is not an integer"),
        ],
    )
    def test_invalid_operands_are_refused_with_a_specific_message(
        self, mac: Any, x: Tensor, w: Tensor, sends: Any, sentence: str
    ) -> None:
        with pytest.raises(ValueError, match=sentence):
            mac.matmul(x, w, sends, 0)
