"""What there is to choose from, and what runs with what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    faults: tuple[str, ...]  # why it does not run; empty where it runs


def catalogue(config_dir: str | None = None) -> dict[str, list[str]]:
    """Every group and its choices, those of a user's own folder among them."""
    return {group: choices(group, config_dir) for group in GROUPS}


def matrix(compose: Composer, names: dict[str, list[str]]) -> list[Cell]:
    """Every model x dataset x backend, judged as `run` judges it.

    Hydra composes each model once, and every data set's and backend's file once, each in a place of its own: they write
    into their own sections alone, so the result is what it would compose for each cell.
    """
    models = {name: _composed(lambda words: resolved(compose(words)), [f"model={name}"]) for name in names["model"]}
    others = _composed_apart(compose, {group: names[group] for group in ("dataset", "backend")})
    cells = []
    for model, dataset, backend in product(names["model"], names["dataset"], names["backend"]):
        parts = models[model], others["dataset"][dataset], others["backend"][backend]
        encoders: tuple[str, ...] = ()
        combination: Combination | list[str] = [part for part in parts if isinstance(part, str)]
        if not combination:
            try:
                with quiet():
                    combination = combine(read({**models[model], "dataset": parts[1], "backend": parts[2]}))
            except ConfigError as error:
                combination = error.faults
        faults = tuple(combination) if isinstance(combination, list) else ()
        if isinstance(combination, Combination):
            encoders = tuple(type(step).__name__ for step in combination.encoders)
        cells.append(Cell(model, dataset, backend, encoders, faults))
    return cells


def _composed(compose: Callable[[Sequence[str]], Plain], words: Sequence[str]) -> Plain | str:
    """What words compose to, or why they do not: a broken file is no reason to be silent about the others."""
    try:
        return compose(words)
    except ConfigError as error:
        return " ".join(error.faults)
    except (HydraException, OmegaConfBaseException) as error:
        return f"{' '.join(words)}: {str(error).splitlines()[0]}"


def _composed_apart(compose: Composer, names: dict[str, list[str]]) -> dict[str, dict[str, Plain | str]]:
    """Each choice of some groups as its resolved section, or why it has none; all are composed in one go where all
    compose."""
    every = [(group, name) for group in names for name in names[group]]
    found: dict[str, dict[str, Plain | str]] = {group: {} for group in names}
    try:
        sections: list[Plain | str] = list(_sections(compose, every))
    except (ConfigError, HydraException, OmegaConfBaseException):
        sections = [_composed(lambda _, one=one: _sections(compose, [one])[0], ["=".join(one)]) for one in every]
    for (group, name), section in zip(every, sections, strict=True):
        found[group][name] = section
    return found


def _sections(compose: Composer, chosen: Sequence[tuple[str, str]]) -> list[Plain]:
    """Of each (group, name) its resolved section, from one composition."""
    config = compose([f"+{group}@all_{group}.at_{number}={name}" for number, (group, name) in enumerate(chosen)])
    OmegaConf.set_struct(config, False)
    sections = []
    for number, (group, _) in enumerate(chosen):
        config[group] = config[f"all_{group}"][f"at_{number}"]
        sections.append(cast(Plain, OmegaConf.to_container(config[group], resolve=True)))
    return sections


def broken_files(config_dir: str | None) -> dict[str, str]:
    """Of the YAML files in a user's own folders, those that do not compose or are not found: path -> why not."""
    places = [folder / group for folder in own_folders(config_dir) for group in GROUPS]
    packages = [files(package) for package in config_packages()]
    broken = {}
    with composer(config_dir) as compose:
        for file in (file for place in places for file in sorted(place.glob("*.yaml"))):
            fault = _composed(lambda words: resolved(compose(words)), [f"{file.parent.name}={file.stem}"])
            if any(package.joinpath(file.parent.name, file.name).is_file() for package in packages):
                fault = f"it is never read: there is {file.parent.name}={file.stem} already. Rename it."
            if isinstance(fault, str):
                broken[str(file)] = fault
    return broken
