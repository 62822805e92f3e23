"""What there is to choose from, and what runs with what."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from omegaconf import DictConfig, OmegaConf

from neurobench.config.compose import GROUPS, Composer, choices
from neurobench.experiment import plan as check_
from neurobench.experiment.plan import check


@dataclass(frozen=True)
class Cell:
    """One model on one data set with one backend."""

    model: str
    dataset: str
    backend: str
    encoders: tuple[str, ...]  # between data and model, by default
    faults: tuple[str, ...]  # why it does not run; empty where it runs


def catalogue() -> dict[str, list[str]]:
    """Every group and its choices."""
    return {group: choices(group) for group in GROUPS}


def matrix(compose: Composer) -> list[Cell]:
    """Every model x dataset x backend, judged by the check that `run` calls. Only within `composer`.

    Hydra composes each model once, and every data set's and backend's file together, each in a place of its own: they
    write into their own sections alone, so the outcome is what it would compose for each cell. What is sound by
    itself is so in every cell: there only the fit is judged. A cell of a section that is not is checked whole.
    """
    there = catalogue()
    models = {name: compose([f"model={name}"]) for name in there["model"]}
    parts = {name: check_.model_part(config) for name, config in models.items() if not check(config)}
    asked = {device for part in parts.values() for device in part.needs.values()}
    beside = _beside(compose, {group: there[group] for group in ("dataset", "backend")})
    datasets, backends = beside["dataset"], beside["backend"]
    data = {name: check_.dataset_part(config) for name, config in datasets.items() if not check_.dataset_faults(config)}
    chips = {
        name: check_.backend_part(config, asked)
        for name, config in backends.items()
        if not any(check_.device_faults(config, device) for device in asked if device in config.backend)
    }
    cells = []
    for model, dataset in product(there["model"], there["dataset"]):
        config = models[model]
        encoder = check_.encoder_part(config) if model in parts else None
        names: tuple[str, ...] = ()
        if encoder is not None and dataset in data:
            way = check_.way_between(parts[model], data[dataset], encoder)
            names = () if isinstance(way, str) else tuple(type(step).__name__ for step in way)
        for backend in there["backend"]:
            if encoder is not None and dataset in data and backend in chips:
                faults = check_.fit_of(parts[model], data[dataset], chips[backend], encoder)
            else:
                config.dataset, config.backend = datasets[dataset].dataset, backends[backend].backend
                faults = check(config)
            cells.append(Cell(model, dataset, backend, names, tuple(faults)))
    return cells


def _beside(compose: Composer, there: dict[str, list[str]]) -> dict[str, dict[str, DictConfig]]:
    """Each choice of some groups as a configuration with that section alone, composed in one go."""
    at = {(group, name): f"at_{number}" for group in there for number, name in enumerate(there[group])}
    places = compose([f"+{group}@all_{group}.{place}={name}" for (group, name), place in at.items()])
    return {
        group: {name: OmegaConf.create({group: places[f"all_{group}"][at[group, name]]}) for name in there[group]}
        for group in there
    }
