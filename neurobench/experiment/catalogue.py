"""What there is to choose from, and what runs with what."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

from omegaconf import OmegaConf

from neurobench.config.compose import GROUPS, Composer, choices
from neurobench.config.errors import ConfigError
from neurobench.config.resolve import resolved
from neurobench.config.sections import quiet
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
    models = {name: resolved(compose([f"model={name}"])) for name in names["model"]}
    others = _composed_apart(compose, {group: names[group] for group in ("dataset", "backend")})
    cells = []
    for model, dataset, backend in product(names["model"], names["dataset"], names["backend"]):
        sections = {"dataset": others["dataset"][dataset], "backend": others["backend"][backend]}
        encoders: tuple[str, ...] = ()
        combination: Combination | list[str]
        try:
            with quiet():
                combination = combine(read({**models[model], **sections}))
        except ConfigError as error:
            combination = error.faults
        faults = tuple(combination) if isinstance(combination, list) else ()
        if isinstance(combination, Combination):
            encoders = tuple(type(step).__name__ for step in combination.encoders)
        cells.append(Cell(model, dataset, backend, encoders, faults))
    return cells


def _composed_apart(compose: Composer, names: dict[str, list[str]]) -> dict[str, dict[str, Any]]:
    """Each choice of some groups as its resolved section, all composed in one go."""
    places = {(group, name): f"at_{number}" for group in names for number, name in enumerate(names[group])}
    config = compose([f"+{group}@all_{group}.{place}={name}" for (group, name), place in places.items()])

    OmegaConf.set_struct(config, False)

    def section(group: str, name: str) -> Any:
        config[group] = config[f"all_{group}"][places[group, name]]
        return OmegaConf.to_container(config[group], resolve=True)

    return {group: {name: section(group, name) for name in names[group]} for group in names}
