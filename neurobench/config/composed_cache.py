"""Cache of configurations composed of choices alone (model=qrbm scale=quick), for repeated requests.

Hydra takes a tenth of a second for one, hence `defaults`, and sets plain values (seed=3) last: these are set on a copy.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import yaml
from hydra import compose
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from neurobench.config.defaults import merged
from neurobench.config.errors import ConfigError
from neurobench.config.hydra_section import is_hydra
from neurobench.config.overrides import parse_word
from neurobench.config.targets import config_packages

Stamp = tuple[tuple[str, int, int], ...]
Composed = tuple[DictConfig, dict[str, Any]]


def composed(words: Sequence[str], reusable: bool) -> Composed:
    """Configuration composed from overrides, and Hydra's section as plain values, which must not be modified.

    `reusable`: only YAML files of packages take part, so that an earlier result is valid while the files are unchanged.
    Raises ConfigError, HydraException or OmegaConfBaseException.
    """
    if not reusable:
        return _split(_compose(words))
    parsed = [parse_word(word) for word in words]
    plain = [override for override in parsed if override is not None and _is_plain(override)]
    choices = [word for word, override in zip(words, parsed, strict=True) if override not in plain]
    if not all(override is not None and _is_choice(override) for override in parsed if override not in plain):
        return _split(_compose(words))  # additions and deletions take effect in the order of the words
    frame, section = _frame(tuple(choices), _stamp())
    config = pickle.loads(frame)
    try:
        for override in plain:
            OmegaConf.update(config, override.key_or_group, override.value(), merge=True)
    except OmegaConfBaseException:
        return _split(_compose(words))  # Hydra says what cannot be set
    OmegaConf.set_struct(config, None)
    return config, section


@lru_cache(maxsize=256)
def _frame(choices: tuple[str, ...], stamp: Stamp) -> tuple[bytes, dict[str, Any]]:
    """Configuration of choices alone, closed to new keys, as in Hydra while it sets plain values; pickled, since a
    pickle is copied in a fifth of the time."""
    config, section = _merged(choices, stamp) or _split(_compose(choices))
    OmegaConf.set_struct(config, True)
    return pickle.dumps(config), section


def _merged(choices: tuple[str, ...], stamp: Stamp) -> Composed | None:
    """Configuration composed without Hydra, except for Hydra's section; None if Hydra has to compose all of it."""
    of_hydra = tuple(word for word in choices if is_hydra(word))
    parsed = [override for word in choices if word not in of_hydra and (override := parse_word(word))]
    if not parsed or not all(map(_picks_files, parsed)):
        return None
    try:
        config = OmegaConf.create(merged({override.key_or_group: override.value() for override in parsed}))
    except Exception:  # a case left to Hydra, or a fault of a file, which Hydra names
        return None
    return config, _frame(of_hydra, stamp)[1]


def _picks_files(override: Override) -> bool:
    """Whether an override only selects files. Of several for a group only the last counts, but Hydra still refuses any
    that is null or a sweep, and sets the keys of a section (model={n_hidden: 3})."""
    is_change = override.type == OverrideType.CHANGE and override.package is None
    return is_change and isinstance(override.value(), (str, list))


def _stamp() -> Stamp:
    """Path, modification time and size of each YAML file in packages."""
    roots = [root for package in config_packages() if isinstance(root := files(package), Path)]  # else zipped
    return tuple(
        (entry.path, entry.stat().st_mtime_ns, entry.stat().st_size) for root in roots for entry in _yaml_files(root)
    )


def _yaml_files(folder: str | os.PathLike[str]) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        here = list(entries)
    below = [file for entry in here if entry.is_dir() and entry.name != "__pycache__" for file in _yaml_files(entry)]
    return [entry for entry in here if entry.name.endswith(".yaml")] + below


def _is_plain(override: Override) -> bool:
    """Whether an override gives one value to a key other than Hydra's. Nothing else composed can depend on it."""
    key = override.key_or_group
    return (
        not (override.is_add() or override.is_force_add() or override.is_delete() or override.is_sweep_override())
        and override.package is None
        and not key.startswith("hydra")
        and not _is_group(key)
    )


def _is_choice(override: Override) -> bool:
    """Whether an override selects files of a group, or is for Hydra itself."""
    return override.key_or_group.startswith("hydra") or _is_group(override.key_or_group)


def _is_group(key: str) -> bool:
    return any(files(package).joinpath(key).is_dir() for package in config_packages())


def _split(config: DictConfig) -> Composed:
    section = cast(dict[str, Any], OmegaConf.to_container(config.hydra, resolve=False))
    OmegaConf.set_struct(config, None)
    del config["hydra"]
    return config, section


def _compose(words: Sequence[str]) -> DictConfig:
    try:
        return compose("config", overrides=list(words), return_hydra_config=True)
    except yaml.YAMLError as error:
        raise ConfigError([" ".join(str(error).split())]) from None
    except (HydraException, OmegaConfBaseException):
        raise
    except RecursionError:
        raise HydraException("the defaults lists of some files name each other in a circle") from None
    except Exception as error:  # Hydra does not wrap errors that it did not expect in a user's overrides or files
        raise HydraException(str(error) or type(error).__name__) from error
