"""Errors of custom code are handled: figures that cannot be drawn, metrics that are no numbers, states that no
checkpoint can store, and an exit of the process."""

import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from neurobench.config.errors import UserError
from neurobench.experiment import drawing
from neurobench.experiment import execute as execute_module
from neurobench.experiment.callbacks import Callback
from neurobench.experiment.endings import RunFailed
from neurobench.experiment.execute import execute
from neurobench.experiment.metric_values import numbers_of
from neurobench.experiment.plan import Plan
from neurobench.experiment.request import plan_of
from neurobench.metrics.numbers import plain
from neurobench.models.learner import Sums
from neurobench.models.mlp.learner import MLPLearner
from neurobench.storage.checkpoint import require_plain
from neurobench.storage.folder import RunFolder

WORDS = ("model=mlp", "dataset=yin_yang", "scale=smoke")


def run(outputs: Path, said: io.StringIO | None = None, callbacks: Sequence[Callback] = ()) -> RunFolder:
    return execute(
        plan_of([*WORDS, f"outputs={outputs}"], None)[0], Console(file=said or io.StringIO(), width=1000), callbacks
    )


def ends_with(value: Any) -> Any:
    def end(*args: Any) -> Any:
        if isinstance(value, BaseException):
            raise value
        return value

    return end


@pytest.mark.parametrize("end", [ValueError("Key backend: no such backend"), SystemExit(0)])
def test_a_run_keeps_its_result_if_its_figures_cannot_be_drawn(
    end: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "figures_of", ends_with(end))
    said = io.StringIO()
    folder = run(tmp_path, said)
    assert re.search(f"figures could not be drawn .{type(end).__name__}.*the result is not affected", said.getvalue())
    result = folder.result()
    assert result is not None
    assert 0.3 < result["metrics"]["test_accuracy"] <= 1
    assert folder.record()["status"] == "finished"
    assert "Traceback" in (folder.path / "run.log").read_text()


class Follower:
    def __init__(self, end: Any, epoch: Any = lambda row: None) -> None:
        self.end_, self.epoch, self.ended = end, epoch, False

    def begin(self, plan: Any, folder: RunFolder) -> None:
        self.folder = folder

    def end(self, folder: RunFolder) -> None:
        self.ended = True
        self.end_()


def test_a_tracker_that_fails_at_the_end_costs_neither_the_result_nor_the_other_trackers(tmp_path: Path) -> None:
    first, second = Follower(ends_with(ConnectionError("server gone"))), Follower(ends_with(None))
    said = io.StringIO()
    folder = run(tmp_path, said, [first, second])
    assert (first.ended, second.ended, folder.is_finished, folder.in_use) == (True, True, True, False)
    assert "Follower failed at the end of the run (ConnectionError: server gone)" in said.getvalue()
    assert "server gone" in (folder.path / "run.log").read_text()


def test_a_tracker_whose_server_is_gone_during_training_ends_no_run(tmp_path: Path) -> None:
    rows: list[Any] = []
    failing = Follower(ends_with(None), ends_with(ConnectionError("server gone")))
    said = io.StringIO()
    folder = run(tmp_path, said, [failing, Follower(ends_with(None), rows.append)])
    assert (folder.is_finished, failing.ended, rows) == (True, True, folder.metrics())
    assert "warning: Follower failed at epoch 1 (ConnectionError: server gone); it follows this run" in said.getvalue()
    with pytest.raises(RunFailed, match="prune_on=x is not a figure"):
        run(tmp_path, callbacks=[Follower(ends_with(None), ends_with(UserError("prune_on=x is not a figure")))])


def test_a_finished_run_is_unlocked_if_the_user_stops_a_tracker_that_waits_for_its_server(tmp_path: Path) -> None:
    follower = Follower(ends_with(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt) as stopped:  # which refers to the run's lock, as a notebook's last error does
        run(tmp_path, callbacks=[follower])
    assert (follower.folder.in_use, follower.folder.status) == (False, "finished"), stopped


def test_a_run_that_could_not_export_its_best_network_exports_it_when_it_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["model=slayer_snn", "scale=smoke", "model.hidden=[8]", f"outputs={tmp_path}", "training.keep_best=true"]
    plan, _ = plan_of(words, None)
    bests: list[Any] = []

    def export(folder: RunFolder, plan: Plan, learner: Any, best: Any) -> None:
        bests.append(best)
        if len(bests) == 1:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(execute_module, "write_exports", export)
    console = Console(file=io.StringIO())
    with pytest.raises(RunFailed, match="No space left"):
        execute(plan, console)
    execute(plan.resumed(), console)
    assert [best is not None for best in bests] == [True, True]


def test_numpy_and_torch_numbers_are_metrics_and_other_values_are_undefined_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed = {"a": np.float32(2.5), "b": torch.tensor(1.5), "c": "many", "d": float("nan"), "e": torch.ones(2)}
    monkeypatch.setattr(MLPLearner, "finalize", ends_with(handed))
    result = json.loads((run(tmp_path).path / "result.json").read_text())
    assert (result["metrics"]["a"], result["metrics"]["b"]) == (2.5, 1.5)
    assert not {"c", "d", "e"} & set(result["metrics"])
    assert result["undefined"]["c"] == "the model's finalize returned 'many' (str) is not a number"
    assert result["undefined"]["d"] == "the model's finalize returned nan"
    assert "is not a number" in result["undefined"]["e"]


def test_a_metric_too_large_for_a_float_is_undefined() -> None:
    """It once failed the run with an OverflowError after training."""
    found, undefined = numbers_of({"a": 10**400, "b": 2}, "finalize")
    assert found == {"b": 2}
    assert undefined["a"].startswith("finalize returned 1000")


def test_an_accuracy_in_per_cent_is_undefined_with_a_reason() -> None:
    """It was once shown as 9730.00 %."""
    found, undefined = numbers_of(
        {"top5_accuracy": 97.3, "own_accuracy": 1.0000001, "accuracy_percent": 97.3}, "finalize"
    )
    assert [*found] == ["own_accuracy", "accuracy_percent"]
    assert undefined["top5_accuracy"].startswith("finalize returned 97.3, not a proportion")


def test_a_finalize_that_returns_none_is_named() -> None:
    with pytest.raises(UserError, match=re.escape("finalize returned None (NoneType), not a mapping")):
        numbers_of(None, "finalize")


@pytest.mark.parametrize("value", [3, 2.5, np.float32(2.5), np.int64(3), torch.tensor(3), torch.ones(1, 1), True])
def test_plain_turns_numpy_and_torch_numbers_into_python_numbers(value: Any) -> None:
    assert type(plain(value)) in (int, float)
    assert plain(value) == value


def test_sums_of_a_learner_may_be_tensors_with_a_gradient_but_not_strings() -> None:
    weight = torch.tensor(2.0, requires_grad=True)
    assert Sums(weight * 2, np.float64(3), {"spikes": torch.tensor(5)}).named() == {
        "loss": 4.0,
        "correct": 3.0,
        "spikes": 5.0,
    }
    with pytest.raises(UserError, match="Sums must be numbers, but 'low' .str. is not a number"):
        Sums("low").named()  # type: ignore[arg-type]


def test_a_state_that_a_checkpoint_cannot_store_is_refused_with_the_path_to_the_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MLPLearner, "state_dict", ends_with({"layers": [{"W": np.zeros(2)}]}))
    with pytest.raises(
        RunFailed, match=re.escape("cannot contain ['learner']['layers'][0]['W'], which is a numpy.ndarr")
    ):
        run(tmp_path)
    (path,) = tmp_path.glob("*/*/run.json")
    assert not (path.parent / "checkpoint.pt").exists()


@pytest.mark.parametrize("value", [np.float64(1), np.zeros(1), Sums(), Path("x")], ids=lambda each: type(each).__name__)
def test_require_plain_agrees_with_what_torch_loads_as_plain_data(value: Any, tmp_path: Path) -> None:
    """Checked by torch itself."""
    kept = {"n": None, "list": [1, 2.5, "x", (True, b"y")], "x": torch.nn.Parameter(torch.ones(2)), 3: torch.Size([1])}
    require_plain(kept)
    torch.save(kept, tmp_path / "kept")
    torch.load(tmp_path / "kept", weights_only=True)
    with pytest.raises(UserError, match="cannot contain"):
        require_plain({**kept, "y": [value]})
    torch.save({"y": [value]}, tmp_path / "refused")
    with pytest.raises(Exception, match="[Ww]eights only load failed"):
        torch.load(tmp_path / "refused", weights_only=True)


def test_a_run_whose_code_exits_the_process_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MLPLearner, "learn", ends_with(SystemExit(0)))
    with pytest.raises(RunFailed, match="SystemExit"):
        run(tmp_path)
    (path,) = tmp_path.glob("*/*")
    assert RunFolder(path).record()["status"] == "failed"


class FullLog(Follower):
    """A callback that leaves no room for run.log."""

    def begin(self, plan: Any, folder: RunFolder) -> None:
        (folder.path / "run.log").symlink_to("/dev/full")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_log_for_which_there_is_no_room_ends_no_run_and_prints_no_traceback(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = run(tmp_path, callbacks=[FullLog(ends_with(None))])
    assert (folder.is_finished, folder.status) == (True, "finished")
    with pytest.raises(RunFailed, match="the run failed: prune_on=x is not a figure$"):
        run(tmp_path, callbacks=[FullLog(ends_with(None), ends_with(UserError("prune_on=x is not a figure")))])
    assert "Traceback" not in capfd.readouterr().err
