"""Differences between runs, by what their folders contain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from neurobench.config.schema import RUNTIME_KEYS
from neurobench.storage.folder import RunFolder

PROVENANCE = (
    "commit",
    "python",
    "host",
    "processor",
    "device",
    "threads",
    "kernels",
    "versions",
    "own_code",
    "initial_sha256",
)


class Difference(NamedTuple):
    key: str
    values: tuple[Any, ...]  # one per run; None if it has no such key


def differences(*runs: RunFolder) -> dict[str, list[Difference]]:
    """Differences between runs: in the configuration without its runtime keys, the figures, code and machine."""
    sections = [_sections(run) for run in runs]
    return {name: differing(*(each[name] for each in sections)) for name in sections[0]}


def _sections(run: RunFolder) -> dict[str, dict[str, Any]]:
    """Configuration, figures and provenance of a run, as stored in its files: nothing is resolved or executed."""
    result, config = run.result() or {}, run.config()
    record = {"kernels": config.get("kernels"), **run.record()}  # earlier versions recorded only the setting
    data = {"sha256": result.get("data", {}).get("sha256")}
    return {
        "config": {key: value for key, value in config.items() if key not in RUNTIME_KEYS},
        "metrics": result.get("metrics", {}),
        "provenance": {**{key: record.get(key) for key in PROVENANCE}, "data": data},
    }


def differing(*trees: Mapping[str, Any]) -> list[Difference]:
    """Dotted keys whose values differ between the trees, in the first tree's order and then the others'."""
    flats = [flat(tree) for tree in trees]
    rows = [
        Difference(key, tuple(each.get(key) for each in flats)) for key in dict.fromkeys(k for f in flats for k in f)
    ]
    return [row for row in rows if any(value != row.values[0] for value in row.values)]


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten a tree to dotted keys: {"a": {"b": 1}} -> {"a.b": 1}."""
    values: dict[str, Any] = {}
    for key, value in tree.items():
        values |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return values
