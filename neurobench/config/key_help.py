"""Help on every key of a choice (model=qrbm), its permitted values and its meaning: values and comments from the YAML
files, types and bounds from the specs that these name."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Mapping
from typing import Any, NamedTuple

from hydra.plugins.config_source import ConfigSource
from omegaconf import DictConfig, OmegaConf

from neurobench.config.bounds import hint_words, hints_of
from neurobench.config.compose import GROUPS, choices, composer
from neurobench.config.errors import UserError, did_you_mean
from neurobench.config.explanations import Key, Path, explained
from neurobench.config.json_schema import Keys, explanations_by_class
from neurobench.config.overrides import override_of
from neurobench.config.resolve import DEVICE
from neurobench.config.sections import KINDS, RECORDS
from neurobench.config.spec import Record, Spec
from neurobench.config.suggestions import offered
from neurobench.config.targets import config_places, find_target

UNIT = re.compile(r"^(ms|us|s|mV|pA|LSB|steps?|pixels|degrees|spikes / s|seconds)(?:[;,] *|$)")
NOT_SET = ("_target_", "name", "defaults", "table")  # keys of a file that are never set on a command line
SHARED = {"": "config", "training": "config", "scale": "scale"}  # section of a record -> where its keys are explained

Sections = Mapping[Path, type[Record]]  # path of a section -> class of its record


class KeyHelp(NamedTuple):
    key: str  # as it is set on the command line
    default: str  # as it is written on the command line
    unit: str  # "" if it has none, or the explanation states it
    accepts: str  # "a number above 0"; "" if nothing is declared
    meaning: str  # "" if there is no explanation


class ChoiceHelp(NamedTuple):
    about: str  # description at the top of the file
    parts: list[str]  # choices that it implies: dataset=mnist for a model
    sources: dict[str, str]  # section -> docstring of its class
    keys: list[KeyHelp]


def choice_help(group: str, name: str, config_dir: str | None = None) -> ChoiceHelp:
    """Help on a choice of a group. Raises UserError if there is no such choice."""
    if group not in GROUPS:
        raise UserError(f"there is no group {group!r}; there is {', '.join(GROUPS)}.{did_you_mean(group, GROUPS)}")
    known = choices(group, config_dir)
    if name not in known:
        raise UserError(f"{group}={name}: there is no such {group}; {offered(name, known)}")
    with composer(config_dir) as compose:
        config = compose([f"{group}={name}"])
    sections = _sections(config)
    file = _file(group, name, config_dir)
    explained_elsewhere, _ = explanations_by_class(config_dir)
    leaves = [path for path in file if path and _is_leaf(path, file)]
    keys = [_key_help(path, file[path], sections, explained_elsewhere) for path in leaves]
    sources = {".".join(path): inspect.getdoc(kind) or "" for path, kind in sections.items() if path[:1] == (group,)}
    parts = {"model": ("dataset",), "experiment": ("model", "dataset", "backend")}.get(group, ())
    return ChoiceHelp(file[()].comment, [f"{part}={config[part].name}" for part in parts], sources, keys)


def _sections(config: DictConfig) -> Sections:
    """Sections of a composed configuration that name a class, and those that are the same for every model."""
    plain = typing.cast(dict[str, Any], OmegaConf.to_container(config, resolve=False))
    sections: dict[Path, type[Record]] = {tuple(filter(None, (name,))): kind for name, kind in RECORDS.items()}
    for section, kind in KINDS.items():
        values = plain.get(section) or {}
        parts = values.items() if section in ("backend", "logger") else [("", values)]
        for part, inner in parts:
            if isinstance(inner, dict) and "_target_" in inner:
                sections[tuple(filter(None, (section, part)))] = find_target(inner["_target_"], kind, Spec)
    return {path: sections[path] for path in sorted(sections, key=lambda path: (len(path) == 0, path))}


def _file(group: str, name: str, config_dir: str | None) -> Keys:
    """Explanations in the file of a choice and in those of its group that its defaults list takes over, by path in the
    configuration. An experiment of conf/matrix is one section of its model's file."""
    places = [*config_places(config_dir)]
    for place in places:
        file = place.joinpath(group, f"{name}.yaml")
        if file.is_file():
            return _layered(group, file.read_text("utf-8-sig"), config_dir)
    model, _, dataset = name.removeprefix("matrix_").partition("_")
    keys = explained(next(iter(places)).joinpath("matrix", f"{model}.yaml").read_text("utf-8"))
    return {path[1:]: key for path, key in keys.items() if path[:1] == (dataset,)}


def _layered(group: str, text: str, config_dir: str | None) -> Keys:
    """Explanations in a file and those that it takes over, the last value of a key as Hydra sets it."""
    own, package = explained(text), ConfigSource._get_header_dict(text)["package"] or group
    prefix: Path = () if package == "_global_" else tuple(package.split("."))
    defaults = [each for each in (own[()].value or {}).get("defaults") or [] if isinstance(each, str)]
    keys: dict[Path, Key] = {}
    for each in defaults if "_self_" in defaults else [*defaults, "_self_"]:
        if each == "_self_":
            keys |= {(*prefix, *path): key for path, key in own.items() if path}
        elif each in choices(group, config_dir):
            keys |= _file(group, each, config_dir)
    return {**keys, (): own[()]}


def _is_leaf(path: Path, file: Keys) -> bool:
    is_section = any(other[:-1] == path for other in file)
    return not is_section and path[0] not in ("defaults", "table", "hydra") and path[-1] not in NOT_SET


def _key_help(whole: Path, key: Key, sections: Sections, elsewhere: Mapping[str, Keys]) -> KeyHelp:
    owner = max((section for section in sections if whole[: len(section)] == section), key=len, default=())
    kind, inner = sections[owner], whole[len(owner) :]
    known = ".".join(owner) in SHARED
    others = elsewhere.get(SHARED[".".join(owner)] if known else f"{kind.__module__}.{kind.__qualname__}", {})
    twin = others.get(whole if known and owner != ("scale",) else inner)
    comment = key.comment or (twin.comment if twin else "")
    unit = UNIT.match(comment)
    device = DEVICE.match(str(key.value))
    accepts = "" if device else _accepts(kind, inner)
    meaning = _meaning(comment[unit.end() :] if unit else comment, accepts)
    if device and not meaning:
        meaning = f"the backend's {device[1]}"
    default = override_of("", key.value).removeprefix("=")
    return KeyHelp(".".join(whole), default, unit[1] if unit else "", accepts, meaning)


def _meaning(comment: str, accepts: str) -> str:
    """Explanation without a list of choices that the declaration already has: `| cosine: ...`, `rate | max`."""
    options = set(re.split(r", | or ", accepts.removeprefix("one of ")))
    return "" if set(filter(None, re.split(r"[| ,]+", comment))) <= options else comment.lstrip("| ")


def _accepts(kind: type[Record], path: Path) -> str:
    """Permitted values of a key, in words; "" for keys inside a field that is a section, which are not declared."""
    hint = hints_of(kind).get(path[0])
    if hint is None or len(path) > 1 or "Mapping" in str(hint) or hint is Any:
        return ""
    return hint_words(hint)
