"""In what two runs differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from neurobench.config.schema import RUNTIME_KEYS
from neurobench.runs.folder import RunFolder

PROVENANCE = ("commit", "python", "host", "processor", "device", "threads", "versions")


class Difference(NamedTuple):
    key: str
    a: Any  # None where A has no such key
    b: Any


def differences(a: RunFolder, b: RunFolder) -> dict[str, list[Difference]]:
    """Of the configuration less its runtime keys, of the figures, of code and machine."""
    sections = zip(_sections(a).items(), _sections(b).values(), strict=True)
    return {name: differing(of_a, of_b) for (name, of_a), of_b in sections}


def _sections(run: RunFolder) -> dict[str, dict[str, Any]]:
    """The configuration as it stands in its file: nothing in it is resolved or acted on."""
    record, result = run.record(), run.result() or {}
    data = {"sha256": result.get("data", {}).get("sha256")}
    return {
        "config": {key: value for key, value in run.config().items() if key not in RUNTIME_KEYS},
        "metrics": result.get("metrics", {}),
        "provenance": {**{key: record.get(key) for key in PROVENANCE}, "data": data},
    }


def differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    """Keys whose values are not the same, dots between levels, in A's order and then B's."""
    flat_a, flat_b = flat(a), flat(b)
    keys = dict.fromkeys([*flat_a, *flat_b])
    return [Difference(key, flat_a.get(key), flat_b.get(key)) for key in keys if flat_a.get(key) != flat_b.get(key)]


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} -> {"a.b": 1}"""
    values: dict[str, Any] = {}
    for key, value in tree.items():
        values |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return values
