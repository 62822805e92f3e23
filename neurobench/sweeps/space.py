"""The space of a hyperparameter search, as declared in YAML, and the run of each trial."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from neurobench.config.compose import choices
from neurobench.config.errors import ConfigError, UserError, did_you_mean
from neurobench.config.overrides import override_of
from neurobench.config.targets import config_places
from neurobench.data.dataset import stamp
from neurobench.experiment.folder_choice import initial_sha256
from neurobench.experiment.plan import Plan
from neurobench.experiment.request import plan_of
from neurobench.metrics.catalog import larger_is_better
from neurobench.sweeps.plan import STARTS_FROM_ANOTHER
from neurobench.sweeps.space_faults import faults_of_file, overruled


@dataclass(frozen=True)
class Space:
    """The keys that may vary, and the metric on held-out samples by which a trial is judged."""

    overrides: tuple[str, ...]  # of every trial
    figure: str
    prune_on: str | None  # a metric of each epoch
    space: dict[str, dict[str, Any]]  # key -> {low, high[, log][, step]} or {choices}
    direction: str | None = None  # "maximize" or "minimize", for a figure whose direction is not known
    computed: tuple[str, ...] = ()  # what the trials compute besides: see `_computed`

    @property
    def larger_wins(self) -> bool:
        return self.direction == "maximize" if self.direction else larger_is_better(self.figure)

    @property
    def identity(self) -> str:
        """Eight hex digits that differ between spaces, and if the trials of one compute something else than before, so
        that each has its own study. Outputs folders do not enter."""
        overrides = [word for word in self.overrides if not word.startswith("outputs=")]
        stated = {key: value for key, value in asdict(self).items() if key != "direction" or value}
        text = json.dumps({**stated, "overrides": overrides}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]


def load_space(name: str, more: Sequence[str], outputs: Path, config_dir: str | None = None) -> Space:
    """Load a space that ships, one of a plugin, or a file. `more`: overrides from the command line, which take
    precedence over the file's; `outputs`: folder of the trials' runs.

    Raises UserError with every fault, also of the configurations at both ends of the space, before any trial runs.
    """
    path, text = _text(name, config_dir)
    plain = _plain(path, text)
    faults = faults_of_file(plain)
    if not faults:
        words = (*plain["overrides"], *more)
        overrides = (*words, override_of("outputs", str(outputs)))
        space = Space(overrides, plain["figure"], plain.get("prune_on"), plain["space"], plain.get("direction"))

        def exists(key: str, word: str) -> bool:
            without = replace(space, overrides=tuple(each for each in overrides if each != word))
            return _default(without, key, config_dir) is not None

        faults = overruled(words, space.space, path, exists) or _faults_at_ends(space, config_dir)
        faults = faults or _faults_of_whole_ranges(space, config_dir)
    if faults:
        raise UserError(f"the search space {name} cannot be used:\n" + "\n".join(f"  {fault}" for fault in faults))
    return replace(space, computed=_computed(space, config_dir))


def _computed(space: Space, config_dir: str | None) -> tuple[str, ...]:
    """Hashes of the configurations at both ends, which include the user's code, of the files of their data and of the
    network that they start from: figures of trials with others are not comparable."""
    made: list[str] = []
    for end in (0, -1):
        with contextlib.suppress(ConfigError):  # values that are incompatible at one end
            plan = plan_of_trial(space, _words(_end(space, end)), config_dir)
            made += [plan.config_hash, stamp(plan.root), initial_sha256(plan) or ""]
    return tuple(made)


def _text(name: str, config_dir: str | None) -> tuple[str, str]:
    """Path and content of the file. Raises UserError if it cannot be read."""
    file: Any = Path(name)
    if not name.endswith(".yaml"):
        files = [place.joinpath("tune", f"{name}.yaml") for place in config_places(config_dir)]
        file = next((file for file in files if file.is_file()), None)
    if file is None:
        known = choices("tune", config_dir)
        own = f"{name.removesuffix('.yml')}.yaml"
        hint = f" Did you mean the file {own}?" if Path(own).is_file() else did_you_mean(name, known)
        if Path(name).is_file():
            hint = f" A file of your own has a name that ends in .yaml: rename {name}"
        raise UserError(f"there is no search space '{name}'; there is {', '.join(known)}.{hint}")
    try:
        return str(file), file.read_text("utf-8")
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{file} is not valid YAML: {error}") from None


def _plain(path: str, text: str) -> Any:
    """Parsed YAML. Raises UserError if it is invalid."""
    stream = io.StringIO(text)
    stream.name = path  # named in messages about its syntax
    try:
        return OmegaConf.to_container(OmegaConf.load(stream))
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    except (OmegaConfBaseException, OSError, ValueError, RecursionError) as error:  # OSError: only a number
        raise UserError(f"{path}: {str(error).splitlines()[0]}") from None


def _faults_at_ends(space: Space, config_dir: str | None) -> list[str]:
    """Faults of the configurations of all low values (the first choices) and of all high ones: those of a single
    searched value, and all others if both ends have faults. Two values that are incompatible at one end may be
    compatible elsewhere."""
    low, high = (_faults_at(space, _end(space, end), config_dir) for end in (0, -1))
    alone = [fault for fault in low if _is_of_one(space, fault, 0, config_dir)]
    alone += [fault for fault in high if _is_of_one(space, fault, -1, config_dir)]
    return list(dict.fromkeys([*alone, *(low if high else ()), *(high if low else ())]))


def _is_of_one(space: Space, fault: str, end: int, config_dir: str | None) -> bool:
    """Whether a fault at one end is that of a single value: it remains if all others are those of the other end."""
    values, opposite = _end(space, end), _end(space, -1 - end)
    keys = [key for key in space.space if fault.startswith(f"{key}=")]
    return any(fault in _faults_at(space, {**opposite, key: values[key]}, config_dir) for key in keys)


def _faults_of_whole_ranges(space: Space, config_dir: str | None) -> list[str]:
    """Faults of ranges between two whole numbers, of which only whole numbers are tried, if the key takes others."""
    faults = []
    for key, entry in space.space.items():
        if not all(type(entry.get(end)) is int for end in ("low", "high")) or "step" in entry:
            continue
        low, high = entry["low"], entry["high"]
        between = _faults_at(space, {**_end(space, 0), key: low + 0.5}, config_dir)
        if not between and not isinstance(_default(space, key, config_dir), int):
            whole = "" if entry.get("log") else ", or add step: 1"  # a logarithmic range has no steps
            faults.append(
                f"space.{key}: low={low} and high={high} are whole numbers, so that only whole numbers would be tried. "
                f"Write low: {float(low)} for all between{whole}"
            )
    return faults


def _default(space: Space, key: str, config_dir: str | None) -> Any:
    """Value of a searched key before the search sets it."""
    try:
        config = OmegaConf.create(plan_of(space.overrides, config_dir)[0].config)
    except ConfigError:
        return None
    return OmegaConf.select(config, key)


def _end(space: Space, end: int) -> dict[str, Any]:
    """All low values and first choices (end 0), or all high values and last choices (-1)."""
    return {key: (entry.get("choices") or (entry["low"], entry["high"]))[end] for key, entry in space.space.items()}


def _words(values: Mapping[str, Any]) -> list[str]:
    return [override_of(key, value) for key, value in values.items()]


def _faults_at(space: Space, values: Mapping[str, Any], config_dir: str | None) -> Sequence[str]:
    try:
        plan_of_trial(space, _words(values), config_dir)
    except ConfigError as error:
        return error.faults
    return ()


def plan_of_trial(space: Space, words: list[str], config_dir: str | None) -> Plan:
    """Plan of a trial's run. Raises ConfigError if it cannot run, if it would start from the trial before, or if its
    validation samples are test samples: nothing may be chosen by these."""
    plan = plan_of([*space.overrides, *words], config_dir)[0]
    if plan.would_start_from_itself:
        raise ConfigError([STARTS_FROM_ANOTHER.format(plan.start_from, "trial")])
    if getattr(plan.dataset, "test_as_validation", False):
        raise ConfigError(
            ["dataset.test_as_validation=true: the best values would be chosen on the test set. Leave it out"]
        )
    return plan.resumed()
