"""Bounds of parameters, given where a parameter is declared and enforced when a record is created.

    @dataclass(frozen=True)
    class Gibbs(Record):
        sweeps: Annotated[int, Bound(1)]
        beta: Annotated[float, Bound(0, above=True)]

This module imports nothing heavy: configurations are checked before torch is imported.
"""

import math
import re
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, Union
from weakref import WeakKeyDictionary

Fault = tuple[str, str]  # a field, and what is wrong with it ("=0 is not at least 1")
_evaluated: WeakKeyDictionary[type, Mapping[str, Any]] = WeakKeyDictionary()  # weak: an edit creates a class anew


@dataclass(frozen=True)
class Bound:
    """Interval of permitted values. `above` excludes `lo` itself, `below` excludes `hi` itself."""

    lo: float = -math.inf
    hi: float = math.inf
    above: bool = False
    below: bool = False

    def holds(self, value: float) -> bool:
        too_low = value <= self.lo if self.above else value < self.lo
        too_high = value >= self.hi if self.below else value > self.hi
        return not (math.isnan(value) or too_low or too_high)

    def __str__(self) -> str:
        lo, hi = _plain(self.lo), _plain(self.hi)
        if self.hi == math.inf:
            return f"above {lo}" if self.above else f"at least {lo}"
        if self.lo == -math.inf:
            return f"below {hi}" if self.below else f"at most {hi}"
        return f"in {'(' if self.above else '['}{lo}, {hi}{')' if self.below else ']'}"


def _plain(number: float) -> str:
    """Number as text, with all digits of a whole number (2147483647, not 2.14748e+09)."""
    return str(int(number)) if math.isfinite(number) and number == int(number) else f"{number:g}"


class BoundsError(ValueError):
    """Error for fields of a record that are out of bounds. `faults`: (field, sentence) for each."""

    def __init__(self, owner: str, faults: list[Fault]):
        self.faults = faults
        super().__init__(f"{owner}: " + "; ".join(f"{field}{sentence}" for field, sentence in faults))


def hints_of(kind: type) -> Mapping[str, Any]:
    """Field -> annotation, cached: Python compiles each one again on every call, most of the time of a check."""
    if kind not in _evaluated:
        _evaluated[kind] = types.MappingProxyType(typing.get_type_hints(kind, include_extras=True))
    return _evaluated[kind]


def field_faults(record: Any) -> list[Fault]:
    """Faults of all fields of a dataclass whose values violate their annotations."""
    hints = hints_of(type(record))
    sentences = {field.name: fault_of(getattr(record, field.name), hints[field.name]) for field in fields(record)}
    return [(name, sentence) for name, sentence in sentences.items() if sentence]


def fault_of(value: Any, hint: Any) -> str | None:
    """Sentence on how a value violates an annotation ("=0 is not at least 1"), or None.

    Types other than plain data (a device, for example) are not checked.
    """
    bounds: list[Bound] = []
    if typing.get_origin(hint) is typing.Annotated:
        hint, *extras = typing.get_args(hint)
        bounds = [extra for extra in extras if isinstance(extra, Bound)]
    if not _is_a(value, hint):
        return f"={_shown(value)} is not {hint_words(hint)}{_range_hint(value)}"
    for bound in bounds:
        for number in value if isinstance(value, (list, tuple)) else [value]:
            if number is not None and not bound.holds(number):
                return f"={_shown(value)} is not {bound}"
    return None


def _shown(value: Any) -> str:
    """Value in YAML notation, with texts in quotes to distinguish "1" from 1."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_shown, value))}]"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return repr(value)


def _is_a(value: Any, hint: Any) -> bool:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return fault_of(value, hint) is None
    if origin in (Union, types.UnionType):
        return any(_is_a(value, option) for option in args)
    if origin is Literal:
        return any(value == option and type(value) is type(option) for option in args)
    if origin in (tuple, list, Sequence):
        return isinstance(value, (list, tuple)) and all(_is_a(item, args[0]) for item in value)
    if hint is float:
        return isinstance(value, float) or _is_integer(value)
    if hint is int:
        return _is_integer(value)
    if hint in (str, bool):
        return isinstance(value, hint)
    if hint is type(None):
        return value is None
    return True


def _is_integer(value: Any) -> bool:
    """Whether a value is an integer that floating-point numbers can be compared and multiplied with."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _range_hint(value: Any) -> str:
    """Hint if the value is `0..5`, `0-5` or `0:5` in place of a number; else ""."""
    match = re.fullmatch(r"(\d+)(?:\.{2,3}|-|:)(\d+)", value) if isinstance(value, str) else None
    if match is None:
        return ""
    first, last = int(match[1]), int(match[2])
    return f". The values {first} to {last} are written range({first},{last + 1}), for sweep or run -m"


def hint_words(hint: Any) -> str:
    """Values that an annotation permits, in words: "an integer at least 1", "one of binary, grey"."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        bounds = [str(extra) for extra in args[1:] if isinstance(extra, Bound)]
        return " ".join([hint_words(args[0]), *bounds])
    if origin in (Union, types.UnionType):
        return " or ".join(hint_words(option) for option in args)
    if origin is Literal:
        return ("one of " if len(args) > 1 else "") + ", ".join(str(option) for option in args)
    if origin in (tuple, list, Sequence):
        return f"a list, each {hint_words(args[0])}"
    names = {int: "an integer", float: "a number", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(hint, str(hint))
