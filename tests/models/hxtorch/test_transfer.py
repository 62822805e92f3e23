"""Promises about checkpoints: what they hold, who may go on from them, and what a refusal says."""

from pathlib import Path
from typing import Any

import pytest
import torch

from neurobench.config.errors import UserError
from neurobench.devices.mac.analog import LinearMac
from neurobench.devices.mac.bss2 import BSS2
from neurobench.models.hxtorch.checkpoint import Refused
from neurobench.models.hxtorch.initial import widths
from neurobench.models.hxtorch.learner import HXTorchMLPLearner
from neurobench.runs.folder import RunFolder
from tests.models.hxtorch.conftest import CPU, learner, phases, train, yin_yang

DATA = yin_yang(1000)


def trained(mac: Any = None, **fields: Any) -> HXTorchMLPLearner:
    made = learner(mac, phases=phases(host=5, loop=2), **fields)
    made.start(DATA)
    train(made, DATA, 7)
    return made


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """Call it with a learner; the path of a run that holds its checkpoint."""

    def save(made: HXTorchMLPLearner) -> str:
        folder = RunFolder.create(tmp_path, "source", "ab" * 6, "")
        folder.update(status="finished")
        folder.save_checkpoint({"position": {}, "learner": made.state_dict(), "best": None})
        folder.release()
        return str(folder.path)

    return save


def test_a_checkpoint_holds_all_that_its_weights_depend_on() -> None:
    state = trained(BSS2(chip_seed=3, mismatch=2.0).open(0, CPU)).state_dict()
    assert state["num_sends"] == [widths(state["gain"], 4).num_sends, widths(state["gain"], 128).num_sends]
    assert state["chip"]["chip_seed"] == 3
    assert state["chip"]["mismatch"] == 2.0
    assert state["gain"] == state["calibration"]["gain"]
    assert state["noise_std"] == state["calibration"]["noise_std"]
    assert state["settings"]["avg"] == 5
    assert (state["history"]["phase"], state["history"]["steps_done"], state["format"]) == ("loop", 7, 1)
    assert set(state["weights"]) == {"w1", "b1", "w2", "b2"}


def test_it_comes_back_with_weights_only_and_predicts_the_same(run: Any) -> None:
    made = trained(BSS2().open(0, CPU))
    checkpoint = RunFolder(Path(run(made))).load_checkpoint()
    assert checkpoint is not None
    again = learner(BSS2().open(0, CPU), phases=phases(host=5, loop=2))
    again.load_state_dict(checkpoint["learner"])
    assert torch.equal(again.predict(DATA.x), made.predict(DATA.x))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"avg": 3}, "avg=5 there, 3 here"),
        ({"bias": False}, "bias=True there, False here"),
        ({"half_lsb": True}, "half_lsb=False there, True here"),
        ({"shift": 2}, "shift=1 there, 2 here"),
        ({"hidden": 64}, "hidden=128 there, 64 here"),
        ({"num_sends": [20, 5]}, "num_sends of layer 2=4 there, 5 here"),
        ({"mac": LinearMac(gain=0.0035).open(0, CPU)}, "gain=0.0034 there, 0.0035 here"),
        ({"mac": BSS2().open(0, CPU)}, "no chip there, a chip here"),
    ],
)
def test_a_checkpoint_of_another_setting_is_refused_naming_both(fields: dict[str, Any], sentence: str) -> None:
    state = trained().state_dict()
    with pytest.raises(Refused) as caught:
        learner(**fields).load_state_dict(state)
    assert sentence in str(caught.value)


def test_a_checkpoint_of_another_chip_is_refused_naming_both() -> None:
    state = trained(BSS2(chip_seed=1).open(0, CPU)).state_dict()
    with pytest.raises(
        Refused, match="chip_seed of the chip=1 there, 2 here; mismatch of the chip=1.0 there, 2.0 here"
    ):
        learner(BSS2(chip_seed=2, mismatch=2.0).open(0, CPU)).load_state_dict(state)


def test_all_differences_are_told_at_once() -> None:
    with pytest.raises(Refused, match="avg=5 there, 3 here; bias=True there, False here"):
        learner(avg=3, bias=False).load_state_dict(trained().state_dict())


def test_what_was_learned_without_a_chip_goes_on_in_the_loop(run: Any) -> None:
    source = trained(num_sends=[18, 5])
    made = learner(BSS2(chip_seed=4).open(0, CPU), seed=1, init_from=run(source))
    made.start(DATA)
    assert torch.equal(made.net.first.weight, source.net.first.weight)
    assert made.sends() == [18, 5], "num_sends goes with the weights"
    train(made, DATA, 3)
    assert made.history.phase == "loop"
    assert made.history.begun == {"loop": 0}
    assert made.source is not None
    assert not torch.equal(made.net.first.weight, source.net.first.weight)


def test_the_source_of_a_transfer_must_fit(run: Any) -> None:
    sim, chip = run(trained()), run(trained(BSS2(chip_seed=1).open(0, CPU)))
    with pytest.raises(Refused, match="gain=0.0034 there, 0.00378.* here .more than 5.0% apart"):
        learner(BSS2(x_offset=1.75).open(0, CPU), init_from=sim).start(DATA)
    with pytest.raises(Refused, match="chip_seed of the chip=1 there, 2 here"):
        learner(BSS2(chip_seed=2).open(0, CPU), init_from=chip).start(DATA)
    learner(BSS2(chip_seed=1).open(0, CPU), init_from=chip).start(DATA)


def test_a_run_of_another_model_is_no_source(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "qrbm", "ab" * 6, "")
    folder.update(status="finished")
    with pytest.raises(UserError, match="has no checkpoint to start from"):
        learner(init_from=str(folder.path)).start(DATA)
    folder.save_checkpoint({"position": {}, "learner": {"rbm": {}}, "best": None})
    with pytest.raises(Refused, match="not one of hxtorch_mlp in format 1"):
        learner(init_from=str(folder.path)).start(DATA)
