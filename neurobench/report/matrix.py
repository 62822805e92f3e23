"""Every model on every data set on both backends: what each cell reached, what it cost, whether it holds its line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from neurobench.report.table import ResultRow

COLUMNS = (
    "cell", "accuracy", "95 % interval", "line", "verdict", "scale", "train", "in all",
    "operations a sample", "device", "evaluated on",
)  # fmt: skip
OPERATIONS = ("effective_macs", "effective_acs")


def cells(rows: Sequence[ResultRow]) -> list[tuple[str, ...]]:
    """One row a cell, in the order of COLUMNS."""
    return [_cell(row) for row in rows]


def verdict(row: ResultRow) -> str:
    """ "held", "BELOW" the task's sanity line, or "not run". At any scale: a cell is a comparison, no result."""
    if row.mean is None:
        return "not run"
    low = row.row.band[0]
    return "BELOW" if low is not None and row.mean < low else "held"


def _cell(row: ResultRow) -> tuple[str, ...]:
    low = row.row.band[0]
    line = "-" if low is None else f"{low:.0%}"
    if row.mean is None:
        return (row.row.what, "-", "-", line, "not run", *["-"] * 6)
    newest = row.runs[-1]
    return (
        row.row.what,
        f"{row.mean:.1%}",
        "-" if row.interval is None else f"{row.interval[0]:.1%} to {row.interval[1]:.1%}",
        line,
        verdict(row),
        str(row.scale),
        f"{sum(newest['seconds'].get(phase, 0.0) for phase in ('train', 'settle', 'finalize')):.0f} s",
        f"{row.wall_seconds:.0f} s",
        _operations(newest),
        _device(newest),
        ("emulated data; " if newest["data"].get("emulated") else "") + row.evaluated_on,
    )


def _operations(result: dict[str, Any]) -> str:
    """NeuroBench's effective operations, and the reason where they are not defined."""
    counts = {name.removeprefix("effective_").upper(): result["metrics"].get(name) for name in OPERATIONS}
    text = ", ".join(f"{value:.3g} {unit}" for unit, value in counts.items() if value)
    return text or result["undefined"].get(OPERATIONS[0], "-")


def _device(result: dict[str, Any]) -> str:
    """What the devices were asked for, training and tests together; joules of a prediction where published."""
    costs = []
    for name, entries in result.get("device_costs", {}).items():
        figures = ", ".join(f"{value:.3g} {key.replace('_', ' ')}" for key, value in entries.items())
        costs.append(f"{name}: {figures}")
    joules = result["metrics"].get("energy_joules")
    if joules is not None:
        costs.append(f"{joules:.3g} J a prediction")
    return "; ".join(costs) or "-"
