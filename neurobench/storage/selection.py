"""Choosing runs by what they were: by what their records say, or by any key of their configurations."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from neurobench.config.errors import UserError, did_you_mean
from neurobench.config.schema import RUNTIME_KEYS
from neurobench.storage.files import Damaged
from neurobench.storage.folder import RunFolder, flat
from neurobench.storage.store import JOINED, Entry

PRESENT = ("run", "status", *JOINED)  # keys that every run has
NAMED = ("seed", *(f"{section}.name" for section in ("model", "dataset", "backend", "encoder", "scale")))


def configuration(folder: RunFolder) -> dict[str, Any]:
    """Keys of what was computed, dots between levels; without those that PRESENT has under another name. Empty where
    the file is damaged."""
    with contextlib.suppress(Damaged):
        config = flat({key: value for key, value in folder.config().items() if key not in RUNTIME_KEYS})
        return {key: value for key, value in config.items() if key not in NAMED}
    return {}


def chosen(
    entries: Sequence[Entry],
    outputs: Path,
    where: Mapping[str, Any],
    read: Callable[[Entry], Mapping[str, Any]] | None = None,
) -> list[Entry]:
    """Those whose values are as `where` says; a list means any of its values. `read`: an entry's configuration, from
    its file unless given.

    Raises UserError for a key that no run has.
    """
    by_record = {key: value for key, value in where.items() if key in PRESENT}
    others = {key: value for key, value in where.items() if key not in PRESENT}
    matching = [entry for entry in entries if _is(entry.summary(outputs), by_record)]
    if not others:
        return matching
    read = read or (lambda entry: configuration(entry.folder(outputs)))
    configs = [(entry, read(entry)) for entry in matching]
    known = dict.fromkeys(key for _, config in configs for key in config)
    for key in others:
        if entries and key not in known:
            raise UserError(f"{key}: no run here has such a key.{did_you_mean(key, [*PRESENT, *known])}")
    return [entry for entry, config in configs if _is(config, others)]


def _is(values: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    return all(values.get(key) in (value if isinstance(value, list) else [value]) for key, value in where.items())
