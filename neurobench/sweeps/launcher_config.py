"""Options of a launcher: of the command line, `--with KEY=VALUE ...`, and a site's defaults in a YAML file,
`sweep --launcher-config my_cluster.yaml`.

    launcher: slurm
    partition: long
    timeout_min: 120
    setup: [module load cuda]

`launcher` and `workers` are those of the command line, which takes precedence; every other key is one of `--with`.
Options that sbatch takes as texts are passed as written: `account: 1.10`, `--with constraint=[a|b]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import yaml

from neurobench.config.errors import UserError
from neurobench.sweeps.sbatch import TEXTS

SECTION = "additional_parameters"  # any further options of sbatch
FLAGS = ("true", "false")


@dataclass(frozen=True)
class LauncherConfig:
    launcher: str | None = None
    workers: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def read_launcher_config(path: Path) -> LauncherConfig:
    """Read the file. Raises UserError if it cannot be read or is invalid."""
    named = f"--launcher-config {path}"
    try:
        text = path.read_text("utf-8")
        values, written = _yaml(text), yaml.load(text, yaml.BaseLoader)
    except OSError as error:
        raise UserError(f"{named}: {error.strerror}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(f"{named} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise UserError(f"{named}: write KEY: VALUE, one per line (launcher: slurm, partition: long)")
    workers, launcher = values.pop("workers", None), values.pop("launcher", None)
    if not (workers is None or (isinstance(workers, int) and not isinstance(workers, bool))):
        raise UserError(f"{named}: workers: {workers} is not a number of jobs at once")
    texts = {key: written.get(key) for key in values if _is_text(str(key))}
    options = _nested(((str(key), _as_written(value, texts.get(key))) for key, value in values.items()), named)
    return LauncherConfig(None if launcher is None else str(launcher), workers, options)


def read_options(words: Sequence[str]) -> dict[str, Any]:
    """Options KEY=VALUE of the command line, values read as YAML unless they are texts for sbatch. Raises UserError for
    any other word."""
    pairs = []
    for word in words:
        key, typed, text = word.partition("=")
        if not (key and typed):
            raise UserError(f"--with {word}: write KEY=VALUE")
        try:
            is_text = _is_text(key) and key != SECTION and text not in ("", *FLAGS) and text[0] not in "'\""
            pairs.append((key, text if is_text else _yaml(text)))
        except (yaml.YAMLError, ValueError) as error:
            raise UserError(f"--with {word}: the value is not valid YAML: {' '.join(str(error).split())}") from None
    return _nested(pairs, "--with")


def merged(options: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Options with those of `over` in their place; of a section (additional_parameters, resources), key by key."""
    sections = {
        key: {**options[key], **value}
        for key, value in over.items()
        if isinstance(value, Mapping) and isinstance(options.get(key), Mapping)
    }
    return {**options, **over, **sections}


def _is_text(key: str) -> bool:
    """Whether an option goes to sbatch as it is, but `true` and `false`: in the section, of options without a value."""
    return key.removeprefix("slurm_").partition(".")[0] in (*TEXTS, SECTION)


def _as_written(value: Any, written: Any) -> Any:
    """A scalar of a file as written, where YAML has made it a number (1.10) or, of `no`, false."""
    if isinstance(value, dict) and isinstance(written, dict):
        return {str(key): _as_written(each, written.get(str(key))) for key, each in value.items()}
    return written if isinstance(written, str) and value is not None and written not in FLAGS else value


def _nested(pairs: Iterable[tuple[str, Any]], named: str) -> dict[str, Any]:
    """Options as sections: additional_parameters.KEY is KEY of additional_parameters."""
    options: dict[str, Any] = {}
    for key, value in pairs:
        section, dot, rest = key.partition(".")
        new = {section: {rest: value}} if dot else {key: value}
        if section in options and isinstance(options[section], Mapping) != isinstance(new[section], Mapping):
            raise UserError(f"{named}: {section} is given both with and without a further key")
        options = merged(options, new)
    return options


class _Loader(yaml.SafeLoader):
    """YAML in which only what looks like a decimal number is one: 16:00, 0123, 2024_01 and 2024-01-31 are texts (a time
    to begin, an account), which YAML 1.1 reads as 960, 83, 202401 and a date."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[Any]]] = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] in ("bool", "null", "merge")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


for _tag, _pattern in (
    ("int", r"[-+]?(0|[1-9][0-9]*)$"),
    ("float", r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?$"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list("-+.0123456789"))


def _yaml(text: str) -> Any:
    return yaml.load(text, _Loader)
