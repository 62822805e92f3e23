"""Test metrics by epoch are for display only: no choice depends on them; and the best state is stored."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from neurobench.config.bounds import BoundsError
from neurobench.config.compose import composer
from neurobench.config.errors import UserError
from neurobench.config.schema import Training
from neurobench.data.dataset import Split
from neurobench.experiment.exports import write_exports, write_printout
from neurobench.experiment.loop import Loop
from neurobench.experiment.plan import Plan, faults_of, parse
from neurobench.storage.atomic import Unwritable
from neurobench.storage.folder import PRINTOUT, RunFolder
from neurobench.storage.held_out import held_out_figures, judge
from tests.experiment.test_loop import PLAN, Silent, figures
from tests.toy import Softmax, blobs

LONG = replace(PLAN, epochs=7)


def flipped(split: Split) -> Split:
    """Copy of a split in which every label is wrong: a choice that depended on it would differ."""
    return replace(split, y=1 - split.y)


def trained(schedule: Training, test: Split | None, folder: RunFolder | None = None) -> tuple[Softmax, Loop]:
    learner = Softmax(lr=2.0, noise=2.0)  # its metrics fluctuate
    loop = Loop(learner, blobs(21), blobs(30, seed=1), schedule, 5, folder, Silent(), test=test)
    loop.run()
    return learner, loop


@pytest.mark.parametrize("choice", [{}, {"patience": 2}, {"goal": 0.3}, {"keep_best": True}])
def test_test_metrics_affect_neither_learning_nor_stopping_nor_the_best_state(choice: dict[str, Any]) -> None:
    schedule = replace(LONG, **choice)
    ends = [trained(schedule, test) for test in (None, blobs(30, seed=2), flipped(blobs(30, seed=2)))]
    for learner, loop in ends[1:]:
        assert torch.equal(learner.W, ends[0][0].W)
        assert replace(loop.position, seconds=0, elapsed=0) == replace(ends[0][1].position, seconds=0, elapsed=0)
        assert (loop.best is None) == (ends[0][1].best is None)
        assert loop.best is None or torch.equal(loop.best["W"], ends[0][1].best["W"])  # type: ignore[index]
        rows = [{key: row[key] for key in row if not key.startswith("test_")} for row in loop.record.epochs]
        assert figures(rows) == figures(ends[0][1].record.epochs)
    right, wrong = (loop.record.epochs[-1]["test_accuracy"] for _, loop in ends[1:])
    assert right == pytest.approx(1 - wrong)


def test_a_test_metric_can_neither_be_monitored_nor_used_for_ranking(tmp_path: Path) -> None:
    with pytest.raises(BoundsError, match="monitor='test_accuracy' is not a figure of an epoch"):
        replace(PLAN, monitor="test_accuracy")
    folder = RunFolder.create(tmp_path, "toy", "0" * 12, "")
    _, loop = trained(replace(LONG, epochs=2), blobs(30, seed=2), folder)
    assert "test_accuracy" in folder.metrics()[-1]
    result = {"data": {"n_validation": 30, "validation_is_tested": False}, "metrics": {"test_accuracy": 1.0}}
    assert set(held_out_figures(folder, result)) == {"validation_loss", "validation_accuracy"}
    metrics = {"intervals": {"test_accuracy": [0.5, 1.0]}, "seconds": {}, "undefined": {}, "scale": "paper"}
    folder.write_result({**metrics, **result, "epochs": len(loop.record.epochs)})
    with pytest.raises(UserError):
        judge(folder, "test_accuracy")


def test_test_metrics_of_an_epoch_equal_a_measurement_after_that_epoch() -> None:
    test = blobs(30, seed=2)
    _, loop = trained(replace(LONG, epochs=3), test)
    for epochs in (1, 2, 3):
        learner, _ = trained(replace(LONG, epochs=epochs), None)
        measured = learner.measure(test.batch(slice(None)))
        assert loop.record.epochs[epochs - 1]["test_loss"] == pytest.approx(measured.loss / 30)  # type: ignore[operator]
        assert loop.record.epochs[epochs - 1]["test_accuracy"] == measured.correct / 30  # type: ignore[operator]


def test_the_best_state_is_stored_and_training_continues_from_the_last_one() -> None:
    learner, loop = trained(replace(LONG, keep_best=True), None)
    losses = [row["validation_loss"] for row in loop.record.epochs]
    best = losses.index(min(losses)) + 1
    assert 1 < best < len(losses)
    assert loop.best is not None
    assert torch.equal(loop.best["W"], trained(replace(LONG, epochs=best), None)[0].W)
    assert torch.equal(learner.W, trained(LONG, None)[0].W)
    assert loop.position.best_epoch is None  # the run ends with the state of its last epoch


def test_the_stored_best_state_survives_an_interruption(tmp_path: Path) -> None:
    schedule, folder = replace(LONG, keep_best=True), RunFolder.create(tmp_path, "toy", "0" * 12, "")
    _, whole = trained(schedule, None)
    trained(replace(schedule, epochs=4), None, folder)
    _, resumed = trained(schedule, None, folder)
    assert torch.equal(resumed.best["W"], whole.best["W"])  # type: ignore[index]


def exported(learner: Softmax) -> dict[str, Any]:
    def fail() -> bytes:
        raise UserError("cannot express it")

    return {"raw": lambda: repr(learner.W.tolist()).encode(), "odd": fail}


def printed(learner: Softmax, finished: Any) -> list[str]:
    return [
        f"loss {finished.record.epochs[-1]['train_loss']:.3f}",
        f"equal {torch.equal(finished.saved['W'], learner.W)}",
    ]


def test_a_run_writes_its_last_and_its_best_network_and_the_tutorials_printout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule, folder = replace(LONG, keep_best=True), RunFolder.create(tmp_path, "toy", "0" * 12, "")
    learner, loop = trained(schedule, None, folder)
    here = __name__
    model = SimpleNamespace(
        exports=f"{here}.exported", leaves={"raw": "net.raw", "odd": "odd.x"}, printout=f"{here}.printed"
    )
    plan = cast(Plan, SimpleNamespace(model=model, training=schedule))
    last = learner.W.clone()
    write_exports(folder, plan, learner, loop.best)
    assert (folder.path / "net.raw").read_text() == repr(last.tolist())
    assert (folder.path / "net_best.raw").read_text() == repr(loop.best["W"].tolist())  # type: ignore[index]
    assert torch.equal(learner.W, last)
    assert not list(folder.path.glob("odd*"))
    monkeypatch.setattr(learner, "load_state_dict", lambda _: pytest.fail("the best state is the last"))
    write_exports(folder, plan, learner, learner.state_dict())
    assert (folder.path / "net_best.raw").read_text() == (folder.path / "net.raw").read_text() == repr(last.tolist())
    write_printout(folder, plan, learner, cast(Any, None), loop.record, {})
    assert (folder.path / PRINTOUT).read_text().splitlines() == [
        f"loss {loop.record.epochs[-1]['train_loss']:.3f}", "equal True",
    ]  # fmt: skip


def test_a_full_disk_ends_the_run_when_its_network_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unlike a format that cannot express the network, this is an error: the run is to be resumed."""
    learner, folder = trained(LONG, None)[0], RunFolder.create(tmp_path, "toy", "0" * 12, "")
    model = SimpleNamespace(exports=f"{__name__}.exported", leaves={"raw": "net.raw"})

    def full(**_: Any) -> tuple[int, str]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tempfile.mkstemp", full)
    with pytest.raises(Unwritable, match="net.raw cannot be written to .*No space left on device"):
        write_exports(folder, cast(Plan, SimpleNamespace(model=model, training=LONG)), learner, None)


def test_keep_best_is_refused_for_a_model_that_writes_no_network_unless_only_read() -> None:
    with composer() as compose:
        config = compose(["model=mlp", "training.keep_best=true"])
        assert faults_of(config) == [
            "training.keep_best=true stores the best network as a file, of which model=mlp writes none; "
            "training.patience returns to the best state"
        ]
        assert parse(config, to_run=False).training.keep_best
        assert faults_of(compose(["model=slayer_snn", "training.keep_best=true"])) == []
