"""Suggestions, as sentences, for words that cannot be used."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from neurobench.config.errors import did_you_mean
from neurobench.config.overrides import KEY, parse_word
from neurobench.config.targets import in_python

Names = Mapping[str, Sequence[str]]  # group -> its choices
MOST_NAMES = 20  # listed in a sentence, if some of them match better than the others


def groups_of(name: str, names: Names) -> list[str]:
    """Groups that have a choice of this name, whatever its case."""
    return [group for group, known in names.items() if name.lower() in (one.lower() for one in known)]


def choice_hint(word: str, names: Names, command: str = "") -> str:
    """Hint " Did you mean model=qrbm?" for a word that is, or nearly is, the name of a choice; else ""."""
    for group in groups_of(word, names) or names:
        if hint := did_you_mean(word, names[group], f"{command}{group}="):
            return hint
    return ""


def word_faults(words: Sequence[str], names: Callable[[], Names]) -> tuple[list[str], list[str]]:
    """Sentences on words that are not overrides, or on several that were meant as one; and the words that are
    overrides."""
    faults, sound = [], []
    for parts in _together(words):
        if len(parts) > 1:
            meant = _joined(parts)
            faults.append(f"{' '.join(parts)!r}: a key, = and its value are one word, without spaces: {meant}")
        elif parse_word(parts[0]) is None:
            hint = choice_hint(parts[0], names()) if KEY.match(parts[0]) else ""
            faults.append(f"{parts[0]!r} is not an override: write key=value.{hint}")
        else:
            sound.append(parts[0])
    return faults, sound


def _together(words: Sequence[str]) -> Iterator[Sequence[str]]:
    """Words grouped by override: `model.lr = 0.1`, `model.lr= 0.1`, `model.lr =0.1` and `model.lr 0.1` are one each."""
    at = 0
    while at < len(words):
        size = _size(words[at : at + 3])
        yield words[at : at + size]
        at += size


def _size(words: Sequence[str]) -> int:
    first, second = words[0], words[1] if len(words) > 1 else ""
    key = first.removesuffix("=")
    if not KEY.match(key) or not second or (KEY.match(second.partition("=")[0]) and "=" in second):
        return 1
    if second == "=":
        return min(len(words), 3)
    if first.endswith("=") or second.startswith("="):
        return 2
    return 2 if "." in first and "=" not in first else 1


def _joined(parts: Sequence[str]) -> str:
    key = parts[0].removesuffix("=")
    value = "".join(part for part in parts[1:] if part != "=").removeprefix("=")
    return f"{key}={value}"


def offered(name: str, known: Sequence[str]) -> str:
    """Sentence listing all names; of a long list only those that contain the requested one."""
    alike = [one for one in known if re.search(re.escape(name), one, re.IGNORECASE)]
    if len(known) > MOST_NAMES and alike:
        return f"there is {', '.join(alike)}. neurobench list shows all."
    return f"there is {', '.join(known)}.{did_you_mean(name, known)}"


def own_file(group: str, name: Any) -> str:
    """Hint on how to use a choice whose file lies in the current folder; "" if there is none."""
    if not Path(group, f"{name}.yaml").is_file():
        return ""
    if Path(f"{name}.py").is_file():
        ways = f"--plugin {name}.py, or {in_python(name)}"
    else:
        ways = '--config-dir ., or in Python config_dir="."'
    return f" {group}/{name}.yaml is in this folder: add {ways}"
