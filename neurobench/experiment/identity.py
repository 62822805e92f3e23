"""Which runs are the same: a hash of what is computed, blind to where and how.

One rule: of every spec that takes part, its class and its fields. A field that its class gives a default came after
configurations had been stored, and counts only where it differs from that default.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from neurobench.config.schema import Scale, Training
from neurobench.config.spec import Record

NOT_COMPUTED = ("checkpoint_every",)  # of the training


def identity(specs: Mapping[str, Record | Sequence[Record]], training: Training, scale: Scale, seed: int | None) -> str:
    """12 hex digits; without the seed the repetitions of one setting share them."""
    schedule = {key: value for key, value in _described(training).items() if key not in NOT_COMPUTED}
    computed = {
        "training": schedule,
        "scale": _described(scale),
        **{
            name: _described(part) if isinstance(part, Record) else [_described(one) for one in part]
            for name, part in specs.items()
        },
        **({} if seed is None else {"seed": seed}),
    }
    text = json.dumps(computed, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _described(record: Record) -> dict[str, Any]:
    told = {"class": f"{type(record).__module__}.{type(record).__qualname__}"}
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if value != field.default:
            told[field.name] = value
    return told
