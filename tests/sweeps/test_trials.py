"""Promises of a search's trials: processes that share a study differ, and only what its values cause fails a trial."""

import errno
import os
import platform
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from neurobench.config.errors import UserError
from neurobench.experiment.callbacks import Pruned
from neurobench.experiment.endings import RunFailed, RunInterrupted
from neurobench.experiment.plan import Plan
from neurobench.storage.folder import InUse, RunFolder

optuna = pytest.importorskip("optuna")

from sqlalchemy.exc import OperationalError  # noqa: E402 - optuna needs it

from neurobench.sweeps import tune  # noqa: E402 - it imports optuna
from neurobench.sweeps.space import Space  # noqa: E402

QUIET = Console(quiet=True)
SPACE = Space(("model=mlp",), "validation_accuracy", "validation_loss", {"model.lr": {"low": 0.001, "high": 0.1}})
Execute = Callable[[Plan, Console, Sequence[tune.Pruner]], RunFolder]


def pruned(plan: Plan, console: Console, callbacks: Sequence[tune.Pruner]) -> RunFolder:
    raise Pruned("stopped")


def searched(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch, execute: Execute = pruned, value: float = 0.5, trials: int = 1
) -> list[Any]:
    """States of the trials after a search whose runs are replaced by `execute`, with `value` as their result."""
    monkeypatch.setattr(tune, "execute", execute)
    monkeypatch.setattr(tune, "judge", lambda folder, figure: value)
    tune.tune(study, SPACE, trials, 0, QUIET, None)
    return [trial.state.name for trial in study.trials]


@pytest.fixture
def study() -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(direction="maximize")


def test_processes_that_share_a_study_try_different_values(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = optuna.create_study()
    searched(alone, monkeypatch)
    study.ask().set_user_attr("process", "another-machine 1")
    assert searched(study, monkeypatch) == ["RUNNING", "PRUNED"]
    assert study.trials[1].params != alone.trials[0].params


def test_processes_that_share_a_study_compute_as_many_trials_as_requested(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each process once began another trial while the others computed the last ones."""
    other = study.ask()
    other.set_user_attr("process", f"{platform.node()} {os.getppid()}")
    assert searched(study, monkeypatch, trials=1) == ["RUNNING"]
    assert searched(study, monkeypatch, trials=2) == ["RUNNING", "PRUNED"]
    other.set_user_attr("folder", str(tmp_path))  # not locked: the process id was given to another program
    assert searched(study, monkeypatch, trials=2) == ["RUNNING", "PRUNED", "PRUNED"]


def test_a_trial_whose_values_another_process_computes_takes_its_result(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    attempts: list[int] = []

    def execute(plan: Plan, console: Console, callbacks: Sequence[tune.Pruner]) -> RunFolder:
        attempts.append(1)
        if len(attempts) < 3:
            raise InUse("another process")
        return RunFolder(tmp_path)

    monkeypatch.setattr(tune, "POLL_S", 0.0)
    assert searched(study, monkeypatch, execute) == ["COMPLETE"]
    assert (len(attempts), study.best_value) == (3, 0.5)


def test_a_killed_trial_is_repeated_if_the_system_gave_its_process_id_to_this_search(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = study.ask()
    killed.set_user_attr("process", f"{platform.node()} {os.getpid()}")
    lr = killed.suggest_float("model.lr", 0.001, 0.1)
    tune.repeat_killed(study)
    assert searched(study, monkeypatch) == ["FAIL", "PRUNED"]
    assert study.trials[1].params == {"model.lr": lr}


def test_only_a_trial_that_another_process_has_just_begun_is_not_repeated(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.ask()  # without the id of a process
    tune.repeat_killed(study)
    assert [trial.state.name for trial in study.trials] == ["RUNNING"]
    monkeypatch.setattr(tune, "MOMENT_S", -1)
    tune.repeat_killed(study)
    assert [trial.state.name for trial in study.trials] == ["FAIL", "WAITING"]


def test_a_damaged_study_is_refused_with_its_file_and_the_remedy(tmp_path: Path) -> None:
    file = tmp_path / "study.db"
    tune.open_study(SPACE, "study", file)
    file.write_bytes(file.read_bytes()[:20_000])
    with pytest.raises(
        UserError, match=r"study.db cannot be read as a study \(.*malformed\). Restore it, or delete it"
    ):
        tune.open_study(SPACE, "study", file)


def test_a_study_that_cannot_be_written_at_the_moment_is_not_called_damaged(tmp_path: Path) -> None:
    (tmp_path / "study.db").mkdir()
    with pytest.raises(UserError, match=r"study.db: unable to open database file\. The study is not damaged"):
        tune.open_study(SPACE, "name", tmp_path / "study.db")
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    with pytest.raises(UserError, match="disk is full. The study is not damaged"), tune.stored(tmp_path):
        raise optuna.exceptions.StorageInternalError("commit") from OperationalError("", {}, full)


def failing(cause: Exception) -> Execute:
    def execute(plan: Plan, console: Console, callbacks: Sequence[tune.Pruner]) -> RunFolder:
        raise RunFailed("the run failed") from cause

    return execute


def test_a_full_disk_ends_the_search_and_the_trial_is_repeated_later(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RunFailed):
        searched(study, monkeypatch, failing(OSError(errno.ENOSPC, "No space left on device")), trials=3)
    assert tune.counted(study) == []
    tune.repeat_killed(study)
    assert searched(study, monkeypatch, trials=1) == ["FAIL", "PRUNED"]
    assert study.trials[0].params == study.trials[1].params
    assert len(tune.counted(study)) == 1


def test_a_run_that_fails_for_another_reason_is_a_failed_trial(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert searched(study, monkeypatch, failing(FloatingPointError("diverged")), trials=2) == ["FAIL", "FAIL"]


def test_ctrl_c_in_a_trial_ends_the_search_as_ctrl_c_and_not_with_the_advice_of_a_run(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    def execute(plan: Plan, console: Console, callbacks: Sequence[tune.Pruner]) -> RunFolder:
        raise RunInterrupted("resume it with the same command and --resume")  # which `tune` does not have

    with pytest.raises(KeyboardInterrupt):
        searched(study, monkeypatch, execute)


def test_a_figure_to_prune_on_that_no_epoch_has_ends_the_search(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    def execute(plan: Plan, console: Console, callbacks: Sequence[tune.Pruner]) -> RunFolder:
        try:
            callbacks[0].epoch({"epoch": 1, "validation_accuracy": 0.5})
        except UserError as error:  # as `execute` reports what a callback raises
            raise RunFailed("the run failed") from error
        raise AssertionError

    with pytest.raises(UserError, match="prune_on=validation_loss is not a figure .*; there is validation_accuracy"):
        searched(study, monkeypatch, execute, trials=3)
    assert len(study.trials) == 1


def test_a_result_that_is_not_a_number_is_a_failed_trial(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    states = searched(study, monkeypatch, lambda *_: RunFolder(tmp_path), value=float("nan"), trials=2)
    assert states == ["FAIL", "FAIL"]
