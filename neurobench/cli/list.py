"""`neurobench list`: what there is, what runs with what, and past runs."""

from __future__ import annotations

import argparse
import json
from itertools import product
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from neurobench.cli.outputs import add_outputs
from neurobench.config.compose import composer
from neurobench.config.errors import FINE
from neurobench.experiment.catalogue import Cell, catalogue, matrix
from neurobench.runs.index import Entry, read_index


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="neurobench list", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["all", "runs"], default="all")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--config-dir", "-cd", type=Path, metavar="FOLDER", help="a folder of YAML files of your own")
    add_outputs(parser)
    args = parser.parse_args(words)
    if args.what == "runs":
        return _runs(args.outputs, args.json)
    config_dir = str(args.config_dir.resolve()) if args.config_dir else None
    with composer(config_dir) as compose:
        there = catalogue(config_dir)
        cells = matrix(compose, there)
    if args.json:
        _print_json(there, cells)
    else:
        _print(there, cells)
    return FINE


def _print_json(there: dict[str, list[str]], cells: list[Cell]) -> None:
    rows = [
        {
            "model": cell.model,
            "dataset": cell.dataset,
            "backend": cell.backend,
            "encoders": cell.encoders,
            "runs": not cell.faults,
            "why_not": " ".join(cell.faults) or None,
        }
        for cell in cells
    ]
    print(json.dumps({**{f"{group}s": names for group, names in there.items()}, "matrix": rows}, indent=2))


def _print(there: dict[str, list[str]], cells: list[Cell]) -> None:
    console = Console()
    for group, names in there.items():
        console.print(f"{group + 's':12} {', '.join(names)}", highlight=False)
    table = Table(title="what runs with what", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for column in ("model", "dataset", "encoder", "backends"):
        table.add_column(column)
    for model, dataset in product(there["model"], there["dataset"]):
        pair = [cell for cell in cells if (cell.model, cell.dataset) == (model, dataset)]
        runs = [cell.backend for cell in pair if not cell.faults]
        encoders = dict.fromkeys(", ".join(cell.encoders) for cell in pair if cell.encoders)
        table.add_row(model, dataset, "; ".join(encoders), ", ".join(runs) or f"none: {pair[0].faults[0]}")
    console.print()
    console.print(table)
    console.print("\nWhy another backend does not: neurobench validate model=... dataset=... backend=...")


def _runs(outputs: Path, as_json: bool) -> int:
    rows = [_row(entry, outputs) for entry in read_index(outputs)]
    if as_json:
        print(json.dumps(rows, indent=2))
        return FINE
    if not rows:
        print(f"no runs below {outputs}; start one with: neurobench run")
        return FINE
    # Plain columns: a rich table of thousands of rows takes longer than reading them.
    told = [
        ("run", "status", "seed", "test accuracy"),
        *((r["run"], r["status"], str(r["seed"]), r["figure"]) for r in rows),
    ]
    widths = [max(len(row[column]) for row in told) for column in range(3)]
    lines = (
        "  ".join([*(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)), row[3]]).rstrip()
        for row in told
    )
    print("\n".join(lines))
    return FINE


def _row(entry: Entry, outputs: Path) -> dict[str, Any]:
    told: dict[str, Any] = {"run": entry.path}
    result, record = entry.result, entry.record
    if result is not None:
        accuracy = result["metrics"]["test_accuracy"]
        note = "" if result["scale"] == "paper" else f"  scale {result['scale']}"
        note += "  emulated data" if result["data"].get("emulated") else ""
        low, high = result["intervals"]["test_accuracy"]
        words = f"{accuracy:7.2%}  ({low:.2%} to {high:.2%}){note}"
        return {**told, "status": "finished", "seed": result["seed"], "test_accuracy": accuracy, "figure": words}
    seed = record.get("seeds", {}).get("root")
    error = " ".join(record.get("error", "").split())
    status = record["status"]
    if status == "running" and not entry.folder(outputs).in_use:
        status = "killed"
    return {**told, "status": status, "seed": seed, "test_accuracy": None, "figure": error[:100]}
