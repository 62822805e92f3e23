"""Selection of runs by their records or by any key of their configurations."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from neurobench.config.errors import UserError, did_you_mean
from neurobench.config.home import as_stored
from neurobench.config.schema import RUNTIME_KEYS
from neurobench.storage.differences import flat
from neurobench.storage.files import Damaged
from neurobench.storage.folder import RunFolder
from neurobench.storage.store import JOINED, Entry

PRESENT = ("run", "status", *JOINED)  # keys that every run has
PLACE = ("run", "status")  # of these, the ones that are known of a run whose run.json is damaged
NAMED = ("seed", *(f"{section}.name" for section in ("model", "dataset", "backend", "encoder", "scale")))


_REPEATING = tuple(f"{key}:".encode() for key in ("seed", *RUNTIME_KEYS))


def configuration(folder: RunFolder) -> dict[str, Any]:
    """Configuration of what was computed as dotted keys, without those that PRESENT has under another name. Empty if
    the file is damaged."""
    with contextlib.suppress(Damaged):
        config = flat({key: value for key, value in folder.config().items() if key not in RUNTIME_KEYS})
        return {key: value for key, value in config.items() if key not in NAMED}
    return {}


def configurations(folders: Iterable[RunFolder]) -> list[dict[str, Any]]:
    """Configurations of several runs, read once if files differ only in the seed and in keys that affect no figure, as
    those of repetitions do: reading YAML takes fifty times as long as comparing its lines."""
    known: dict[tuple[bytes, ...], dict[str, Any]] = {}
    made = []
    for folder in folders:
        lines: tuple[bytes, ...] = ()
        with contextlib.suppress(OSError):
            text = (folder.path / "config.yaml").read_bytes()
            lines = tuple(line for line in text.splitlines() if not line.startswith(_REPEATING))
        if lines not in known:
            known[lines] = configuration(folder)
        made.append(known[lines])
    return made


class Chosen(NamedTuple):
    """Runs that match, and those of which nobody knows."""

    entries: list[Entry]
    unknown: dict[str, str]  # name/id -> damage that hides whether it matches: a mean may lack this run


def chosen(entries: Sequence[Entry], outputs: Path, where: Mapping[str, Any]) -> Chosen:
    """Entries whose values match `where`; a list matches any of its values, and itself, and a path the one that it
    means in the current folder.

    Raises UserError for a key that no run has.
    """
    by_record = {key: value for key, value in where.items() if key in PRESENT}
    others = {key: _stored(key, value) for key, value in where.items() if key not in PRESENT}
    by_place = {key: value for key, value in by_record.items() if key in PLACE}
    matching, unknown = [], {}
    for entry in entries:
        summary = entry.summary(outputs)
        if _is(summary, by_record):
            matching.append(entry)
        elif entry.damage and not entry.record and by_place.keys() < by_record.keys() and _is(summary, by_place):
            unknown[entry.path] = entry.damage
    if not others:
        return Chosen(matching, unknown)
    configs = configurations(entry.folder(outputs) for entry in matching)
    known = dict.fromkeys(key for config in configs for key in config)
    for key in others:
        if known and key not in known:
            raise UserError(f"{key}: no run here has such a key.{did_you_mean(key, [*PRESENT, *known])}")
    read = list(zip(matching, configs, strict=True))
    damaged = ((entry.path, _damage(entry.folder(outputs))) for entry, config in read if not config)
    unknown |= {path: damage for path, damage in damaged if damage}
    return Chosen([entry for entry, config in read if _is(config, others)], unknown)


def _damage(folder: RunFolder) -> str:
    """Damage of config.yaml, or ""."""
    try:
        folder.config()
    except Damaged as damage:
        return damage.reason
    return ""


def _stored(key: str, value: Any) -> Any:
    """A wanted value as configurations store it."""
    if isinstance(value, list):
        return [_stored(key, each) for each in value]
    return as_stored(key, value) if isinstance(value, str) else value


def _is(values: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    """Whether each value is the wanted one, which may be a list itself, or one of those wanted. An absent key has no
    value, not even null."""
    return all(
        key in values and (values[key] == value or (isinstance(value, list) and values[key] in value))
        for key, value in where.items()
    )
