"""Identity of what a run computes: a hash of the specs in use and of the user's code behind them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from neurobench.config.own_code import digests
from neurobench.config.schema import Scale, Training
from neurobench.config.spec import Record, Spec

NOT_COMPUTED = ("checkpoint_every", "test_by_epoch", "keep_best")  # training keys that affect no figure of merit


def identity(specs: Mapping[str, Record | Sequence[Record]], training: Training, scale: Scale, seed: int | None) -> str:
    """Hash of what is computed, 12 hex digits, independent of where and how; without the seed the repetitions of one
    setting share it.

    One rule: hash the class and the fields of every spec in use. A field with a default in its class was added after
    configurations had been stored, and counts only if it differs from that default.
    """
    schedule = {key: value for key, value in _described(training).items() if key not in NOT_COMPUTED}
    computed: dict[str, Any] = {"training": schedule, "scale": _described(scale)}
    for name, part in specs.items():
        computed[name] = _described(part) if isinstance(part, Record) else [_described(one) for one in part]
    if seed is not None:
        computed["seed"] = seed
    text = json.dumps(computed, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def own_code(specs: Iterable[Spec]) -> dict[str, str]:
    """sha256 of each module of user code that specs come from or use; installed packages have versions instead."""
    modules = dict.fromkeys(module for spec in specs for module in spec.sources)
    return {name: digest for module in modules for name, digest in digests(module).items()}


def _described(record: Record) -> dict[str, Any]:
    values = {field.name: (getattr(record, field.name), field.default) for field in fields(record)}
    name = f"{type(record).__module__}.{type(record).__qualname__}"
    sources = own_code([record]) if isinstance(record, Spec) else {}
    code = {"code": sources} if sources else {}
    hashed = {
        key: value for key, (value, default) in values.items() if value != default and key not in record.not_computed
    }
    return {"class": name, **code, **hashed}
