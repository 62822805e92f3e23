"""Every model on every data set on both backends: what each cell reached, what it cost, whether it holds its line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from neurobench.report.table import Filled

COLUMNS = (
    "cell", "accuracy", "95 % interval", "line", "verdict", "scale", "train", "in all",
    "operations a sample", "device", "evaluated on",
)  # fmt: skip
OPERATIONS = ("effective_macs", "effective_acs")


def cells(filled: Sequence[Filled]) -> list[tuple[str, ...]]:
    """One row a cell, in the order of COLUMNS."""
    return [_cell(row) for row in filled]


def verdict(filled: Filled) -> str:
    """ "held", "BELOW" the task's sanity line, or "not run". At any scale: a cell is a comparison, no result."""
    if filled.mean is None:
        return "not run"
    low = filled.row.band[0]
    return "BELOW" if low is not None and filled.mean < low else "held"


def _cell(filled: Filled) -> tuple[str, ...]:
    low = filled.row.band[0]
    line = "-" if low is None else f"{low:.0%}"
    if filled.mean is None:
        return (filled.row.what, "-", "-", line, "not run", *["-"] * 6)
    newest = filled.runs[-1]
    interval = "-" if filled.interval is None else f"{filled.interval[0]:.1%} to {filled.interval[1]:.1%}"
    return (
        filled.row.what,
        f"{filled.mean:.1%}",
        interval,
        line,
        verdict(filled),
        str(filled.scale),
        f"{newest['seconds']['train'] + newest['seconds']['settle']:.0f} s",
        f"{filled.wall_seconds:.0f} s",
        _operations(newest),
        _device(newest),
        ("emulated data; " if newest["data"].get("emulated") else "") + filled.evaluated_on,
    )


def _operations(result: dict[str, Any]) -> str:
    """NeuroBench's effective operations, and the reason where they are not defined."""
    told = []
    for name in OPERATIONS:
        value = result["metrics"].get(name)
        if value:
            told.append(f"{value:.3g} {name.removeprefix('effective_').upper()}")
    return ", ".join(told) or result["undefined"].get(OPERATIONS[0], "-")


def _device(result: dict[str, Any]) -> str:
    """What was asked of the devices, training and tests together; joules of a prediction where they are published."""
    told = []
    for name, entries in result.get("device_costs", {}).items():
        figures = ", ".join(f"{value:.3g} {key.replace('_', ' ')}" for key, value in entries.items())
        told.append(f"{name}: {figures}")
    joules = result["metrics"].get("energy_joules")
    if joules is not None:
        told.append(f"{joules:.3g} J a prediction")
    return "; ".join(told) or "-"
