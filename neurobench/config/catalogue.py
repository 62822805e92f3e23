"""What there is to choose from, and what runs with what."""

from __future__ import annotations

from dataclasses import dataclass

from neurobench.config.check import check
from neurobench.config.compose import GROUPS, Composer, choices


@dataclass(frozen=True)
class Cell:
    """One model on one data set with one backend."""

    model: str
    dataset: str
    backend: str
    faults: tuple[str, ...]  # why it does not run; empty where it runs


def catalogue() -> dict[str, list[str]]:
    """Every group and its choices."""
    return {group: choices(group) for group in GROUPS}


def matrix(compose: Composer) -> list[Cell]:
    """Every model x dataset x backend, judged by the check that `run` calls. Only within `composer`."""
    there = catalogue()
    return [
        Cell(
            model,
            dataset,
            backend,
            tuple(check(compose([f"model={model}", f"dataset={dataset}", f"backend={backend}"]))),
        )
        for model in there["model"]
        for dataset in there["dataset"]
        for backend in there["backend"]
    ]
