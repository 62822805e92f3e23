"""What there is to choose from, and what runs with what."""

from __future__ import annotations

from dataclasses import dataclass

from neurobench.config.check import check, fit, needed_devices, way_of
from neurobench.config.compose import GROUPS, Composer, choices


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

    Each file is composed once and put together here: a data set's and a backend's file write into their own sections
    alone, so the outcome is what Hydra would compose for each cell, twenty times sooner. A section that was sound once
    is so in every cell: from then on only the fit is judged.
    """
    there = catalogue()
    datasets = {name: compose([f"dataset={name}"]).dataset for name in there["dataset"]}
    backends = {name: compose([f"backend={name}"]).backend for name in there["backend"]}
    cells = []
    sound: set[object] = set()
    for model in there["model"]:
        config = compose([f"model={model}"])
        for dataset in there["dataset"]:
            config.dataset = datasets[dataset]
            way = way_of(config)
            names = () if isinstance(way, str) else tuple(type(step).__name__ for step in way)
            for backend in there["backend"]:
                config.backend = backends[backend]
                parts = {f"model {model}", f"dataset {dataset}", (backend, *needed_devices(config).values())}
                known = parts <= sound
                faults = fit(config) if known else check(config)
                if not known and not faults:
                    sound |= parts
                cells.append(Cell(model, dataset, backend, names, tuple(faults)))
    return cells
