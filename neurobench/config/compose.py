"""Composition of a configuration with Hydra, and sentences on why one cannot be composed."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import product
from typing import Any, cast

from hydra import initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from neurobench.config.composed_cache import composed
from neurobench.config.errors import ConfigError
from neurobench.config.hydra_section import hydra_faults, is_hydra, missing_plugin
from neurobench.config.overrides import keep_texts, override_of, parse_word, read_words, sweep_fault, values_of
from neurobench.config.sections import HEADER, unknown_key
from neurobench.config.sources import OWN, SCHEME, matrix_cells, register_sources
from neurobench.config.suggestions import offered, own_file, word_faults
from neurobench.config.targets import config_packages, config_places, own_folders

GROUPS_OF_SEVERAL = ("logger", "experiment")  # may have several choices, or none
GROUPS = ("model", "dataset", "encoder", "backend", "scale", "logger", "experiment")
Composer = Callable[[Sequence[str]], DictConfig]
_HYDRA = threading.RLock()  # Hydra has one state for all threads


def _paper(full: Any, cut: Any, *, _root_: DictConfig) -> Any:
    """Resolver of `${paper:FULL,CUT}` in a YAML file: FULL at scale=paper, CUT at every smaller scale."""
    return full if _root_.scale.name == "paper" else cut


def _case(value: str, choices: dict[str, Any], otherwise: Any = KeyError) -> Any:
    """Resolver of `${case:VALUE,{A:X,B:Y},Z}` in a YAML file: X if VALUE is A, Y if it is B, else Z."""
    if value not in choices and otherwise is KeyError:
        raise ValueError(f"{value} is not one of {', '.join(choices)}")
    return choices.get(value, otherwise)


def _env(name: str, otherwise: str) -> str:
    """Resolver of `${env:NAME,OTHER}` in a YAML file: the environment variable; OTHER if it is unset or empty."""
    return os.environ.get(name) or otherwise


OmegaConf.register_new_resolver("env", _env, replace=True)
OmegaConf.register_new_resolver("paper", _paper, replace=True)
OmegaConf.register_new_resolver("case", _case, replace=True)


def folders(config_dir: str | None = None) -> list[str]:
    """Places of YAML files that Hydra searches besides this package: a user's folder, own code's, then plugins'."""
    urls = [f"{OWN}://{folder}" for folder in own_folders(config_dir)]
    return [*urls, *(f"{SCHEME}://{name}" for name in config_packages()[1:])]


def searchpath(places: Sequence[str]) -> list[str]:
    """Override that makes these places Hydra's search path; none if there are none."""
    return [override_of("hydra.searchpath", list(places))] if places else []


@cache
def _section_of(words: tuple[str, ...]) -> dict[str, Any]:
    """Hydra's section as composed from the overrides for it alone, without any user file."""
    return composed([*_plugins(), *words], reusable=True)[1]


def _plugins() -> list[str]:
    return searchpath([f"{SCHEME}://{name}" for name in config_packages()[1:]])


@contextmanager
def composer(config_dir: str | None = None) -> Iterator[Composer]:
    """Context manager: yields a function from overrides to a composed, unresolved configuration, without Hydra's
    section.

    A call raises ConfigError if that section is not what the command line made it.
    """

    def checked(overrides: Sequence[str]) -> DictConfig:
        others = folders(config_dir)
        aside = [word for word in overrides if _is_folder(word, config_dir)]
        words = [*searchpath(others), *(word for word in overrides if word not in aside)]
        config, section = composed(words, reusable=not own_folders(config_dir))
        # If only files of this package take part, the section is what the command line made it.
        alone = _section_of(tuple(word for word in overrides if is_hydra(word))) if others else section
        faults = hydra_faults(section, alone, others)
        if faults:
            raise ConfigError(faults)
        for word in aside:
            set_value(config, word)
        return keep_texts(config, overrides)

    register_sources()
    with _HYDRA, initialize_config_module("neurobench.conf", version_base="1.3", job_name="neurobench"):
        yield checked


def _is_folder(word: str, config_dir: str | None) -> bool:
    """Whether a user's own folder contains a folder named like the key: Hydra would take outputs=elsewhere for a choice
    of a group if ./outputs lies next to model/mine.yaml."""
    key = word.partition("=")[0]
    places = own_folders(config_dir) if key.isidentifier() and key not in GROUPS else []
    return any(place.joinpath(key).is_dir() for place in places)


def set_value(config: DictConfig, word: str) -> None:
    """Set a plain value on a composed configuration, as Hydra itself sets such values last."""
    override = OverridesParser.create().parse_override(word)
    OmegaConf.update(config, override.key_or_group, override.value(), merge=True)
    keep_texts(config, [word])


def read(words: Sequence[str], config_dir: str | None = None) -> list[str]:
    """Read the overrides of a command line into the form that the other functions here accept."""
    return read_words(words, lambda group: choices(group, config_dir))


def choices(group: str, config_dir: str | None = None) -> list[str]:
    """Names of a group's YAML files: those of this package, of plugins and of a user's own folders."""
    groups = [place.joinpath(group) for place in config_places(config_dir)]
    entries = {entry.name for folder in groups if folder.is_dir() for entry in folder.iterdir()}
    names = [name.removesuffix(".yaml") for name in entries if name.endswith(".yaml")]
    cells = [name for package in config_packages() for name in matrix_cells(package)]
    return sorted([*names, *cells] if group == "experiment" else names)


def all_choices(config_dir: str | None = None) -> dict[str, list[str]]:
    return {group: choices(group, config_dir) for group in GROUPS}


def explain(
    overrides: Sequence[str], config_dir: str | None = None, several: bool = False
) -> tuple[list[str], DictConfig | None]:
    """Explain why overrides do not compose: every fault as a sentence, and the configuration without the faulty ones.

    `several`: for a multirun, where a key may have several values. Choices of groups are tried in turn, until the
    overrides do not compose with one; for any other key the first value represents all.
    """
    parsed: list[Override] = []
    faults, words = word_faults(overrides, lambda: all_choices(config_dir))
    with composer(config_dir) as compose_:
        for override in filter(None, map(parse_word, words)):
            if fault := _values_fault(override, several) or _choice_fault(override, config_dir):
                faults.append(fault)
            else:
                parsed.append(override)
        # The keys that exist depend on the groups that are chosen, so groups come first.
        others = [override for override in parsed if not _is_choice(override)]
        swept = [override for override in parsed if _is_choice(override)]
        first: DictConfig | None = None
        for number, choice in enumerate(product(*map(values_of, swept))):
            of_choice, config = _explained(compose_, choice, others)
            if number == 0:
                faults += of_choice
                first = config
            else:  # the first choices do compose
                chosen = [word for word, override in zip(choice, swept, strict=True) if override.is_sweep_override()]
                faults += [f"{' '.join(chosen)}: {fault}" for fault in of_choice]
            if faults:
                break
    return faults, first


def _explained(
    compose_: Composer, choice: Sequence[str], others: Sequence[Override]
) -> tuple[list[str], DictConfig | None]:
    """Result of `explain` for one choice of groups and the other overrides."""
    faults: list[str] = []
    good = list(choice)
    config = _try(compose_, good, faults)
    if config is None:
        return faults, None
    sound = []
    for override in others:
        if fault := _key_fault(override, config):
            faults.append(fault)
        else:
            sound.append(next(values_of(override)))
    whole = _try(compose_, [*good, *sound], [])
    for word in sound if whole is None else ():  # which of them does not compose?
        composed = _try(compose_, [*good, word], faults)
        if composed is not None:
            good, config = [*good, word], composed
    return faults, whole or config


def altered(overrides: Sequence[str], config_dir: str | None = None) -> str | None:
    """Note for a user who chooses an experiment and replaces its model, data set or backend; or None."""
    parsed = [override for word in overrides if (override := parse_word(word))]
    chosen = {
        override.key_or_group: str(override.value())
        for override in parsed
        if _is_choice(override) and not override.is_sweep_override() and not override.is_delete()
    }
    name = chosen.get("experiment")
    if (
        name is None
        or name not in choices("experiment", config_dir)
        or not {"model", "dataset", "backend"} & set(chosen)
    ):
        return None
    with composer(config_dir) as compose_:
        alone = compose_([f"experiment={name}"])
    open_groups = (alone.table or {}).get("over") or ()
    for group in ("model", "dataset", "backend"):
        made_of, chosen_name = str(alone[group].name), chosen.get(group, "")
        if chosen_name and chosen_name != made_of and group not in open_groups:
            meant = f"{name}_{chosen_name}"
            hint = f" Did you mean experiment={meant}?" if meant in choices("experiment", config_dir) else ""
            return (
                f"experiment={name} has {group}={made_of}: with {group}={chosen_name} it is a different setting, which "
                f"no table counts as that experiment.{hint}"
            )
    return None


def _is_choice(override: Override) -> bool:
    """Whether an override selects a file of a group, of this package or of Hydra (hydra/launcher)."""
    group = override.key_or_group.split("@")[0]
    return group in GROUPS or group.startswith("hydra/")


def _first_line(error: Exception) -> str:
    """First lines of the error and of the one it wraps: Hydra names the override, OmegaConf says what is wrong."""
    wrapped = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else None
    lines = [str(each).splitlines()[0].rstrip(".") for each in (error, wrapped) if str(each or "")]
    return ": ".join(dict.fromkeys(lines)) + "." + (HEADER if "@experiment." in lines[0] else "")


def _try(compose_: Composer, overrides: Sequence[str], faults: list[str]) -> DictConfig | None:
    try:
        return compose_(overrides)
    except (HydraException, OmegaConfBaseException) as error:
        faults.append(_first_line(error))
        return None


def _values_fault(override: Override, several: bool) -> str | None:
    if not override.is_sweep_override():
        return None
    fault = sweep_fault(override)
    if fault is None and not several:
        given = f"{override.input_line} gives {override.key_or_group} several values"
        fault = f"{given}: add -m, or sweep, to run each of them."
    return fault


def _choice_fault(override: Override, config_dir: str | None) -> str | None:
    """Sentence if an override gives a group a choice that does not exist, else None."""
    group = override.key_or_group.split("@")[0]
    if not _is_choice(override) or override.is_delete():
        return None
    if group in GROUPS:
        known = choices(group, config_dir)
    else:
        known = sorted(GlobalHydra.instance().config_loader().get_group_options(group))
    for value in list(override.sweep_iterator()) if override.is_sweep_override() else [override.value()]:
        if isinstance(value, list) and group not in GROUPS_OF_SEVERAL:
            return f"{group}={override_of('', value)[1:]}: a run has one {group}, not a list."
        for name in value if isinstance(value, list) else [value]:
            if str(name) not in known:
                lack = f"{group} cannot be null" if name is None else f"there is no such {group}"
                more = own_file(group, name) or missing_plugin(group, str(name))
                return f"{override_of(group, name)}: {lack}; {offered(str(name), known)}{more}"
    return None


def _key_fault(override: Override, config: DictConfig) -> str | None:
    """Sentence if an override sets a key that the composed configuration does not have, else None."""
    key = override.key_or_group
    if override.is_delete() or key.startswith("hydra") or override.is_add() or override.is_force_add():
        return None
    here: Any = config
    parts = key.split(".")
    for depth, part in enumerate(parts):
        if not isinstance(here, DictConfig) or part not in here:
            owner = ".".join(parts[:depth])
            if here is None:
                return f"{key}: {owner} is null, not a section of keys. To make it one: +{override.input_line}"
            known = [str(name) for name in here] if isinstance(here, DictConfig) else None
            if known is not None and not owner:
                known += [group for group in GROUPS if group not in known]
            return unknown_key(key, owner, part, known, cast(dict, OmegaConf.to_container(config, resolve=False)))
        here = OmegaConf.select(here, part, throw_on_missing=False)
    return None
