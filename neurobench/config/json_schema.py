"""JSON schema of the YAML files, built from the specs that they name and the comments in them: editors complete keys,
show explanations and mark values out of bounds.

One schema serves all files (`# yaml-language-server: $schema=../schema.json`). A file of the groups dataset and encoder
is one section; those of backend and logger contain sections by name; those of model, experiment and matrix are parts of
a whole configuration. If a section names its class, its keys are that class's; else it changes some values of another
file's section, and may have the keys of any class of its kind.
"""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import product
from typing import Any, Literal, Union

import yaml

from neurobench.config.bounds import Bound, hints_of
from neurobench.config.compose import GROUPS, choices
from neurobench.config.explanations import Key, explained
from neurobench.config.schema import Root, Row, Scale, Table, Training
from neurobench.config.sections import KINDS
from neurobench.config.spec import Record, Spec
from neurobench.config.targets import TargetRefused, config_places, find_target

Schema = dict[str, Any]
Keys = Mapping[tuple[str, ...], Key]  # path within a section -> its explanation in a YAML file

INTERPOLATION = {"type": "string", "pattern": r"\$\{"}  # ${...} may stand for any value
TYPES = {int: "integer", float: "number", bool: "boolean", str: "string", type(None): "null"}
INNER = ("dataset", "encoder")  # groups whose file is the section itself


def json_schema(config_dir: str | None = None) -> Schema:
    """JSON schema of all shipped files, of plugins, and of the user's own files and classes."""
    said, kinds = explanations_by_class(config_dir)
    definitions = {name: _section(find_target(name, kind, Spec), said[name]) for name, kind in kinds.items()}
    for kind in dict.fromkeys(KINDS.values()):
        definitions[kind] = _kind({name: definitions[name] for name in kinds if kinds[name] == kind})
    definitions["training"] = _record(Training, _below(said["config"], "training"))
    definitions["scale"] = _record(Scale, said["scale"])
    rows = {"rows": {"type": "array", "items": _record(Row, {})}}
    definitions["table"] = _closed({**_properties(Table, {}), **rows})
    texts = {"type": "array", "items": {"type": "string"}}
    space = {"overrides": texts, "figure": {"type": "string"}, "prune_on": {"type": ["string", "null"]}}
    direction = {"enum": ["maximize", "minimize", None]}
    definitions["search"] = _closed({**space, "direction": direction, "space": {"type": "object"}})
    whole = _configuration(said["config"], config_dir)
    definitions["configuration"] = _closed(whole)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "YAML files of neurobench",
        "definitions": definitions,
        **_file(whole, config_dir),
    }


def _file(whole: Schema, config_dir: str | None) -> Schema:
    """Schema of a file, selected by the keys that it has, or by the file that it is based on. `whole`: properties of a
    configuration."""
    cell = {"if": _has("defaults"), "then": _ref("configuration"), "else": _ref("device")}
    named = {"if": _has("_target_"), "then": {"allOf": [_ref("device"), _ref("tracker")]}, "else": cell}
    file: Schema = {"type": "object", "properties": whole, "additionalProperties": named}
    for key, kind in (("epochs", "scale"), ("rows", "table"), ("space", "search")):
        file = {"if": _has(key), "then": _ref(kind), "else": file}
    for group in INNER:
        based = {"properties": {"defaults": {"contains": {"enum": choices(group, config_dir)}}}, **_has("defaults")}
        file = {"if": based, "then": _ref(group), "else": file}
    return {"if": _has("_target_"), "then": {"allOf": [_ref(group) for group in INNER]}, "else": file}


def _configuration(keys: Keys, config_dir: str | None) -> Schema:
    """Properties of a configuration, whole or in part."""
    chosen: Schema = {}
    for group in GROUPS:
        names = {"enum": [*choices(group, config_dir), None]}
        chosen[group] = chosen[f"override /{group}"] = {"anyOf": [names, {"type": ["string", "array"]}]}
    default = {"anyOf": [{"type": "string"}, {"type": "object", "properties": chosen}]}
    backend = {"type": "object", "properties": {"name": {"type": "string"}}, "additionalProperties": _ref("device")}
    return {
        **_properties(Root, keys),
        **{section: _ref(section) for section in ("model", "dataset", "encoder", "training", "scale")},
        "backend": backend,
        "logger": {"type": "object", "additionalProperties": _ref("tracker")},
        "table": {"anyOf": [_ref("table"), {"type": "null"}]},
        "hydra": {"type": "object"},
        "defaults": {"type": "array", "items": default},
    }


def explanations_by_class(config_dir: str | None) -> tuple[dict[str, Keys], dict[str, str]]:
    """Explanations in the files, by class ("neurobench.models.qrbm.spec.QRBM"), "config" and "scale"; and the kind of
    each class that they name. The first file that explains a key counts, a group's before an experiment's."""
    said: dict[str, Keys] = defaultdict(dict)
    kinds: dict[str, str] = {}
    for group, keys in _files(config_dir):
        if group in ("config", "scale"):
            said[group] = {**keys, **said[group]}
        for path, key in keys.items():
            section = path if group not in INNER else (group, *path)
            kind = _kind_at(section, group)
            target = key.value.get("_target_") if isinstance(key.value, dict) else None
            if kind is None or target is None:
                continue
            try:
                find_target(target, kind, Spec)
            except TargetRefused as refusal:
                print(f"left out: {refusal}", file=sys.stderr)
                continue
            kinds[target] = kind
            said[target] = {**_below(keys, *path), **said[target]}
            if group == "model" and not said[target][()].comment:  # the file's first lines describe the model
                said[target] = {**said[target], (): Key(keys[()].comment, None)}
    return said, kinds


def _kind_at(path: tuple[str, ...], group: str) -> str | None:
    """Kind of the section at this path of a file, if it may name a class; else None."""
    if group in ("backend", "logger"):
        path = (group, *path)
    depth = 2 if path[:1] and path[0] in ("backend", "logger") else 1
    return KINDS.get(path[0]) if len(path) == depth else None


def _files(config_dir: str | None) -> Iterator[tuple[str, Keys]]:
    """Group and explanations of each file."""
    places = config_places(config_dir)
    entries = [("config", places[0].joinpath("config.yaml"))]
    for group, place in product(GROUPS, places):
        folder = place.joinpath(group)
        names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
        entries += [(group, folder.joinpath(name)) for name in names if name.endswith(".yaml")]
    for group, file in entries:
        try:
            yield group, explained(file.read_text("utf-8-sig"))
        except (yaml.YAMLError, ValueError, OSError) as error:  # a broken file is no reason to leave the others out
            print(f"left out: {file}: {' '.join(str(error).split())}", file=sys.stderr)


def _below(keys: Keys, *path: str) -> Keys:
    return {inner[len(path) :]: key for inner, key in keys.items() if inner[: len(path)] == path}


def _section(target: type[Spec], keys: Keys) -> Schema:
    common = {"name": {"type": "string"}, "_target_": {"type": "string"}, "defaults": {"type": "array"}}
    top = [inspect.getdoc(target) or "", keys[()].comment if () in keys else ""]
    return {**_record(target, keys, common), "description": "\n\n".join(filter(None, top))}


def _kind(classes: Mapping[str, Schema]) -> Schema:
    """Schema of a section: with the keys of the class that it names, or else with those of any class."""
    named = [{"if": _is_of(name), "then": _ref(name)} for name in classes]
    every: dict[str, list[Schema]] = {}
    for schema in classes.values():
        for key, value in schema["properties"].items():
            every.setdefault(key, []).extend([] if value in every.get(key, []) else [value])
    union = {key: values[0] if len(values) == 1 else {"anyOf": values} for key, values in every.items()}
    return {"type": "object", "allOf": [*named, {"if": {"not": _has("_target_")}, "then": _closed(union)}]}


def _record(kind: type[Record], keys: Keys, more: Schema | None = None) -> Schema:
    return _closed({**(more or {}), **_properties(kind, keys)})


def _properties(kind: type[Record], keys: Keys) -> Schema:
    hints = hints_of(kind)
    return {field.name: _key(_of(hints[field.name]), (field.name,), keys) for field in fields(kind)}


def _key(schema: Schema, path: tuple[str, ...], keys: Keys) -> Schema:
    """Schema of a key with its explanation, and those of the keys inside it."""
    key = keys.get(path)
    inner = {name[-1]: _key({}, name, keys) for name in keys if len(name) == len(path) + 1 and name[:-1] == path}
    section_schema = {**schema, **({"properties": inner} if inner else {})}
    if key is None:
        return section_schema
    default = {} if "${" in str(key.value) or key.value == "???" else {"default": key.value}
    return {**section_schema, **({"description": key.comment} if key.comment else {}), **default}


def _of(hint: Any, bounds: Sequence[Bound] = ()) -> Schema:
    """Schema of the values in a file that fit this annotation."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _of(args[0], [*bounds, *(extra for extra in args[1:] if isinstance(extra, Bound))])
    if origin in (Union, types.UnionType):
        options = [option for one in args for option in _of(one, bounds).get("anyOf", [_of(one, bounds)])]
        return {"anyOf": [option for number, option in enumerate(options) if option not in options[:number]]}
    if origin is Literal:
        return {"anyOf": [{"enum": list(args)}, INTERPOLATION]}
    if origin in (tuple, list, Sequence):
        return {"anyOf": [{"type": "array", "items": _of(args[0], bounds)}, INTERPOLATION]}
    if origin is Mapping:
        return {"anyOf": [{"type": "object"}, INTERPOLATION]}
    if isinstance(hint, type) and issubclass(hint, Record):
        return _record(hint, {})
    if hint in (str, type(None)):
        return {"type": TYPES[hint]}
    if hint in TYPES:
        return {"anyOf": [{"type": TYPES[hint], **_limits(bounds)}, INTERPOLATION]}
    return {}


def _limits(bounds: Sequence[Bound]) -> Schema:
    limits: Schema = {}
    for bound in bounds:
        if abs(bound.lo) != float("inf"):
            limits["exclusiveMinimum" if bound.above else "minimum"] = bound.lo
        if abs(bound.hi) != float("inf"):
            limits["exclusiveMaximum" if bound.below else "maximum"] = bound.hi
    return limits


def _closed(properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


def _has(key: str) -> Schema:
    return {"required": [key]}


def _is_of(name: str) -> Schema:
    return {"properties": {"_target_": {"const": name}}, **_has("_target_")}
