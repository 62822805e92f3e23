"""Hyperparameter search: the trials of a study, each an ordinary run. Several processes may share a study."""

from __future__ import annotations

import json
import logging
import math
import os
import platform
import sqlite3
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock
from optuna.trial import FrozenTrial, Trial, TrialState
from rich.console import Console
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from neurobench.config.errors import ConfigError, UserError
from neurobench.config.overrides import override_of
from neurobench.experiment.callbacks import Pruned
from neurobench.experiment.endings import RunFailed, RunInterrupted
from neurobench.experiment.execute import execute
from neurobench.experiment.plan import Plan
from neurobench.metrics.catalog import larger_is_better
from neurobench.storage.atomic import make_folder, require_writable
from neurobench.storage.folder import InUse, RunFolder
from neurobench.storage.held_out import judge
from neurobench.sweeps.space import Space, plan_of_trial

ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
POLL_S = 1.0  # between two looks at a run that another process computes
MOMENT_S = 10  # within which a process has stored its id with the trial that it has begun
UNDAMAGED = (  # codes of sqlite for a study that cannot be read or written at the moment
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM,
)  # fmt: skip
_ELSEWHERE = "name another folder: --outputs FOLDER"


class Pruner:
    """A `Callback` that reports a trial's epochs to the study and stops unpromising trials early."""

    def __init__(self, trial: Trial, space: Space):
        self.trial, self.figure = trial, space.prune_on
        same = self.figure in (None, space.figure) or larger_is_better(str(self.figure)) == space.larger_wins
        self.sign = 1 if same else -1
        self.fault: str | None = None  # of the space, noticed in the run

    def begin(self, plan: Plan, folder: RunFolder) -> None:
        self.trial.set_user_attr("folder", str(folder.path))
        for row in folder.metrics():  # of a process that was killed
            self._report(row)

    def epoch(self, row: Mapping[str, Any]) -> None:
        if self._report(row) and self.trial.should_prune():
            raise Pruned(f"stopped after epoch {row['epoch']}")

    def _report(self, row: Mapping[str, Any]) -> bool:
        if self.figure is None:
            return False
        if self.figure not in row:
            known = ", ".join(key for key in row if key.startswith("validation_"))
            self.fault = f"prune_on={self.figure} is not a figure of an epoch; there is {known or 'none'}"
            raise UserError(self.fault)
        self.trial.report(self.sign * row[self.figure], row["epoch"])
        return True

    def end(self, folder: RunFolder) -> None:
        pass


def open_study(space: Space, name: str, file: Path) -> optuna.Study:
    """Open the study in a sqlite file, which is created if it does not exist. A trial whose process was killed will be
    repeated from its run's checkpoint. Raises UserError if the file is damaged, of another version of Optuna, or cannot
    be written."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    make_folder(file.parent, _ELSEWHERE)
    require_writable(file, _ELSEWHERE)
    # The lock, since processes that do one of these at the same time interfere
    with stored(file, optuna.exceptions.OptunaError, RuntimeError), FileLock(f"{file}.lock"):
        study = optuna.create_study(
            study_name=name,
            storage=URL.create("sqlite", database=str(file.absolute())).render_as_string(),  # "?" is quoted
            direction="maximize" if space.larger_wins else "minimize",
            pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=1),
            load_if_exists=True,
        )
        repeat_killed(study)
    return study


@contextmanager
def stored(file: Path, *others: type[Exception]) -> Iterator[None]:
    """Context manager: read and write a study in it. Raises UserError if that fails; `others`: further errors that
    damage to the file causes."""
    try:
        yield
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError, *others) as error:
        cause = getattr(error, "orig", None) or getattr(error.__cause__, "orig", None)
        reason = str(cause or error).splitlines()[0]
        if getattr(cause, "sqlite_errorcode", 0) & 0xFF in UNDAMAGED:  # without the bits of an extended code
            raise UserError(
                f"{file}: {reason}. The study is not damaged: once the file can be written, the same command continues."
            ) from error
        raise UserError(
            f"{file} cannot be read as a study ({reason}). Restore it, or delete it: the same command then makes it "
            "again, and takes the results of finished trials from their runs."
        ) from error


def tune(study: optuna.Study, space: Space, trials: int, seed: int, console: Console, config_dir: str | None) -> None:
    """Run until `trials` trials have ended, or the last of them are computed by other processes of this machine."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        while (done := len(counted(study))) + (others := _computed_by_others(study)) < trials:
            trial = study.ask()
            # Seeded anew for each trial: proposals depend on the trials that have ended, not on interruptions. Other
            # processes' trials in progress are counted too, since all would try the same values.
            running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            before = sum(other.number < trial.number for other in running)
            study.sampler = optuna.samplers.TPESampler(seed=seed * 1_000_003 + done + before)
            trial.set_user_attr("process", f"{platform.node()} {os.getpid()}")
            words = [override_of(key, _suggest(trial, key, entry)) for key, entry in space.space.items()]
            line = f"\ntrial {done + others + 1} of {trials}: {' '.join(words)}"
            console.print(line, style="bold", highlight=False, soft_wrap=True)
            try:
                plan = plan_of_trial(space, words, config_dir)
            except ConfigError as error:
                console.print(str(error), highlight=False)  # another trial may be able to run
                study.tell(trial, state=TrialState.FAIL)
                continue
            _run_trial(study, trial, space, plan, console)
        if others:
            console.print(f"\ncomputed by other processes at the moment: {others} of {trials} trials", highlight=False)


def _run_trial(study: optuna.Study, trial: Trial, space: Space, plan: Plan, console: Console) -> None:
    pruner = Pruner(trial, space)
    try:
        folder = _execute(plan, console, pruner)
    except Pruned as reason:
        console.print(str(reason), highlight=False)
        study.tell(trial, state=TrialState.PRUNED)
        return
    except RunInterrupted:  # the trial remains open: the next session repeats it
        raise KeyboardInterrupt from None
    except RunFailed as error:
        if isinstance(error.__cause__, OSError):  # such as a full disk: the values are not the reason
            raise
        console.print(str(error).splitlines()[0], highlight=False)
        study.tell(trial, state=TrialState.FAIL)
        if pruner.fault:  # every other trial would fail in the same way
            raise UserError(pruner.fault) from None
        return
    trial.set_user_attr("folder", str(folder.path))
    try:
        value = judge(folder, space.figure)
    except UserError:  # every other trial would fail in the same way
        study.tell(trial, state=TrialState.FAIL)
        raise
    if math.isnan(value):
        console.print(f"{space.figure} is not a number", highlight=False)
        study.tell(trial, state=TrialState.FAIL)
        return
    study.tell(trial, value)
    console.print(f"{space.figure} {value:.5g}, best so far {study.best_value:.5g}", highlight=False)


def _execute(plan: Plan, console: Console, pruner: Pruner) -> RunFolder:
    """Execute the run of a trial. If another process is computing the same configuration, wait for its result."""
    said = False
    while True:
        try:
            return execute(plan, console, [pruner])
        except InUse:
            if not said:
                console.print("another process is computing these values: waiting for its result", highlight=False)
            said = True
            time.sleep(POLL_S)


def _computed_by_others(study: optuna.Study) -> int:
    """Number of trials that other processes of this machine compute. Whether one of another machine is alive is not
    known: its trial does not count, so that none is missing in the end."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return sum(_is_computed_by_another(trial) for trial in running)


def _is_computed_by_another(trial: FrozenTrial) -> bool:
    host, _, pid = trial.user_attrs.get("process", "").rpartition(" ")
    if not pid or host != platform.node() or int(pid) == os.getpid() or not _alive(int(pid)):
        return False
    folder = trial.user_attrs.get("folder")  # whose lock tells whether the id was given to a process of another kind
    return folder is None or RunFolder(Path(folder)).in_use


def repeat_killed(study: optuna.Study) -> None:
    """Close trials whose process on this machine has ended, and queue them again with the same values."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        host, _, pid = trial.user_attrs.get("process", "").rpartition(" ")
        if pid:  # that of this process, whose search has not begun, was given again, as each start of a container does
            is_gone = host == platform.node() and (int(pid) == os.getpid() or not _alive(int(pid)))
        else:  # killed before it stored its id, or about to store it
            begun = trial.datetime_start or datetime.min
            is_gone = datetime.now() - begun > timedelta(seconds=MOMENT_S)
        if is_gone:
            study.enqueue_trial(trial.params, skip_if_exists=False)
            study.tell(trial.number, state=TrialState.FAIL)
            study.set_user_attr(f"taken_up_{trial.number}", True)


def counted(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that have ended, except those that were repeated under another number."""
    trials = study.get_trials(deepcopy=False, states=ENDED)
    return [trial for trial in trials if f"taken_up_{trial.number}" not in study.user_attrs]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def value_of(entry: Mapping[str, Any], stored: Any) -> Any:
    """Decode a value from a study's database, which contains scalars only: a list is stored as its JSON text."""
    lists = {json.dumps(choice): choice for choice in entry.get("choices", ()) if isinstance(choice, list)}
    return lists.get(stored, stored) if isinstance(stored, str) else stored


def _suggest(trial: Trial, key: str, entry: Mapping[str, Any]) -> Any:
    if "choices" in entry:
        texts = [json.dumps(choice) if isinstance(choice, list) else choice for choice in entry["choices"]]
        return value_of(entry, trial.suggest_categorical(key, texts))
    whole = all(isinstance(entry[end], int) for end in ("low", "high"))
    options = {name: entry[name] for name in ("log", "step") if name in entry}
    if whole:
        return trial.suggest_int(key, entry["low"], entry["high"], **options)
    return trial.suggest_float(key, entry["low"], entry["high"], **options)
