"""Composition of the chosen file of each group by Hydra's rules, in an eighth of Hydra's time.

The rules are those of https://hydra.cc/docs/advanced/defaults_list, as far as the files of packages use them: choices
of one or several files, overrides of a group, a file based on another one of its group, the package `_global_`.
Anything else in a file (`optional`, `group@package`, a key of Hydra's own) is left to Hydra, as is every fault.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from neurobench.config.sources import Plain, plain_file

Choice = Any  # the name of a file, a list of such names, or None; anything else in a file is left to Hydra
ENTRY = re.compile(r"(override )?(/?)(\w+)")
SELF = "_self_"


class LeftToHydra(Exception):
    """Error for a file or a choice that needs more than is implemented here, or that does not exist."""


def merged(choices: Mapping[str, Choice]) -> Plain:
    """Unresolved plain values of `config.yaml` with these choices, group -> file or files; without Hydra's section.

    Raises LeftToHydra.
    """
    body, _ = _read("config")
    # Hydra's launcher is chosen in a separate section, on which nothing else depends.
    defaults = [entry for entry in body["defaults"] if not any(key.startswith("override hydra/") for key in entry)]
    content = {key: value for key, value in body.items() if key != "hydra"}
    walk = _Walk(dict(choices))
    whole: Plain = {}
    for part in walk.parts({**content, "defaults": defaults}, "", root=True):
        _merge(whole, part)
    if "hydra" in whole:
        raise LeftToHydra("a key of Hydra's own")
    if walk.overrides.keys() - walk.groups:
        raise LeftToHydra("a group that no defaults list has")
    return whole


@dataclass
class _Walk:
    """Walk through the defaults lists, from the last entry to the first: of two overrides of a group the outer one
    counts, and of two in one list the later one."""

    overrides: dict[str, Choice]
    groups: set[str] = field(default_factory=set)  # encountered in defaults lists so far

    def parts(self, body: Plain, group: str, root: bool) -> list[Plain]:
        """Parts to merge for a file, in that order. `root`: its keys belong to the whole configuration, not to the
        section named after the group."""
        content = {key: value for key, value in body.items() if key != "defaults"}
        entries = list(_entries(body.get("defaults", []), group))
        if not root and any(name for name, _, _ in entries):
            raise LeftToHydra("a group that it takes for a section within the file's own")
        for name, choice, overrides in entries:
            if overrides and name in self.groups:
                raise LeftToHydra("an override that comes after its group")
            if overrides:
                self.overrides.setdefault(name, choice)
        below = [(name, choice) for name, choice, overrides in entries if not overrides]
        blocks = []
        for name, choice in reversed(below if ("", SELF) in below else [*below, ("", SELF)]):
            if choice == SELF:
                blocks.append([content if root else {group: content}])
            elif not name:
                blocks.append(self._file(group, choice, root))
            else:
                blocks.append(self._group(name, choice))
        return [part for block in reversed(blocks) for part in block]

    def _group(self, group: str, default: Choice) -> list[Plain]:
        if group in self.groups:
            raise LeftToHydra("a group that defaults lists have twice")
        self.groups.add(group)
        choice = self.overrides.get(group, default)
        if choice is None:
            return []
        names = choice if isinstance(choice, list) else [choice]
        blocks = [self._file(group, name, root=False) for name in reversed(names)]
        return [part for block in reversed(blocks) for part in block]

    def _file(self, group: str, name: Any, root: bool) -> list[Plain]:
        """Parts of one file. `root`: its keys belong to the whole configuration even if it names no package, as for a
        file next to one that does."""
        if not (isinstance(name, str) and re.fullmatch(r"\w+", name)):
            raise LeftToHydra("no plain name of a file")
        body, package = _read(f"{group}/{name}")
        return self.parts(body, group, root or package is not None)


def _read(path: str) -> tuple[Plain, str | None]:
    body, package = plain_file(path) or (None, None)
    if not isinstance(body, dict) or package not in (None, "_global_"):
        raise LeftToHydra("no file of sections, or a package by name")
    return body, package


def _entries(defaults: Any, group: str) -> Iterator[tuple[str, Choice, bool]]:
    """Group, choice and whether it overrides, for each entry of a defaults list; "" for the group of the file
    itself."""
    if not isinstance(defaults, list) or defaults.count(SELF) > 1:
        raise LeftToHydra("a fault")
    last = False
    for entry in defaults:
        if isinstance(entry, str) and not (last and entry != SELF):
            yield "", entry, False
            continue
        key = next(iter(entry)) if isinstance(entry, dict) and len(entry) == 1 else ""
        match = ENTRY.fullmatch(str(key))
        if match is None or (group and not match[2]) or (last and not match[1]) or entry[key] == SELF:
            raise LeftToHydra("an entry of another kind, or a group within this one, or an override before others")
        last = bool(match[1])
        yield match[3], entry[key], last


def _merge(into: Plain, part: Plain) -> None:
    """Merge `part` into `into` as OmegaConf does: sections key by key, anything else is replaced."""
    for key, value in part.items():
        old = into.get(key)
        if (key in into and value == "???") or (isinstance(value, (dict, list)) and _is_other(old, type(value))):
            raise LeftToHydra("what does not replace the other")
        if isinstance(value, dict):
            into[key] = old if isinstance(old, dict) else {}
            _merge(into[key], value)
        else:
            into[key] = value


def _is_other(value: Any, kind: type) -> bool:
    """Whether a value is a section or list of another kind, or an interpolation, which may stand for either."""
    return (isinstance(value, (dict, list)) and not isinstance(value, kind)) or (
        isinstance(value, str) and "${" in value
    )
