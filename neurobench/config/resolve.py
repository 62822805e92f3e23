"""Conversion of a composed configuration to plain values, in one place: nothing is left to be interpreted again.

The one exception is the wiring of a model to its devices: a field of the model with the value `${backend.NAME}` keeps
it, since that is what a device field accepts.
"""

from __future__ import annotations

import math
import pickle
import re
from collections.abc import Iterator
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from neurobench.config.errors import ConfigError
from neurobench.config.home import as_stored

DEVICE = re.compile(r"^\$\{backend\.(\w+)\}$")
MACHINERY = re.compile(r"^_\w+_$")  # _target_, _args_, _partial_, ...: keys that Hydra's `instantiate` would act on
SECTIONS = ("model", "dataset", "backend", "training", "scale")
OPTIONAL = ("encoder", "logger", "table")  # older configurations have no encoder

Plain = dict[str, Any]


def resolved(config: DictConfig) -> Plain:
    """The whole configuration as dicts, lists, texts, finite numbers, booleans and None.

    Raises ConfigError with every key that has no value or cannot be resolved.
    """
    faults = [f"{key} is not a section of keys" for key in SECTIONS if not _is_section(config, key)]
    faults += [
        f"{key} is not a section of keys"
        for key in OPTIONAL
        if not (_is_absent(config, key) or _is_section(config, key))
    ]
    if faults:
        raise ConfigError(faults)
    wired = wiring(config)
    values = pickle.loads(pickle.dumps(config))  # a fifth of the time that OmegaConf takes for a copy
    OmegaConf.set_readonly(values, False)
    OmegaConf.set_struct(values, False)
    for path in wired:
        OmegaConf.update(values, path, None)
    try:
        plain = OmegaConf.to_container(values, resolve=True, throw_on_missing=True)
    except (OmegaConfBaseException, ValueError, RecursionError) as error:
        faults = [f for path, value in leaves(config) if path not in wired and (f := _fault(config, path, value))]
        whole = (str(error) or type(error).__name__).splitlines()[0]  # message on an interpolation within a list
        raise ConfigError(faults or [f"cannot be resolved: {whole}"]) from None
    assert isinstance(plain, dict)
    for path, device in wired.items():
        plain["model"][path.removeprefix("model.")] = f"${{backend.{device}}}"
    return cast(Plain, _stored(plain))


def _stored(value: Any, path: str = "") -> Any:
    """Plain values with the home folder in place of ~/ at the beginning of a text, and absolute paths of files."""
    if isinstance(value, dict):
        return {key: _stored(item, f"{path}.{key}" if path else str(key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_stored(item) for item in value]
    return as_stored(path, value) if isinstance(value, str) else value


def wiring(config: DictConfig) -> dict[str, str]:
    """Keys of the model that YAML fills with a device of the backend: "model.sampler" -> "sampler"."""
    values = OmegaConf.to_container(config.model, resolve=False)
    assert isinstance(values, dict)
    matches = {f"model.{key!s}": DEVICE.match(value) for key, value in values.items() if isinstance(value, str)}
    return {path: match[1] for path, match in matches.items() if match}


def follows_seed(config: DictConfig) -> bool:
    """Whether a key besides `seed` takes its value from it (`chip_seed: ${seed}`)."""
    return any(isinstance(value, str) and "${" in value and "seed" in value for _, value in leaves(config))


def leaves(config: DictConfig) -> Iterator[tuple[str, Any]]:
    """Dotted path and unresolved value of everything that is not itself a section."""

    def walk(value: Any, path: str) -> Iterator[tuple[str, Any]]:
        if not isinstance(value, dict):
            yield path, value
            return
        for key, item in value.items():
            yield from walk(item, f"{path}.{key}" if path else str(key))

    return walk(OmegaConf.to_container(config, resolve=False), "")


def _is_section(config: DictConfig, key: str) -> bool:
    try:
        return isinstance(config.get(key), DictConfig)
    except OmegaConfBaseException:
        return False


def _is_absent(config: DictConfig, key: str) -> bool:
    return key not in config or OmegaConf.select(config, key, throw_on_resolution_failure=False) is None


def _fault(config: DictConfig, path: str, value: Any) -> str | None:
    if value == "???":
        return f"{path} has no value; set it with {path}=..."
    if isinstance(value, list) and _lacks(value):
        return f"{path}={value} has no value where it says '???'; set it with {path}=..."
    if not _has_interpolation(value):
        return None
    try:
        OmegaConf.to_container(OmegaConf.create({"value": OmegaConf.select(config, path, throw_on_missing=True)}))
    except (OmegaConfBaseException, ValueError, RecursionError) as error:
        return f"{path}={value} cannot be resolved: {(str(error) or type(error).__name__).splitlines()[0]}"
    return None


def _lacks(value: Any) -> bool:
    if isinstance(value, (list, dict)):
        return any(_lacks(item) for item in (value.values() if isinstance(value, dict) else value))
    return bool(value == "???")


def _has_interpolation(value: Any) -> bool:
    if isinstance(value, list):
        return any(_has_interpolation(item) for item in value)
    if isinstance(value, dict):
        return any(_has_interpolation(item) for item in value.values())
    return isinstance(value, str) and "${" in value


def foreign_faults(plain: Plain) -> list[str]:
    """Faults of keys that name code anywhere but at a section's top, and of values that are not plain data."""
    return [fault for section, value in plain.items() for fault in _foreign(section, value)]


def _foreign(path: str, value: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(value, dict):
        # A section has its _target_ at its top; a backend and the trackers are sections of sections.
        top = 1 if path.partition(".")[0] in ("backend", "logger") else 0
        for key, item in value.items():
            if MACHINERY.match(str(key)) and not (key == "_target_" and depth == top):
                yield f"{path}.{key}: only a section's own _target_ may name a class"
            else:
                yield from _foreign(f"{path}.{key}", item, depth + 1)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _foreign(f"{path}.{number}", item, depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{path}={value} is not a finite number"
    elif isinstance(value, str) and not _is_text(value):
        yield f"{path}={value!r} is not text in UTF-8, which config.yaml is written in"
    elif value is not None and not isinstance(value, (str, int, float)):
        yield f"{path} is {type(value).__name__}: a configuration contains numbers, strings, lists and sections"


def _is_text(value: str) -> bool:
    """Whether a string can be written as UTF-8. A byte on the command line that is not UTF-8 becomes a surrogate."""
    return not any("\ud800" <= character <= "\udfff" for character in value)
