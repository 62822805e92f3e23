"""Explanations of keys in YAML files: the comment after a key, or the lines above it, and its value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

import yaml
from omegaconf import OmegaConf

NO_EXPLANATION = ("@package", "yaml-language-server:")  # comments on the file, for programs

Path = tuple[str, ...]


class Key(NamedTuple):
    comment: str  # "" if there is none
    value: Any  # unresolved


@lru_cache(maxsize=512)
def explained(text: str) -> Mapping[Path, Key]:
    """Path of each key of a YAML file -> its explanation and value; () for the whole file. Raises yaml.YAMLError."""
    node = yaml.compose(text, yaml.SafeLoader)
    lines = text.splitlines()
    keys: dict[Path, Key] = {(): Key(_top(lines), OmegaConf.to_container(OmegaConf.create(text)))}
    if isinstance(node, yaml.MappingNode):
        keys.update(_keys(node, lines, (), keys[()].value))
    return MappingProxyType(keys)


def _keys(node: yaml.MappingNode, lines: list[str], path: Path, values: Any) -> Iterator[tuple[Path, Key]]:
    for key, value in node.value:
        here = (*path, str(key.value))
        block = isinstance(value, yaml.CollectionNode) and not value.flow_style
        mark = key.end_mark if block else value.end_mark
        behind = lines[mark.line][mark.column :].partition("#")[2] if mark.line < len(lines) else ""
        inner = values.get(key.value) if isinstance(values, dict) else None
        yield here, Key(behind.strip() or _above(lines, key.start_mark.line, key.start_mark.column), inner)
        if isinstance(value, yaml.MappingNode):
            yield from _keys(value, lines, here, inner)


def _above(lines: list[str], line: int, indent: int) -> str:
    """Comment lines directly above a key inside a section; at the top level they describe the file."""
    block: list[str] = []
    while indent and line > 0 and lines[line - 1].startswith(" " * indent + "#"):
        line -= 1
        block.insert(0, lines[line].strip(" #"))
    return " ".join(block)


def opening(text: str) -> str:
    """Comment at the top of a YAML file, without the lines for programs."""
    return _top(text.splitlines())


def _top(lines: list[str]) -> str:
    block = []
    for line in lines:
        if not line.startswith("#"):
            break
        block.append(line.strip(" #"))
    return " ".join(line for line in block if not line.startswith(NO_EXPLANATION))
