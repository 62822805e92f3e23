"""`neurobench list`: what there is, what runs with what, and past runs."""

from __future__ import annotations

import argparse
import json
from itertools import product
from pathlib import Path

from rich.console import Console
from rich.table import Table

from neurobench.cli.main import FINE
from neurobench.cli.outputs import add_outputs
from neurobench.cli.summary import headline_figure
from neurobench.config.catalogue import Cell, catalogue, matrix
from neurobench.config.compose import composer
from neurobench.runs.store import all_runs


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="neurobench list", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["all", "runs"], default="all")
    parser.add_argument("--json", action="store_true", help="for programs")
    add_outputs(parser)
    asked = parser.parse_args(words)
    if asked.what == "runs":
        return _runs(asked.outputs, asked.json)
    with composer() as compose:
        there, cells = catalogue(), matrix(compose)
    if asked.json:
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
    for column in ("model", "dataset", "backends", "otherwise"):
        table.add_column(column)
    for model, dataset in product(there["model"], there["dataset"]):
        pair = [cell for cell in cells if (cell.model, cell.dataset) == (model, dataset)]
        runs = ", ".join(cell.backend for cell in pair if not cell.faults)
        reasons = dict.fromkeys(" ".join(cell.faults) for cell in pair if cell.faults)
        table.add_row(model, dataset, runs or "none", "\n".join(reasons))
    console.print()
    console.print(table)


def _runs(outputs: Path, as_json: bool) -> int:
    rows = []
    for run in all_runs(outputs):
        record, result = run.record(), run.result()
        rows.append(
            {
                "run": f"{run.path.parent.name}/{run.path.name}",
                "status": record["status"],
                "seed": record.get("seeds", {}).get("root"),
                "test_accuracy": result["metrics"]["test_accuracy"] if result else None,
                "figure": headline_figure(result) if result else record.get("error", ""),
            }
        )
    if as_json:
        print(json.dumps(rows, indent=2))
        return FINE
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("run", "status", "seed", "test accuracy"):
        table.add_column(column)
    for row in rows:
        table.add_row(row["run"], row["status"], str(row["seed"]), row["figure"])
    Console().print(table if rows else f"no runs below {outputs}; start one with: neurobench run", highlight=False)
    return FINE
