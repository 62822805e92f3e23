"""Checkpoints: their contents, which runs may start from them, and how others are refused."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from neurobench.config.errors import UserError
from neurobench.models.hxtorch.evaluation import accuracy, tutorial_metrics
from neurobench.models.hxtorch.learner import HXTorchMLPLearner
from neurobench.models.hxtorch.network import initial_scales
from neurobench.models.learner import Initial
from tests.models.hxtorch.conftest import chip, learner, linear, phases, train, yin_yang

DATA = yin_yang(1000)


def trained(mac: Any = None, **changes: Any) -> HXTorchMLPLearner:
    made = learner(mac, phases=phases(host=5, loop=2), **changes)
    made.start(DATA, None)
    train(made, DATA, 7)
    return made


def run(state: dict[str, Any]) -> Initial:
    return Initial("source", Path("outputs/source/1"), state)


def test_a_checkpoint_contains_everything_that_its_weights_depend_on() -> None:
    state = trained(chip(chip_seed=3, mismatch=2.0)).state_dict()
    assert state["num_sends"] == [initial_scales(state["gain"], inputs, None).num_sends for inputs in (4, 128)]
    assert state["chip"]["chip_seed"] == 3
    assert state["chip"]["mismatch"] == 2.0
    assert state["gain"] == state["calibration"]["gain"]
    assert state["noise_std"] == state["calibration"]["noise_std"]
    assert state["settings"]["avg"] == 5
    assert (state["begun"], state["format"]) == ({"host": 0, "loop": 5}, 1)
    assert set(state["weights"]) == {"w1", "b1", "w2", "b2"}


def test_a_checkpoint_loads_with_weights_only_and_predicts_the_same(tmp_path: Path) -> None:
    made, again = trained(chip()), learner(chip(), phases=phases(host=5, loop=2))
    torch.save(made.state_dict(), tmp_path / "state.pt")
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert torch.equal(again.predict(DATA.x), made.predict(DATA.x))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"avg": 3}, "avg=5 in the checkpoint, 3 here"),
        ({"bias": False}, "bias=True in the checkpoint, False here"),
        ({"half_lsb": True}, "half_lsb=False in the checkpoint, True here"),
        ({"shift": 2}, "shift=1 in the checkpoint, 2 here"),
        ({"hidden": 64}, "hidden=128 in the checkpoint, 64 here"),
        ({"num_sends": [20, 5]}, "num_sends of layer 2=4 in the checkpoint, 5 here"),
        ({"mac": linear(gain=0.0035)}, "gain=0.0034 in the checkpoint, 0.0035 here"),
        ({"mac": chip()}, "no chip in the checkpoint, a chip here"),
    ],
)
def test_a_checkpoint_with_another_setting_is_refused_with_both_values(fields: dict[str, Any], sentence: str) -> None:
    state = trained().state_dict()
    with pytest.raises(UserError) as caught:
        learner(**fields).load_state_dict(state)
    assert sentence in str(caught.value)


def test_a_checkpoint_of_another_chip_is_refused_with_both_values() -> None:
    state = trained(chip(chip_seed=1)).state_dict()
    with pytest.raises(
        UserError,
        match="chip_seed of the chip=1 in the checkpoint, 2 here; mismatch of the chip=1.0 in the checkpoint, 2.0 here",
    ):
        learner(chip(chip_seed=2, mismatch=2.0)).load_state_dict(state)


def test_all_differences_from_a_checkpoint_are_reported_at_once() -> None:
    with pytest.raises(UserError, match="avg=5 in the checkpoint, 3 here; bias=True in the checkpoint, False here"):
        learner(avg=3, bias=False).load_state_dict(trained().state_dict())


def test_weights_learned_without_a_chip_are_trained_further_in_the_loop() -> None:
    source = trained(num_sends=[18, 5])
    made = learner(chip(chip_seed=4), seed=1, init_from="source")
    made.start(DATA, run(source.state_dict()))
    assert torch.equal(made.net.first.weight, source.net.first.weight)
    assert made.net.num_sends == [18, 5], "num_sends goes with the weights"
    record = train(made, DATA, 3)
    assert made.begun == {"loop": 0}
    assert made.source == "outputs/source/1"
    assert not torch.equal(made.net.first.weight, source.net.first.weight)
    again = learner(chip(chip_seed=4), seed=1, init_from="source")
    again.load_state_dict(made.state_dict())
    assert again.initial_weights is not None
    assert torch.equal(again.initial_weights["w1"], source.net.first.weight)

    class Splits:
        test = DATA

    metrics = tutorial_metrics(again, Splits(), record)  # type: ignore[arg-type]
    assert list(metrics) == ["host_accuracy", "transfer_accuracy", "loop_accuracy"]


def test_weights_that_training_started_from_are_evaluated_whatever_the_phases_on_the_device_are_called() -> None:
    """A phase on the device may be called host, as after `model.phases.host.where=device`."""
    source, by_name = trained(), phases(host=3, loop=2)
    host = {**by_name["host"], "where": "device", "lr": 60.0}
    made = learner(chip(), init_from="source", phases={**by_name, "host": host}, passes=1)
    made.start(DATA, run(source.state_dict()))
    record = train(made, DATA, 5)
    splits: Any = SimpleNamespace(test=DATA)
    metrics = tutorial_metrics(made, splits, record)
    after_host = made.net.with_weights(record.snapshots["end/host"]["weights"])
    assert metrics["transfer_accuracy"] == accuracy(made, DATA, source.net, made.mac)
    assert metrics["host_accuracy"] == accuracy(made, DATA, after_host, made.mac) != metrics["transfer_accuracy"]
    assert metrics["loop_accuracy"] == accuracy(made, DATA, made.net, made.mac)


def test_a_transfer_from_a_device_with_another_gain_or_chip_is_refused() -> None:
    sim, on_chip = run(trained().state_dict()), run(trained(chip(chip_seed=1)).state_dict())
    with pytest.raises(UserError, match="gain=0.0034 in the checkpoint, 0.00378.* here .more than 5.0% apart"):
        learner(chip(x_offset=1.75), init_from="source").start(DATA, sim)
    with pytest.raises(UserError, match="chip_seed of the chip=1 in the checkpoint, 2 here"):
        learner(chip(chip_seed=2), init_from="source").start(DATA, on_chip)
    learner(chip(chip_seed=1), init_from="source").start(DATA, on_chip)


def test_a_run_of_another_model_is_refused_as_a_source() -> None:
    with pytest.raises(UserError, match="not one of hxtorch_mlp in format 1"):
        learner(init_from="source").start(DATA, run({"rbm": {}}))
