"""Composing a configuration with Hydra, and saying in sentences why one cannot be composed."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import yaml
from hydra import compose, initialize_config_module
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from neurobench.config.errors import ConfigError, did_you_mean
from neurobench.config.hydra_section import hydra_faults, is_hydra
from neurobench.config.sections import unknown_key
from neurobench.config.targets import config_packages

GROUPS = ("model", "dataset", "encoder", "backend", "scale", "logger", "experiment")
Composer = Callable[[Sequence[str]], DictConfig]


def _paper(full: Any, cut: Any, *, _root_: DictConfig) -> Any:
    """`${paper:FULL,CUT}` in a YAML file: FULL at scale=paper, CUT at every smaller scale."""
    return full if _root_.scale.name == "paper" else cut


def _case(value: str, choices: dict[str, Any], otherwise: Any = KeyError) -> Any:
    """`${case:VALUE,{A:X,B:Y},Z}` in a YAML file: X where VALUE is A, Y where it is B, else Z."""
    if value not in choices and otherwise is KeyError:
        raise ValueError(f"{value} is none of {', '.join(choices)}")
    return choices.get(value, otherwise)


OmegaConf.register_new_resolver("paper", _paper, replace=True)
OmegaConf.register_new_resolver("case", _case, replace=True)


@cache
def matrix_cells() -> tuple[str, ...]:
    """Make the experiments of conf/matrix known to Hydra and return their names. A file holds several: its key `mnist`
    in `qrbm.yaml` is experiment=matrix_qrbm_mnist."""
    names = []
    for package in config_packages():
        folder = files(package).joinpath("matrix")
        for file in folder.iterdir() if folder.is_dir() else ():
            for dataset, cell in yaml.safe_load(file.read_text()).items():
                name = f"matrix_{file.name.removesuffix('.yaml')}_{dataset}"
                node = {"name": name + "_${backend.name}", **cell}
                ConfigStore.instance().store(name, node, "experiment", "_global_", package)
                names.append(name)
    return tuple(names)


def before_composing(overrides: Sequence[str]) -> None:
    """To be called before Hydra composes. It reads the matrix only where an experiment is chosen: that takes 0.1 s."""
    if any("experiment" in word for word in overrides):
        matrix_cells()


def folders(config_dir: str | None = None) -> list[str]:
    """Where Hydra looks for YAML files besides our own: a user's folder, then plugins'."""
    return [*([f"file://{config_dir}"] if config_dir else []), *(f"pkg://{name}" for name in config_packages()[1:])]


def searchpath(config_dir: str | None = None) -> list[str]:
    """The override that says so to Hydra."""
    extra = folders(config_dir)
    return [f"hydra.searchpath=[{','.join(extra)}]"] if extra else []


@contextmanager
def composer(config_dir: str | None = None) -> Iterator[Composer]:
    """Within it, call it with overrides to get a composed, unresolved configuration, without Hydra's own section.

    A call raises ConfigError where that section is not what the command line made it.
    """
    own: dict[tuple[str, ...], dict[str, Any]] = {}  # overrides for Hydra itself -> its section with these alone

    def section(words: Sequence[str], path: Sequence[str]) -> tuple[DictConfig, dict[str, Any]]:
        try:
            config = compose("config", overrides=[*path, *words], return_hydra_config=True)
        except yaml.YAMLError as error:
            raise ConfigError([" ".join(str(error).split())]) from None
        found = OmegaConf.to_container(config.hydra, resolve=False)
        return config, cast(dict[str, Any], found)

    def checked(overrides: Sequence[str]) -> DictConfig:
        before_composing(overrides)
        config, found = section(overrides, searchpath(config_dir))
        words = tuple(word for word in overrides if is_hydra(word))
        if words not in own:
            own[words] = section(words, searchpath())[1]
        faults = hydra_faults(found, own[words], folders(config_dir))
        if faults:
            raise ConfigError(faults)
        return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])

    with initialize_config_module("neurobench.conf", version_base="1.3", job_name="neurobench"):
        yield checked


def choices(group: str, config_dir: str | None = None) -> list[str]:
    """The YAML files of a group: ours, plugins' and those of a user's own folder."""
    places: list[Any] = [files(package) for package in config_packages()]
    if config_dir:
        places.append(Path(config_dir))
    found = {
        entry.name for place in places if place.joinpath(group).is_dir() for entry in place.joinpath(group).iterdir()
    }
    names = [name.removesuffix(".yaml") for name in found if name.endswith(".yaml")]
    return sorted([*names, *matrix_cells()] if group == "experiment" else names)


def explain(
    overrides: Sequence[str], config_dir: str | None = None, several: bool = False
) -> tuple[list[str], DictConfig | None]:
    """Why overrides do not compose: every fault as a sentence, and what composes without the faulty ones.

    `several`: of a multirun, where a key may have a list of values; the first one stands for all.
    """
    faults: list[str] = []
    good: list[str] = []
    with composer(config_dir) as compose_:
        for text in overrides:
            parsed = _parse(text)
            if parsed is None:
                faults.append(f"'{text}' is not an override: write key=value.")
                continue
            fault = _choice_fault(parsed, config_dir) or (None if several else _sweep_fault(parsed))
            if fault:
                faults.append(fault)
            elif _is_choice(parsed):
                good.append(_first_value(parsed))
        # The keys that exist depend on the groups that are chosen, so groups come first.
        config = _try(compose_, good, faults)
        for text in overrides:
            override = _parse(text)
            if config is None or override is None or _is_choice(override):
                continue
            if not several and override.is_sweep_override():
                continue
            fault = _key_fault(override, config)
            if fault:
                faults.append(fault)
            else:
                longer = [*good, _first_value(override)]
                composed = _try(compose_, longer, faults)
                if composed is not None:
                    good, config = longer, composed
    return faults, config


def _is_choice(override: Override) -> bool:
    """Whether it picks a file of a group, one of ours or one of Hydra's (hydra/launcher)."""
    group = override.key_or_group.split("@")[0]
    return group in GROUPS or group.startswith("hydra/")


def _parse(text: str) -> Override | None:
    try:
        return OverridesParser.create().parse_override(text)
    except HydraException:
        return None


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") + "."


def _try(compose_: Composer, overrides: Sequence[str], faults: list[str]) -> DictConfig | None:
    try:
        return compose_(overrides)
    except (HydraException, OmegaConfBaseException) as error:
        faults.append(_first_line(error))
        return None


def _sweep_fault(override: Override) -> str | None:
    if not override.is_sweep_override():
        return None
    return f"{override.input_line} gives {override.key_or_group} several values: add -m to run each of them."


def _first_value(override: Override) -> str:
    """The override itself, or the first of the list that it sweeps over."""
    assert override.input_line is not None
    if not override.is_sweep_override():
        return override.input_line
    return f"{override.get_key_element()}={next(override.sweep_string_iterator())}"


def _values(override: Override) -> list[Any]:
    if override.is_sweep_override():
        return list(override.sweep_iterator())
    return [override.value()]


def _choice_fault(override: Override, config_dir: str | None) -> str | None:
    """A group is given a choice that is not there."""
    group = override.key_or_group.split("@")[0]
    if not _is_choice(override) or override.is_delete():
        return None
    if group in GROUPS:
        known = choices(group, config_dir)
    else:
        known = sorted(GlobalHydra.instance().config_loader().get_group_options(group))
    for value in _values(override):
        if value is not None and str(value) not in known and not isinstance(value, list):
            there = ", ".join(known)
            return f"{group}={value}: there is no such {group}; there is {there}.{did_you_mean(str(value), known)}"
    return None


def _key_fault(override: Override, config: DictConfig) -> str | None:
    """A key is set that the composed configuration does not have."""
    key = override.key_or_group
    if override.is_delete() or key.startswith("hydra") or override.is_add() or override.is_force_add():
        return None
    here: Any = config
    parts = key.split(".")
    for depth, part in enumerate(parts):
        if not isinstance(here, DictConfig) or part not in here:
            owner = ".".join(parts[:depth])
            known = [str(name) for name in here] if isinstance(here, DictConfig) else []
            if not owner:
                known += [group for group in GROUPS if group not in known]
            return unknown_key(key, owner, part, known, cast(dict, OmegaConf.to_container(config, resolve=False)))
        here = OmegaConf.select(here, part, throw_on_missing=False)
    return None
