"""Hyperparameter search: the space, as its YAML declares it, and trials of a study, each a run like any other. Several
processes may share a study."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import math
import os
import platform
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import optuna
import yaml
from filelock import FileLock
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from optuna.trial import FrozenTrial, Trial, TrialState
from rich.console import Console

from neurobench.config.compose import choices
from neurobench.config.errors import ConfigError, UserError, did_you_mean
from neurobench.config.overrides import override_of
from neurobench.config.targets import config_places
from neurobench.experiment.callbacks import Pruned
from neurobench.experiment.execute import RunFailed, execute
from neurobench.experiment.plan import Plan
from neurobench.experiment.request import plan_of
from neurobench.metrics.catalog import larger_is_better
from neurobench.storage.folder import RunFolder
from neurobench.storage.held_out import judge

KEYS = ("overrides", "figure", "prune_on", "space")
RANGE, CHOICE = {"low", "high", "log", "step"}, {"choices"}
FORMS = "{low: , high: [, log: true][, step: ]} or {choices: [...]}"
ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


@dataclass(frozen=True)
class Space:
    """What may vary, and by which figure of held-out samples a trial is judged."""

    overrides: tuple[str, ...]  # of every trial
    figure: str
    prune_on: str | None  # a figure of each epoch
    space: dict[str, dict[str, Any]]  # key -> {low, high[, log][, step]} or {choices}

    @property
    def larger_wins(self) -> bool:
        return larger_is_better(self.figure)

    @property
    def identity(self) -> str:
        """Eight hex digits: trials of another space do not belong to the same study. Where runs lie makes no other."""
        computed = [word for word in self.overrides if not word.startswith("outputs=")]
        text = json.dumps({**asdict(self), "overrides": computed}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]


def load_space(name: str, more: list[str], config_dir: str | None = None) -> Space:
    """A space that ships, one of a plugin, or a file. `more`: overrides from the command line, which win.

    Raises UserError with every fault, also of the configurations at both ends of it: before a trial takes its time.
    """
    path, text = _text(name, config_dir)
    plain = _plain(path, text)
    faults = _faults(plain)
    if not faults:
        space = Space((*plain["overrides"], *more), plain["figure"], plain.get("prune_on"), plain["space"])
        faults = _faults_at_ends(space, config_dir)
    if faults:
        raise UserError(f"the search space {name} cannot be used:\n" + "\n".join(f"  {fault}" for fault in faults))
    return space


def _text(name: str, config_dir: str | None) -> tuple[str, str]:
    """The file's path and what it holds. Raises UserError."""
    file: Any = Path(name)
    if not name.endswith(".yaml"):
        files = [place.joinpath("tune", f"{name}.yaml") for place in config_places(config_dir)]
        file = next((file for file in files if file.is_file()), None)
    if file is None:
        known = choices("tune", config_dir)
        raise UserError(f"there is no search space '{name}'; there is {', '.join(known)}.{did_you_mean(name, known)}")
    try:
        return str(file), file.read_text("utf-8")
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{file} is no YAML: {error}") from None


def _plain(path: str, text: str) -> Any:
    """What the YAML says. Raises UserError."""
    stream = io.StringIO(text)
    stream.name = path  # which a fault of its syntax says
    try:
        return OmegaConf.to_container(OmegaConf.load(stream))
    except yaml.YAMLError as error:
        raise UserError(f"{path} is no YAML: {' '.join(str(error).split())}") from None
    except (OmegaConfBaseException, OSError, ValueError, RecursionError) as error:  # OSError: a number alone
        raise UserError(f"{path}: {str(error).splitlines()[0]}") from None


def _faults(plain: Any) -> list[str]:
    if not isinstance(plain, dict):
        return ["it is not a section of keys"]
    faults = [f"{key}: there is no such key; there is {', '.join(KEYS)}." for key in plain if key not in KEYS]
    faults += [f"{key} is missing" for key in ("overrides", "figure", "space") if not plain.get(key)]
    for key in ("figure", "prune_on"):
        figure = plain.get(key)
        if figure is not None and not (isinstance(figure, str) and "validation" in figure):
            faults.append(f"{key}={figure}: only figures of held-out samples may decide (validation_...)")
    overrides, space = plain.get("overrides") or [], plain.get("space") or {}
    if isinstance(overrides, list):
        faults += [
            f"overrides: {_yaml(word)} is not a text: write key=value"
            for word in overrides
            if not isinstance(word, str)
        ]
    else:
        faults.append(f"overrides: {_yaml(overrides)} is not a list: write [key=value, ...]")
    if isinstance(space, dict):
        faults += [fault for key, entry in space.items() for fault in _entry_faults(key, entry)]
    else:
        faults.append(f"space: {_yaml(space)} is not a section: write KEY: {FORMS}, a line each")
    return faults


def _entry_faults(key: Any, entry: Any) -> list[str]:
    """Of what a key may take."""
    where = f"space.{key}"
    if not isinstance(key, str):
        return [f"{where}: that is not the name of a key"]
    if not isinstance(entry, dict) or not (set(entry) == CHOICE or {"low", "high"} <= set(entry) <= RANGE):
        return [f"{where}: write {FORMS}"]
    if "choices" in entry:
        return _choices_faults(where, entry["choices"])
    numbers = {name: entry[name] for name in ("low", "high", "step") if name in entry}
    faults = [f"{where}: {name}={_yaml(n)} is not a number" for name, n in numbers.items() if not _is_number(n)]
    log = entry.get("log", False)
    if not isinstance(log, bool):
        faults.append(f"{where}: log={_yaml(log)} is neither true nor false")
    return faults or _range_faults(where, log=log, **numbers)


def _choices_faults(where: str, values: Any) -> list[str]:
    if not isinstance(values, list) or not values:
        return [f"{where}: choices={_yaml(values)} is not a list with something to choose: write {{choices: [A, B]}}"]
    if all(_is_value(each) for each in values):
        return []
    return [f"{where}: a choice is a number, a text, true, false, null or a list of these"]


def _range_faults(where: str, low: float, high: float, log: bool, step: float | None = None) -> list[str]:
    faults = []
    if not low < high:
        faults.append(f"{where}: low={low} is not below high={high}")
    if log and low <= 0:
        faults.append(f"{where}: low={low} is not above 0, as log: true needs it")
    if step is None:
        return faults
    if step <= 0:
        faults.append(f"{where}: step={step} is not above 0")
    if log:
        faults.append(f"{where}: log: true has no steps. Leave one of the two out")
    if isinstance(low, int) and isinstance(high, int) and not isinstance(step, int):
        faults.append(
            f"{where}: step={step} is not a whole number, as low and high are. Write low={float(low)} for others"
        )
    return faults


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_value(value: Any) -> bool:
    return all(map(_is_value, value)) if isinstance(value, list) else not isinstance(value, dict)


def _yaml(value: Any) -> str:
    """As a file has it, on one line."""
    return json.dumps(value, default=str)


def _faults_at_ends(space: Space, config_dir: str | None) -> list[str]:
    """Why neither the configuration of all low values (the first choices) nor that of all high ones can run, or what
    of a value that is searched cannot be. That two values do not go together at one end says nothing of the others."""
    ends = [_faults_at(space, end, config_dir) for end in (0, -1)]
    alone = [fault for fault in (*ends[0], *ends[1]) if fault.startswith(tuple(f"{key}=" for key in space.space))]
    return list(dict.fromkeys([*alone, *(fault for end in ends for fault in end if all(ends))]))


def _faults_at(space: Space, end: int, config_dir: str | None) -> Sequence[str]:
    values = {key: (entry.get("choices") or (entry["low"], entry["high"]))[end] for key, entry in space.space.items()}
    try:
        _plan(space, [override_of(key, value) for key, value in values.items()], config_dir)
    except ConfigError as error:
        return error.faults
    return ()


def _plan(space: Space, words: list[str], config_dir: str | None) -> Plan:
    """The run of a trial. Raises ConfigError where it cannot run, or where its validation samples are test samples:
    nothing may be chosen by these."""
    plan = plan_of([*space.overrides, *words], config_dir)[0]
    if getattr(plan.dataset, "test_as_validation", False):
        raise ConfigError(
            ["dataset.test_as_validation=true: the best values would be chosen on the test set. Leave it out"]
        )
    return plan.resumed()


class Pruner:
    """Reports a trial's epochs to the study and gives hopeless ones up: a `Callback`."""

    def __init__(self, trial: Trial, space: Space):
        self.trial, self.figure = trial, space.prune_on
        self.sign = 1 if self.figure is None or larger_is_better(self.figure) == space.larger_wins else -1

    def begin(self, plan: Plan, folder: RunFolder) -> None:
        self.trial.set_user_attr("folder", str(folder.path))
        for row in folder.metrics():  # of a session that was killed
            self._report(row)

    def epoch(self, row: Mapping[str, Any]) -> None:
        if self._report(row) and self.trial.should_prune():
            raise Pruned(f"given up after epoch {row['epoch']}")

    def _report(self, row: Mapping[str, Any]) -> bool:
        if self.figure is None:
            return False
        if self.figure not in row:
            known = ", ".join(key for key in row if key.startswith("validation_"))
            raise UserError(f"prune_on={self.figure} is not a figure of an epoch; there is {known or 'none'}")
        self.trial.report(self.sign * row[self.figure], row["epoch"])
        return True

    def end(self, folder: RunFolder) -> None:
        pass


def open_study(space: Space, name: str, file: Path) -> optuna.Study:
    """The study in a sqlite file, which is made where it does not exist."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{file}.lock"):  # two processes that make a database at once get in each other's way
        return optuna.create_study(
            study_name=name,
            storage=f"sqlite:///{file.absolute()}",
            direction="maximize" if space.larger_wins else "minimize",
            pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=1),
            load_if_exists=True,
        )


def tune(study: optuna.Study, space: Space, trials: int, seed: int, console: Console, config_dir: str | None) -> None:
    """Go on until so many trials have ended. One whose process was killed is repeated, from its run's checkpoint."""
    repeat_killed(study)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        while (done := len(counted(study))) < trials:
            # Seeded anew for each: proposals depend on the trials that ended, not on how often the study stopped.
            study.sampler = optuna.samplers.TPESampler(seed=seed * 1_000_003 + done)
            trial = study.ask()
            trial.set_user_attr("process", f"{platform.node()} {os.getpid()}")
            words = [override_of(key, _suggest(trial, key, entry)) for key, entry in space.space.items()]
            console.print(f"\ntrial {done + 1} of {trials}: {' '.join(words)}", style="bold", highlight=False)
            try:
                plan = _plan(space, words, config_dir)
            except ConfigError as error:
                console.print(str(error), highlight=False)  # another trial may be one that can run
                study.tell(trial, state=TrialState.FAIL)
                continue
            _run_trial(study, trial, space, plan, console)


def _run_trial(study: optuna.Study, trial: Trial, space: Space, plan: Plan, console: Console) -> None:
    try:
        folder = execute(plan, console, [Pruner(trial, space)])
    except Pruned as reason:
        console.print(str(reason), highlight=False)
        study.tell(trial, state=TrialState.PRUNED)
        return
    except RunFailed as error:
        console.print(str(error).splitlines()[0], highlight=False)
        study.tell(trial, state=TrialState.FAIL)
        return
    trial.set_user_attr("folder", str(folder.path))
    try:
        value = judge(folder, space.figure)
    except UserError:  # as of every other trial
        study.tell(trial, state=TrialState.FAIL)
        raise
    study.tell(trial, value)
    console.print(f"{space.figure} {value:.5g}, best so far {study.best_value:.5g}", highlight=False)


def repeat_killed(study: optuna.Study) -> None:
    """Close trials whose process on this machine has gone, and queue them again with the same values."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        host, _, pid = trial.user_attrs.get("process", "").rpartition(" ")
        is_gone = not pid or (host == platform.node() and not _alive(int(pid)))  # killed before it could say who it was
        if is_gone:
            study.enqueue_trial(trial.params, skip_if_exists=False)
            study.tell(trial.number, state=TrialState.FAIL)
            study.set_user_attr(f"taken_up_{trial.number}", True)


def counted(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that ended, less those that were repeated under another number."""
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
    """What a study's database stands for: it holds scalars, and of a list its text."""
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
