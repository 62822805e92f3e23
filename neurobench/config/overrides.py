"""Command-line words, read once into the form that Hydra's grammar accepts.

The grammar reserves characters (`~ # = ( ) '` and all letters beyond ASCII): a value that it cannot parse is taken
literally, as a text, and quoted here. Whether its key accepts a text is checked when its record is created.
"""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, Quote, QuotedString, RangeSweep
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from neurobench.config.errors import ConfigError
from neurobench.config.sections import paths, takes_text

RESUME = "resume=true"  # the override that --resume stands for
MOST_RUNS = 100_000  # most runs of one sweep: a plan takes about 20 KB and 20 ms
NULLABLE = ("logger", "experiment")  # groups that need no choice
PLAIN = re.compile(r"^[\w.+/-]+(,[\w.+/-]+)+$", re.ASCII)
KEY = re.compile(r"^(\+\+?|~)?[A-Za-z_][\w.@/:-]*$", re.ASCII)


def read_words(words: Sequence[str], choices: Callable[[str], Sequence[str]]) -> list[str]:
    """Each word as an override that Hydra composes, if possible; others unchanged, for `explain` to report.

    `choices`: returns the names of a group, for `model=glob(qrbm*)`. Raises ConfigError if a word is ambiguous.
    """
    faults: list[str] = []
    read = [_read(word, choices, faults) for word in words]
    if faults:
        raise ConfigError(faults)
    return read


def parse_word(word: str) -> Override | None:
    """Parsed override, or None if the word is not one."""
    try:
        return _parser().parse_override(word) if word.lstrip("+~").partition("=")[0] else None
    except (HydraException, ValueError, RecursionError):  # the latter two: endless digits, deeply nested lists
        return None


@cache
def _parser() -> OverridesParser:
    return OverridesParser.create()


def override_of(key: str, value: Any) -> str:
    """The override that sets a key to a plain value: `name='it\\'s'`."""
    return f"{key}={_written(value)}"


def keys_of(override: Override) -> list[str]:
    """Key that an override sets and, if its value is a section, every key in that."""
    key, value = override.key_or_group, override.value()
    return [key, *(paths(value, f"{key}.") if isinstance(value, dict) else ())]


def n_values(override: Override) -> int:
    """Number of values that an override gives its key, counted without creating them."""
    value = override.value()
    if not isinstance(value, RangeSweep):
        return sum(1 for _ in override.sweep_iterator()) if override.is_sweep_override() else 1
    start, stop, step = (float(getattr(value, name)) for name in ("start", "stop", "step"))
    return max(0, math.ceil((stop - start) / step)) if step else 0


def too_many(overrides: Sequence[Override]) -> str | None:
    """Reason why a sweep over these overrides is not planned, or None."""
    n = math.prod(n_values(override) for override in overrides)
    if n <= MOST_RUNS:
        return None
    swept = " ".join(str(override.input_line) for override in overrides if override.is_sweep_override())
    return f"{swept} asks for {n:,} runs; at most {MOST_RUNS:,} are planned at once. Sweep over a part of them."


def sweep_fault(override: Override) -> str | None:
    """Reason why the values of a swept key cannot be enumerated, or None."""
    if override.is_interval_sweep():
        key = override.get_key_element()
        return f"{override.input_line}: an interval has no list of values; write {key}=A,B,C or {key}=range(A,B,STEP)."
    if isinstance(override.value(), Glob):
        return f"{override.input_line}: glob(...) matches names of a group, such as model=glob(qrbm*); none match."
    if isinstance(override.value(), RangeSweep) and n_values(override) == 0:
        return f"{override.input_line} is an empty range."
    return None


def values_of(override: Override) -> Iterator[str]:
    """An override for each value of a swept key; the override itself if it is not swept."""
    if not override.is_sweep_override():
        assert override.input_line is not None
        return iter([override.input_line])
    typed = _value(str(override.input_line))
    if PLAIN.match(typed):  # `name=true,007`: the grammar would make them True and 7
        values: Iterator[str] = iter(typed.split(","))
    else:
        values = override.sweep_string_iterator()
    return (f"{override.get_key_element()}={value}" for value in values)


def keep_texts(config: DictConfig, words: Sequence[str]) -> DictConfig:
    """Set keys that accept a text to the value as typed, since `name=2024` and `name=12e4567` are names, not numbers.
    Returns the configuration."""
    for word in words:
        key, _, typed = word.lstrip("+").partition("=")
        if _is_text(config, word):
            OmegaConf.update(config, key, typed)
    return config


def quote_texts(config: DictConfig, words: Sequence[str]) -> list[str]:
    """Quote number-like texts in words that Hydra itself passes to its jobs: `name=2024` becomes `name='2024'`."""
    quoted = []
    for word in words:
        override = parse_word(word)
        each = [word] if override is None or override.is_delete() else list(values_of(override))
        if any(_is_text(config, one) for one in each):
            texts = [override_of(*one.split("=", 1)).partition("=")[2] for one in each]
            word = f"{word.partition('=')[0]}={','.join(texts)}"
        quoted.append(word)
    return quoted


def _is_text(config: DictConfig, word: str) -> bool:
    override = parse_word(word)
    if override is None or override.is_delete() or type(override.value()) not in (int, float, bool):
        return False
    return takes_text(config, word.lstrip("+").partition("=")[0], override.value())


def _read(word: str, choices: Callable[[str], Sequence[str]], faults: list[str]) -> str:
    override = parse_word(word)
    if override is None:
        return _as_text(word, faults)
    value, group = override.value(), override.key_or_group.partition("@")[0]
    if isinstance(value, Glob) and "." not in group:
        names = value.filter(list(choices(group)))
        return f"{override.get_key_element()}={','.join(names)}" if names else word
    if group not in NULLABLE or override.is_delete() or sweep_fault(override):
        return word
    values = [_value(each) for each in values_of(override)]
    if "null" in values:
        return f"{override.get_key_element()}={','.join('[]' if each == 'null' else each for each in values)}"
    return word


def _value(word: str) -> str:
    return word.partition("=")[2]


def _as_text(word: str, faults: list[str]) -> str:
    """Word with its value quoted, if that makes it an override. A comma may separate two values or belong to one."""
    key, sign, value = word.partition("=")
    quoted = f"{key}={_text(value)}"
    if not sign or not KEY.match(key) or parse_word(quoted) is None:
        return word
    if "," in value:
        several = ",".join(_text(part) for part in value.split(","))
        faults.append(f'{word}: one string or several? Write "{quoted}" for one, "{key}={several}" for several.')
    return quoted


def _written(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{','.join(_written(item) for item in value)}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, str):
        bare = parse_word(f"key={value}")
        return value if bare is not None and bare.value() == value else _text(value)
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return repr(value)


def _text(text: str) -> str:
    return QuotedString(text, Quote.single).with_quotes()
