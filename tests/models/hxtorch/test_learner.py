"""The hxtorch learner: it learns, resumes to the bit, and its gradient uses measured quantities only."""

from dataclasses import replace
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from neurobench.config.errors import UserError
from neurobench.data.dataset import Batch, Split
from neurobench.data.yin_yang import YinYangStream
from neurobench.devices.mac.protocol import Products
from neurobench.models.hxtorch import network
from neurobench.models.hxtorch.evaluation import tutorial_metrics
from neurobench.models.hxtorch.figures import figures
from neurobench.models.learner import Divergence, Step, Task, TrainingRecord
from tests.figures.readable import assert_readable, in_style
from tests.models.hxtorch.conftest import TUTORIAL, chip, learner, linear, phases, train, yin_yang
from tests.specs import spec


class Splits(NamedTuple):
    test: Split


def tutorial(made: Any, record: TrainingRecord) -> dict[str, float]:
    return dict(tutorial_metrics(made, Splits(yin_yang(2000, seed=40)), record))  # type: ignore[arg-type]


def test_the_tutorial_learns_yin_yang_and_training_in_the_loop_improves_on_the_transfer(data: Split) -> None:
    """One seed on one chip; the experiments measure five."""
    made = learner(chip(chip_seed=1), seed=2)
    made.start(data, None)
    metrics = tutorial(made, train(made, data, 217))
    assert metrics["host_accuracy"] > 0.8
    assert metrics["loop_accuracy"] > metrics["transfer_accuracy"] + 0.01
    assert list(metrics) == ["host_accuracy", "transfer_accuracy", "loop_accuracy"]


def test_in_exact_arithmetic_the_network_exceeds_87_percent_on_yin_yang(data: Split) -> None:
    made = learner(exact=True, phases=phases(host=201))
    made.start(data, None)
    assert tutorial(made, train(made, data, 201))["host_accuracy"] > 0.87


@pytest.mark.parametrize("stop", [1, 20, 21, 30])
def test_a_resumed_run_repeats_an_uninterrupted_one_to_the_bit(stop: int) -> None:
    """20 updates on the host, 12 on the chip; stopped before, at and after the change of phase."""

    def fresh() -> Any:
        return learner(chip(), phases=phases(host=20, loop=12))

    data = yin_yang(32 * 50)
    whole, first, second = fresh(), fresh(), fresh()
    whole.start(data, None)
    train(whole, data, 32)
    first.start(data, None)
    train(first, data, 32, stop=stop)
    second.load_state_dict(first.state_dict())
    train(second, data, 32, begin=stop)
    assert flat(second.state_dict()) == flat(whole.state_dict())
    assert torch.equal(second.predict(data.x), whole.predict(data.x))


def flat(node: Any) -> Any:
    """A state with lists for tensors, so that == compares values."""
    if isinstance(node, Tensor):
        return node.tolist()
    if isinstance(node, dict):
        return {key: flat(value) for key, value in node.items()}
    return [flat(item) for item in node] if isinstance(node, (list, tuple)) else node


def test_a_saved_state_is_not_changed_by_later_updates() -> None:
    data, made = yin_yang(100), learner(phases=phases(host=2))
    made.start(data, None)
    train(made, data, 2, stop=1)
    state = made.state_dict()
    before = flat(state)
    train(made, data, 2, begin=1)
    assert flat(state) == before


def test_predictions_depend_on_the_samples_and_not_on_earlier_predictions() -> None:
    data, made = yin_yang(600), learner()
    first = made.predict(data.x[:300])
    made.predict(data.x[300:])
    assert torch.equal(made.predict(data.x[:300]), first)
    assert not torch.equal(made.predict(torch.cat([data.x[:300], data.x[300:301]]))[:300], first)  # new noise


def test_on_the_chip_the_gradient_uses_the_measured_gain_alone(data: Split) -> None:
    """A chip that reports twice its gain leaves the forward pass unchanged and doubles the last layer's gradient."""

    class Says:
        """The chip with a wrong calibration."""

        def __init__(self, factor: float):
            self.chip = chip()
            self.gain, self.noise_std = factor * self.chip.gain, self.chip.noise_std
            self.identity, self.calibration = self.chip.identity, self.chip.calibration

        def matmul(self, x: Tensor, w: Tensor, num_sends: int, seed: int) -> Products:
            return self.chip.matmul(x, w, num_sends, seed)

        def host(self) -> Any:
            return self.chip.host()

    made = [learner(Says(factor), num_sends=[20, 4]) for factor in (1.0, 2.0)]
    for one in made:
        one.net = made[0].net.with_weights(made[0].net.weights())
    acts = [one.forward(one.inputs(data.x[:100]), one.mac, 3) for one in made]
    assert torch.equal(acts[0].logits, acts[1].logits)
    g = torch.ones_like(acts[0].logits)
    once, twice = (network.backward(g, act, one.net, one.mac.gain) for act, one in zip(acts, made, strict=True))
    assert torch.allclose(twice[2], 2 * once[2])
    assert torch.allclose(twice[0], 4 * once[0])


def test_training_phases_on_the_host_never_use_the_chip(data: Split) -> None:
    mac = chip()
    made = learner(mac, phases=phases(host=2, loop=1))
    sent: list[int] = []
    real = mac.matmul
    mac.matmul = lambda x, w, sends, seed: sent.append(sends) or real(x, w, sends, seed)  # type: ignore
    train(made, data.head(300), 3, stop=2)
    assert sent == []
    train(made, data.head(300), 3, begin=2)
    assert sent == [20, 4]


def test_weights_are_clamped_to_63(data: Split) -> None:
    made = learner(phases={"host": {**TUTORIAL["host"], "steps": 30, "lr": 50.0, "gamma": 1.0}})
    train(made, data.head(3000), 30)
    made.predict(data.x[:10])
    assert made.net.first.weight.abs().max() == 63


def test_weights_that_are_nan_stop_the_training_with_an_error() -> None:
    made = learner()
    made.net.first.weight[0, 0] = float("nan")
    with pytest.raises((Divergence, ValueError), match="weight w: found nan"):
        made.learn(Batch(torch.zeros(5, 4), torch.zeros(5, dtype=torch.int64)), Step(0, 217, 0))


def test_the_best_accuracy_that_rounded_inputs_allow_is_the_published_limit() -> None:
    """Limits by Monte Carlo over 4M samples: 97.41 %, and 98.63 % with inputs offset by half a step."""
    x, y = (torch.from_numpy(part) for part in YinYangStream(1, stream="fast").draw(1_000_000))
    assert network.input_cap(network.to_inputs(x, half_lsb=False), y) == pytest.approx(0.9741, abs=5e-4)
    assert network.input_cap(network.to_inputs(x, half_lsb=True), y) == pytest.approx(0.9863, abs=7e-4)


def test_wide_layers_of_many_chunks_and_columns_learn_images() -> None:
    """784 inputs in 7 chunks, 300 hidden columns in 2 blocks; two patterns that differ in a corner of the image."""
    draw = torch.Generator().manual_seed(0)
    y = torch.randint(2, (640,), generator=draw)
    x = 0.3 * torch.rand(640, 1, 28, 28, generator=draw)
    x[y == 1, :, 20:, 20:] += 0.5
    data = Split(x, y, torch.arange(640))
    made = learner(chip(), task=Task("image", (1, 28, 28), 2), hidden=300, phases=phases(host=30, loop=10))
    made.start(data, None)
    for k in range(40):
        chosen = torch.arange(64) + 64 * (k % 10)
        sums = made.learn(data.batch(chosen), Step(k, 40, 0))
    assert (sums.correct or 0) / 64 > 0.9


def test_half_lsb_is_refused_for_inputs_that_are_not_pairs_with_complements() -> None:
    with pytest.raises(UserError, match=r"half_lsb=true is for the inputs x, y, 1 - x, 1 - y; .*\(1, 28, 28\)"):
        spec("model/hxtorch_mlp", half_lsb=True).demand(Task("image", (1, 28, 28), 10))


def test_figures_of_a_task_in_a_plane_are_readable_and_animated() -> None:
    data, made = yin_yang(400), learner(phases=phases(host=3, loop=1))
    made.start(data, None)
    drawn = in_style(figures, made, data, train(made, data, 4))
    assert_readable(drawn)
    plane = {"dataset", "decision_regions", "decision_regions_over_training"}
    assert set(drawn) == plane | {"training", "output_against_weight", "columns", "calibration"}
    gif = drawn["decision_regions_over_training"]
    assert isinstance(gif, bytes)
    assert gif[:6] == b"GIF89a"


def test_no_dataset_figure_is_drawn_for_inputs_other_than_points_and_their_complements() -> None:
    data, made = yin_yang(40), learner(phases=phases(host=3, loop=1))
    made.start(data, None)
    flowers = replace(data, x=torch.rand(40, 4, generator=torch.Generator().manual_seed(0)))
    assert "dataset" not in figures(made, flowers, TrainingRecord())


@pytest.mark.parametrize("mac", [linear(gain=1.0), chip(gain=1.0, calibration="compat")])
def test_of_a_device_that_saturates_all_figures_but_that_of_its_calibration_are_drawn(mac: Any) -> None:
    data, made = yin_yang(40), learner(mac, phases=phases(host=3, loop=1))
    made.start(data, None)
    drawn = figures(made, data, train(made, data, 4))
    assert {"dataset", "training", "output_against_weight", "columns"} <= set(drawn)
    assert "calibration" not in drawn


def test_num_sends_follow_from_the_devices_gain_unless_they_are_given() -> None:
    made = learner(linear(gain=0.002))
    assert made.net.num_sends == [34, 6]
    assert learner(num_sends=[7, None]).net.num_sends == [7, 4]
