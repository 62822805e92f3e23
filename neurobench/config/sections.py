"""Conversion of a section's plain values to its record or spec, with every fault reported as a sentence."""

from __future__ import annotations

import contextlib
import dataclasses
import typing
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import MISSING
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf

from neurobench.config.bounds import BoundsError, fault_of, hints_of
from neurobench.config.errors import did_you_mean
from neurobench.config.resolve import DEVICE, MACHINERY
from neurobench.config.schema import Root, Scale, Training
from neurobench.config.spec import Record, Spec, Uses
from neurobench.config.targets import TargetRefused, find_target

R = TypeVar("R", bound=Record)
S = TypeVar("S", bound=Spec)
RECORDS = {"": Root, "training": Training, "scale": Scale}  # sections that are the same for every model
KINDS = {"model": "model", "dataset": "dataset", "encoder": "encoder", "backend": "device", "logger": "tracker"}

HEADER = (
    " The file of an experiment begins with the line `# @package _global_`, since its keys are those of a whole "
    "configuration."
)


class Reader:
    """Builder of records that collects faults; `config` serves only to find where a misplaced key does exist."""

    def __init__(self, config: Mapping[str, Any]):
        self.config = config
        self.faults: list[str] = []
        self.wiring: dict[str, str] = {}  # field of a spec -> device of the backend that it names

    def record(self, kind: type[R], values: Any, owner: str) -> R | None:
        """Record of a section, or None if it has faults. `owner`: the section's path, "" for the top."""
        before = len(self.faults)
        if not isinstance(values, dict):
            self.faults.append(f"{owner}={values!r} is not a section of keys")
            return None
        prefix = f"{owner}." if owner else ""
        fields = {field.name: field for field in dataclasses.fields(kind)}
        for key in (key for key in values if key not in fields):
            self.faults.append(unknown_key(f"{prefix}{key}", owner, str(key), list(fields), self.config))
        required = [name for name, field in fields.items() if field.default is field.default_factory is MISSING]
        missing = [name for name in required if name not in values]
        self.faults += [f"{prefix}{name} is missing" for name in missing]
        if missing:
            return None
        try:
            made = kind(**{key: value for key, value in values.items() if key in fields})
        except BoundsError as error:
            self.faults += [f"{prefix}{field}{sentence}" for field, sentence in error.faults]
            return None
        return made if len(self.faults) == before else None

    def spec(self, kind: str, base: type[S], values: Any, owner: str) -> S | None:
        """Spec that a section names, or None: `name` is for folders and tables, other keys are the class's fields."""
        if not isinstance(values, dict) or "_target_" not in values:
            self.faults.append(f"{owner} names no class: it has no _target_")
            return None
        try:
            target = find_target(values["_target_"], kind, base)
        except TargetRefused as refusal:
            self.faults.append(f"{owner}.{refusal}")
            return None
        if fault := undecorated(target):
            self.faults.append(f"{owner}._target_={values['_target_']}: {fault}")
            return None
        fields = {key: value for key, value in values.items() if key not in ("_target_", "name")}
        made = self.record(target, self._wired(target, fields, owner), owner)
        return typing.cast(S | None, made)

    def _wired(self, target: type[Spec], fields: dict[str, Any], owner: str) -> dict[str, Any]:
        """Fields with the device's name in each device field; a device in any other field is a fault."""
        devices = uses(target)
        optional = {field.name for field in dataclasses.fields(target) if field.default is None}
        wired = dict(fields)
        for key, value in fields.items():
            match = DEVICE.match(value) if isinstance(value, str) else None
            if match and key in devices:
                wired[key] = self.wiring[key] = match[1]
            elif match:
                self.faults.append(f"{owner}.{key}={value}: this key takes a value, not a device")
                del wired[key]
            elif key in devices and not (value is None and key in optional):
                self.faults.append(
                    f"{owner}.{key}={value!r} is not a device of the backend: write {owner}.{key}="
                    f"'${{backend.{devices[key]}}}', or leave it as it is"
                )
                wired[key] = devices[key]
        return wired


def undecorated(target: type[Spec]) -> str | None:
    """Remedy if a spec declares fields but is not a dataclass: it inherits from one, so Python raises no error."""
    hints = hints_of(target)
    for kind in target.__mro__:
        if not issubclass(kind, Spec) or "__dataclass_fields__" in vars(kind):
            continue
        fixed = {name for name, hint in hints.items() if typing.ClassVar in (hint, typing.get_origin(hint))}
        names = [name for name in kind.__annotations__ if name not in fixed]
        if names:
            keys = ", ".join(names)
            return (
                f"{kind.__name__} is not a dataclass, so it has no key {keys}. Write @dataclass(frozen=True) above it."
            )
    return None


def uses(target: type[Spec]) -> Mapping[str, str]:
    """Field -> kind of device, for the fields that YAML fills with `${backend.NAME}`."""
    hints = hints_of(target)
    return {
        name: extra.kind
        for name, hint in hints.items()
        for extra in getattr(hint, "__metadata__", ())
        if isinstance(extra, Uses)
    }


def takes_text(config: DictConfig, key: str, value: Any) -> bool:
    """Whether a key's type accepts any text but not this value."""
    owner, _, name = key.rpartition(".")
    section = OmegaConf.select(config, owner, throw_on_missing=False) if owner else config
    kind: type[Record] | None = RECORDS.get(owner)
    if isinstance(section, DictConfig) and owner.partition(".")[0] in KINDS:
        with contextlib.suppress(TargetRefused):
            target = OmegaConf.to_container(section, resolve=False).get("_target_")  # type: ignore[union-attr]
            kind = find_target(target, KINDS[owner.partition(".")[0]], Spec)
    hint = hints_of(kind).get(name) if kind else None
    return hint is not None and fault_of("text", hint) is None and fault_of(value, hint) is not None


def unknown_key(key: str, owner: str, part: str, known: Sequence[str] | None, config: Mapping[str, Any]) -> str:
    """Sentence on an unknown key: suggests a similar key, or the places where that name does exist.

    `known`: the owner's keys; None if the owner is a value.
    """
    prefix = f"{owner}." if owner else ""
    hint = did_you_mean(part, known or (), prefix)
    if key == "experiment":
        hint = HEADER
    elif MACHINERY.match(part):
        hint = " Only a section that names a class has one."
    elif known is None:
        hint = " It is a value, not a section of keys."
    elif not hint:
        elsewhere = [path for path in paths(config) if path.rpartition(".")[2] == part and path != key]
        known_keys = f" There is {', '.join(known)}." if known else " It has no keys."
        hint = f" Did you mean {' or '.join(elsewhere)}?" if elsewhere else known_keys
    where = f"{owner} has no key {part}" if owner else f"there is no key {part}"
    return f"{key}: {where}.{hint}"


def paths(config: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Path of every section and key: "model", "model.lr"."""
    keys = []
    for name, value in config.items():
        keys.append(f"{prefix}{name}")
        if isinstance(value, Mapping):
            keys += paths(value, f"{prefix}{name}.")
    return keys


def quiet() -> warnings.catch_warnings:
    """Context manager: suppress the warnings of records, since the run issues them once."""
    return warnings.catch_warnings(action="ignore")
