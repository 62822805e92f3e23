"""`neurobench list runs`: past runs as a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from neurobench.cli.columns import columns
from neurobench.metrics.catalog import printed
from neurobench.report.screen import Screen, edge
from neurobench.storage.files import printable
from neurobench.storage.store import Entry, read_index


def list_runs(outputs: Path, as_json: bool, wanted: str) -> None:
    """Print the runs whose name or id contains `wanted`."""
    rows = [_row(entry, outputs) for entry in read_index(outputs) if wanted in entry.path]
    if as_json:
        print(json.dumps(rows, indent=2))
    elif not rows:
        named = f" with {wanted!r} in their name" if wanted else ""
        print(f"no runs{named} below {outputs}; start one with: neurobench run")
    else:
        # Plain columns: a rich table of thousands of rows takes longer than reading them.
        texts = [
            (
                printable(row["run"]).replace("\n", "\\n"),
                row["status"].partition(":")[0],
                "-" if row["seed"] is None else str(row["seed"]),
                printable(row["figure"]),
            )
            for row in rows
        ]
        for line in columns([("run", "status", "seed", "test accuracy"), *texts], edge(Screen())):
            print(line)


def _row(entry: Entry, outputs: Path) -> dict[str, Any]:
    row = entry.summary(outputs)
    result = entry.result
    if result is None:
        error = " ".join(str(entry.damage or entry.record.get("error", "")).split())
        return {**row, "test_accuracy": None, "figure": error}
    accuracy = result["metrics"]["test_accuracy"]
    low, high = result["intervals"]["test_accuracy"]
    note = "" if result["scale"] == "paper" else f"  scale {result['scale']}"
    note += "  emulated data" if result["data"].get("emulated") else ""
    figure = f"{printed('test_accuracy', accuracy):>8}  ({100 * low:.2f} to {100 * high:.2f} %){note}"
    return {**row, "test_accuracy": accuracy, "figure": figure}
