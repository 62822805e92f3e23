"""Available choices, and which of them run together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import product
from typing import cast

from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from neurobench.config.compose import GROUPS, Composer, choices, composer
from neurobench.config.errors import ConfigError
from neurobench.config.resolve import Plain, resolved
from neurobench.config.sections import quiet
from neurobench.config.targets import config_packages, own_folders
from neurobench.experiment.combine import Combination, combine
from neurobench.experiment.plan import read


@dataclass(frozen=True)
class Cell:
    """One model on one data set with one backend."""

    model: str
    dataset: str
    backend: str
    encoders: tuple[str, ...]  # between data and model, by default
    faults: tuple[str, ...]  # why it does not run; empty if it does


def catalogue(config_dir: str | None = None) -> dict[str, list[str]]:
    """Every group and its choices, including those of a user's own folder."""
    return {group: choices(group, config_dir) for group in GROUPS}


def matrix(compose: Composer, names: dict[str, list[str]]) -> list[Cell]:
    """Check every model x dataset x backend as `run` does.

    Hydra composes each model once, and every data set's and backend's file once, each in a separate place: they write
    only into their own sections, so the result is what Hydra would compose for each cell. A file that does not compose
    is a fault of its cells only.
    """
    models = {name: _composed(compose, f"model={name}") for name in names["model"]}
    others = {group: _composed_apart(compose, group, names[group]) for group in ("dataset", "backend")}
    cells = []
    for model, dataset, backend in product(names["model"], names["dataset"], names["backend"]):
        encoders: tuple[str, ...] = ()
        combination: Combination | list[str]
        try:
            whole = _sound(models[model])
            sections = {"dataset": _sound(others["dataset"][dataset]), "backend": _sound(others["backend"][backend])}
            with quiet():
                combination = combine(read({**whole, **sections}))
        except ConfigError as error:
            combination = error.faults
        faults = tuple(combination) if isinstance(combination, list) else ()
        if isinstance(combination, Combination):
            encoders = tuple(type(step).__name__ for step in combination.encoders)
        cells.append(Cell(model, dataset, backend, encoders, faults))
    return cells


def _composed(compose: Composer, word: str) -> Plain | ConfigError:
    """The resolved configuration, or why there is none."""
    try:
        return resolved(compose([word]))
    except ConfigError as error:
        return error
    except (HydraException, OmegaConfBaseException) as error:
        return ConfigError([f"{word}: {str(error).splitlines()[0]}"])


def _sound(part: Plain | ConfigError) -> Plain:
    if isinstance(part, ConfigError):
        raise part
    return part


def _composed_apart(compose: Composer, group: str, names: Sequence[str]) -> dict[str, Plain | ConfigError]:
    """Resolved section of each choice of a group, all composed in one go if all compose."""
    try:
        config = compose([f"+{group}@all_{group}.at_{number}={name}" for number, name in enumerate(names)])
    except (ConfigError, HydraException, OmegaConfBaseException):
        each = {name: _composed(compose, f"{group}={name}") for name in names}
        return {name: one if isinstance(one, ConfigError) else one[group] for name, one in each.items()}
    OmegaConf.set_struct(config, False)
    sections: dict[str, Plain | ConfigError] = {}
    for number, name in enumerate(names):
        config[group] = config[f"all_{group}"][f"at_{number}"]
        try:
            sections[name] = cast(Plain, OmegaConf.to_container(config[group], resolve=True))
        except OmegaConfBaseException as error:  # an environment variable that is not set
            sections[name] = ConfigError([f"{group}={name}: {str(error).splitlines()[0]}"])
    return sections


def broken_files(config_dir: str | None) -> dict[str, str]:
    """YAML files in a user's own folders that do not compose or are never read: path -> why not."""
    places = [folder / group for folder in own_folders(config_dir) for group in GROUPS]
    packages = [files(package) for package in config_packages()]
    broken = {}
    with composer(config_dir) as compose:
        for file in (file for place in places for file in sorted(place.glob("*.yaml"))):
            word = f"{file.parent.name}={file.stem}"
            composed = _composed(compose, word)
            if isinstance(composed, ConfigError):
                broken[str(file)] = " ".join(composed.faults)
            if any(package.joinpath(file.parent.name, file.name).is_file() for package in packages):
                broken[str(file)] = f"it is never read: there is {word} already. Rename it."
    return broken
