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
    results = [run.result() or {} for run in (a, b)]
    records = [run.record() for run in (a, b)]
    provenance = [{key: record.get(key) for key in PROVENANCE} for record in records]
    data = [{"sha256": result.get("data", {}).get("sha256")} for result in results]
    return {
        "config": differing(*(_computed(run) for run in (a, b))),
        "metrics": differing(*(result.get("metrics", {}) for result in results)),
        "provenance": differing(*({**p, "data": d} for p, d in zip(provenance, data, strict=True))),
    }


def _computed(run: RunFolder) -> dict[str, Any]:
    """The stored configuration less its runtime keys, as it stands: nothing in it is resolved or acted on."""
    return {key: value for key, value in run.config().items() if key not in RUNTIME_KEYS}


def differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    """Keys whose values are not the same, dots between levels, in A's order and then B's."""
    flat_a, flat_b = flat(a), flat(b)
    keys = dict.fromkeys([*flat_a, *flat_b])
    return [Difference(key, flat_a.get(key), flat_b.get(key)) for key in keys if flat_a.get(key) != flat_b.get(key)]


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} -> {"a.b": 1}"""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found
