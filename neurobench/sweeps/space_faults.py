"""Validation of a search-space file: its keys, a range or choices for each searched key, and overrides only of keys
that a trial does not set itself."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from neurobench.config.overrides import keys_of, parse_word
from neurobench.metrics.catalog import metric

KEYS = ("overrides", "figure", "direction", "prune_on", "space")
DIRECTIONS = {"maximize": "larger", "minimize": "smaller"}
RANGE, CHOICE = {"low", "high", "log", "step"}, {"choices"}
DECIDED = {  # keys that every trial sets itself
    "outputs": "--outputs FOLDER sets the folder of runs",
    "resume": "a trial always resumes its unfinished run",
}
FORMS = "{low: , high: [, log: true][, step: ]} or {choices: [...]}"


def faults_of_file(plain: Any) -> list[str]:
    """Faults in the content of the YAML file, a sentence for each."""
    if not isinstance(plain, dict):
        return ["it is not a section of keys"]
    faults = [f"{key}: there is no such key; there is {', '.join(KEYS)}." for key in plain if key not in KEYS]
    faults += [f"{key} is missing" for key in ("overrides", "figure", "space") if not plain.get(key)]
    for key in ("figure", "prune_on"):
        figure = plain.get(key)
        if figure is not None and not (isinstance(figure, str) and "validation" in figure):
            faults.append(f"{key}={figure}: only figures of held-out samples may decide (validation_...)")
    faults += _direction_faults(plain.get("figure"), plain.get("direction"), plain.get("prune_on"))
    overrides, space = plain.get("overrides") or [], plain.get("space") or {}
    if isinstance(overrides, list):
        faults += [
            f"overrides: {_yaml(word)} is not a string: write key=value"
            for word in overrides
            if not isinstance(word, str)
        ]
    else:
        faults.append(f"overrides: {_yaml(overrides)} is not a list: write [key=value, ...]")
    if isinstance(space, dict):
        faults += [fault for key, entry in space.items() for fault in _entry_faults(key, entry)]
    else:
        faults.append(f"space: {_yaml(space)} is not a section: write KEY: {FORMS}, one per line")
    return faults


def _direction_faults(figure: Any, direction: Any, prune_on: Any) -> Iterator[str]:
    """Faults if it is not known whether larger or smaller values are better, or known to be otherwise."""
    better = metric(str(figure)).better
    if direction is not None and not (isinstance(direction, str) and direction in DIRECTIONS):
        yield f"direction={_yaml(direction)} is neither maximize nor minimize"
    elif direction is None and figure and better == "neither":
        yield f"figure={figure}: whether larger is better is not known. Add direction: maximize, or minimize"
    elif direction is not None and better not in ("neither", DIRECTIONS[direction]):
        yield f"direction={direction}: a {better} {figure} is better. Leave direction out"
    if prune_on is not None and prune_on != figure and metric(str(prune_on)).better == "neither":
        yield f"prune_on={prune_on}: whether larger is better is not known. Write the figure itself, or null"


def overruled(
    words: Sequence[str], searched: Collection[str], file: str, exists: Callable[[str, str], bool]
) -> list[str]:
    """Faults for overrides that would have no effect, since a trial's overrides follow them. `exists`: whether a key
    exists without the word, since a section such as `model.arguments={hidden:8}` may create the key that is searched.
    """
    return list(dict.fromkeys(fault for word in words for fault in _overruled(word, searched, file, exists)))


def _overruled(word: str, searched: Collection[str], file: str, exists: Callable[[str, str], bool]) -> Iterator[str]:
    override = parse_word(word)
    if override is None:  # it is reported when it is composed
        return
    for key in keys_of(override):
        if key in DECIDED:
            yield f"{word} would have no effect: {DECIDED[key]}. Leave it out"
        if key in searched and (key == override.key_or_group or exists(key, word)):
            yield (
                f"{word} would have no effect: {file} searches {key}. Leave it out, or search a copy of the file "
                f"that sets {key} in its overrides and not in its space"
            )


def _entry_faults(key: Any, entry: Any) -> list[str]:
    """Faults in the range or choices of a searched key."""
    where = f"space.{key}"
    if not isinstance(key, str):
        return [f"{where}: that is not the name of a key"]
    if key in DECIDED:
        return [f"{where} cannot be searched: {DECIDED[key]}"]
    if not isinstance(entry, dict) or not (set(entry) == CHOICE or {"low", "high"} <= set(entry) <= RANGE):
        return [f"{where}: write {FORMS}"]
    if "choices" in entry:
        return _choices_faults(where, entry["choices"])
    numbers = {name: entry[name] for name in ("low", "high", "step") if name in entry}
    faults = [f"{where}: {name}={_yaml(n)} is not a number" for name, n in numbers.items() if not _is_number(n)]
    log = entry.get("log", False)
    if not isinstance(log, bool):
        faults.append(f"{where}: log={_yaml(log)} is neither true nor false")
    return faults or _range_faults(where, log=log, **numbers)


def _choices_faults(where: str, values: Any) -> list[str]:
    if not isinstance(values, list) or not values:
        return [f"{where}: choices={_yaml(values)} is not a list with something to choose: write {{choices: [A, B]}}"]
    if all(_is_value(each) for each in values):
        return []
    return [f"{where}: a choice is a number, a string, true, false, null or a list of these"]


def _range_faults(where: str, low: float, high: float, log: bool, step: float | None = None) -> list[str]:
    faults = []
    if not low < high:
        faults.append(f"{where}: low={low} is not below high={high}")
    if log and low <= 0:
        faults.append(f"{where}: low={low} is not above 0, as log: true needs it")
    if step is None:
        return faults
    if step <= 0:
        faults.append(f"{where}: step={step} is not above 0")
    elif low < high < low + step:
        faults.append(f"{where}: step={step} is larger than the range, so that only low={low} would be tried")
    if log:
        faults.append(f"{where}: log: true has no steps. Leave one of the two out")
    if isinstance(low, int) and isinstance(high, int) and not isinstance(step, int):
        faults.append(
            f"{where}: step={step} is not a whole number, as low and high are. Write low={float(low)} for others"
        )
    return faults


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_value(value: Any) -> bool:
    return all(map(_is_value, value)) if isinstance(value, list) else not isinstance(value, dict)


def _yaml(value: Any) -> str:
    """A value as written in a file, on one line."""
    return json.dumps(value, default=str)
