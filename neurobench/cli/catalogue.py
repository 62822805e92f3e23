"""Verbs on what there is. `list`: what can be chosen, what runs with what, and past runs; `validate`: whether a
configuration can run."""

from __future__ import annotations

import json
import sys
from itertools import product
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from rich.table import Table

from neurobench.cli.arguments import verb_parser
from neurobench.config.compose import altered, composer, explain, read
from neurobench.config.errors import FINE, ConfigError
from neurobench.experiment.catalogue import Cell, catalogue, matrix
from neurobench.experiment.plan import faults_of
from neurobench.metrics.catalog import printed
from neurobench.storage.files import printable
from neurobench.storage.store import Entry, read_index


def list_command(words: list[str]) -> int:
    """What can be chosen, what runs with what, and past runs."""
    parser = verb_parser("list", list_command.__doc__, json="the same")
    parser.add_argument("what", nargs="?", choices=["all", "runs"], default="all")
    args = parser.parse_args(words)
    if args.what == "runs":
        _list_runs(args.outputs, args.json)
        return FINE
    with composer(args.config_dir) as compose:
        choices = catalogue(args.config_dir)
        cells = matrix(compose, choices)
    if args.json:
        groups = {f"{group}s": names for group, names in choices.items()}
        print(json.dumps({**groups, "matrix": [_plain(cell) for cell in cells]}, indent=2))
    else:
        _print(choices, cells)
    return FINE


def _plain(cell: Cell) -> dict[str, Any]:
    plain = {key: getattr(cell, key) for key in ("model", "dataset", "backend", "encoders")}
    return {**plain, "runs": not cell.faults, "why_not": " ".join(cell.faults) or None}


def _print(choices: dict[str, list[str]], cells: list[Cell]) -> None:
    console = Console(markup=False)
    for group, names in choices.items():
        console.print(f"{group + 's':12} {', '.join(names)}", highlight=False)
    columns = ("model", "dataset", "encoder", "backends")
    table = Table(*columns, title="what runs with what", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for model, dataset in product(choices["model"], choices["dataset"]):
        pair = [cell for cell in cells if (cell.model, cell.dataset) == (model, dataset)]
        runs = [cell.backend for cell in pair if not cell.faults]
        encoders = dict.fromkeys(", ".join(cell.encoders) for cell in pair if cell.encoders)
        table.add_row(model, dataset, "; ".join(encoders), ", ".join(runs) or f"none: {pair[0].faults[0]}")
    console.print()
    console.print(table)
    console.print("\nWhy another backend does not: neurobench validate model=... dataset=... backend=...")


def _list_runs(outputs: Path, as_json: bool) -> None:
    rows = [_row(entry, outputs) for entry in read_index(outputs)]
    if as_json:
        print(json.dumps(rows, indent=2))
    elif not rows:
        print(f"no runs below {outputs}; start one with: neurobench run")
    else:
        # Plain columns: a rich table of thousands of rows takes longer than reading them.
        texts = [
            (
                printable(row["run"]).replace("\n", "\\n"),
                row["status"].partition(":")[0],
                str(row["seed"]),
                row["figure"],
            )
            for row in rows
        ]
        lines = [("run", "status", "seed", "test accuracy"), *texts]
        widths = [max(len(line[column]) for line in lines) for column in range(3)]
        for line in lines:
            columns = (text.ljust(width) for text, width in zip(line, widths, strict=False))
            print("  ".join([*columns, line[3]]).rstrip())


def _row(entry: Entry, outputs: Path) -> dict[str, Any]:
    row = entry.summary(outputs)
    result = entry.result
    if result is None:
        error = " ".join(str(entry.damage or entry.record.get("error", "")).split())
        return {**row, "test_accuracy": None, "figure": error[:100]}
    accuracy = result["metrics"]["test_accuracy"]
    low, high = result["intervals"]["test_accuracy"]
    note = "" if result["scale"] == "paper" else f"  scale {result['scale']}"
    note += "  emulated data" if result["data"].get("emulated") else ""
    figure = f"{printed('test_accuracy', accuracy):>8}  ({100 * low:.2f} to {100 * high:.2f} %){note}"
    return {**row, "test_accuracy": accuracy, "figure": figure}


def validate_command(words: list[str]) -> int:
    """Check a configuration without running it, as `run` does first; without overrides, check every experiment and
    every model with every data set and backend. Exit code 0 where all is well, 2 where something is not."""
    parser = verb_parser("validate", validate_command.__doc__, outputs=False)
    parser.add_argument("overrides", nargs="*", help="as of `run`: key=value")
    args = parser.parse_intermixed_args(words)
    if not args.overrides:
        return _validate_everything(args.config_dir)
    overrides = read(args.overrides, args.config_dir)
    faults, config = explain(overrides, args.config_dir)
    if config is not None:
        faults += faults_of(config)
    other = altered(overrides, args.config_dir)
    if faults:
        raise ConfigError([other, faults[0]] if other else faults)
    if other:
        print(f"note: {other}", file=sys.stderr)
    print("fine: this configuration can run")
    return FINE


def _validate_everything(config_dir: str | None) -> int:
    """A model that does not fit a data set or backend is no fault of the files that ship or lie in a user's folder; a
    broken file is."""
    choices = catalogue(config_dir)
    checked = [f"{group}={name}" for group in ("model", "experiment") for name in choices[group]]
    faults: list[str] = []
    with composer(config_dir) as compose:
        for words in checked:
            try:
                faults += [f"{words}: {fault}" for fault in faults_of(compose([words]))]
            except (ConfigError, HydraException, OmegaConfBaseException) as error:
                broken = error.faults if isinstance(error, ConfigError) else [str(error).splitlines()[0]]
                faults += [f"{words}: {fault}" for fault in broken]
        cells = [] if faults else matrix(compose, choices)
    if faults:
        raise ConfigError(faults)
    runs = sum(not cell.faults for cell in cells)
    print(f"fine: {', '.join(checked)}; {runs} of {len(cells)} combinations of model, dataset and backend run")
    return FINE


def schema_command(words: list[str]) -> int:
    """A JSON schema of all YAML files, from their specs: keys, types, bounds, choices and explanations, for editors.
    The files that ship look for it in the folder above theirs: neurobench schema > schema.json."""
    from neurobench.config.json_schema import json_schema

    args = verb_parser("schema", schema_command.__doc__, outputs=False).parse_args(words)
    print(json.dumps(json_schema(args.config_dir), indent=1))
    return FINE
