"""Which models run with which backends, and on how many of the data sets; for a single model, also why not."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from neurobench.cli.columns import columns
from neurobench.config.descriptions import choice_of_class
from neurobench.experiment.catalogue import Cell


def cell_as_plain(cell: Cell) -> dict[str, Any]:
    plain = {key: getattr(cell, key) for key in ("model", "dataset", "backend", "encoders")}
    return {**plain, "runs": not cell.faults, "why_not": " ".join(cell.faults) or None}


def grid_lines(cells: Sequence[Cell]) -> Iterator[str]:
    """Table with a line for each model and a column for all backends with the same entries: "yes" if it runs on every
    shipped data set, "-" if on none, else on how many of them."""
    shipped = [cell for cell in cells if not _needs_files(cell)]
    models = list(dict.fromkeys(cell.model for cell in cells))
    alike: dict[tuple[str, ...], list[str]] = {}  # entries of a column -> its backends
    for backend in dict.fromkeys(cell.backend for cell in cells):
        of_backend = [cell for cell in shipped if cell.backend == backend]
        marks = tuple(_mark([cell for cell in of_backend if cell.model == model]) for model in models)
        alike.setdefault(marks, []).append(backend)
    heads = list(itertools.zip_longest(["model"], *alike.values(), fillvalue=""))
    yield from columns(
        [*heads, *([model, *marks] for model, marks in zip(models, zip(*alike, strict=True), strict=True))]
    )
    yield ""
    yield "yes: on every bundled data set, through an encoder if layouts differ"
    yield "-: on none; 2/9: on 2 of 9. Encoders and reasons: list grid qrbm"


def _needs_files(cell: Cell) -> bool:
    """Whether the data set consists of a user's own files, whose path is not set yet."""
    return any(fault.startswith("dataset.root:") for fault in cell.faults)


def _mark(cells: Sequence[Cell]) -> str:
    runs = sum(not cell.faults for cell in cells)
    return {0: "-", len(cells): "yes"}.get(runs, f"{runs}/{len(cells)}")


def model_lines(model: str, cells: Sequence[Cell], width: int, config_dir: str | None) -> Iterator[str]:
    """Lines on a model's data sets, with encoders and backends; then on why other backends do not run."""
    names, of_model = choice_of_class("encoder", config_dir), [cell for cell in cells if cell.model == model]
    rows = [["dataset", "encoder", "backends"]]
    for dataset in dict.fromkeys(cell.dataset for cell in of_model):
        of_dataset = [cell for cell in of_model if cell.dataset == dataset]
        encoders = dict.fromkeys(names.get(step, step) for cell in of_dataset for step in cell.encoders)
        rows.append([dataset, ", ".join(encoders) or "-", _backends(of_dataset)])
    yield from columns(rows)
    reasons = _reasons([cell for cell in of_model if not _needs_files(cell)])
    for fault, backends in reasons.items():
        yield ""
        yield from textwrap.wrap(f"not with backend={', '.join(backends)}: {fault}", width)


def _backends(cells: Sequence[Cell]) -> str:
    if all(_needs_files(cell) for cell in cells):
        return "your own files: dataset.root=PATH"
    refused = [cell.backend for cell in cells if cell.faults]
    runs = [cell.backend for cell in cells if not cell.faults]
    if not refused or not runs:
        return "none" if refused else "all"
    return ", ".join(runs) if len(runs) <= len(refused) else f"all but {', '.join(refused)}"


def _reasons(cells: Sequence[Cell]) -> dict[str, list[str]]:
    """First fault of each backend -> the backends whose fault is the same apart from their names."""
    first: dict[str, str] = {}
    for cell in cells:
        if cell.faults:
            first.setdefault(cell.backend, cell.faults[0])
    shared: dict[str, list[str]] = {}
    for backend, fault in first.items():
        shared.setdefault(fault.replace(backend, "\0"), []).append(backend)
    return {first[backends[0]]: backends for backends in shared.values()}
