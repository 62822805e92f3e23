"""Checks of Hydra's section before Hydra acts on it: its callbacks, loggers and launchers are created by class
name, and its job may set the environment, so whoever writes that section runs code.

Only the command line may: changes to it in a YAML file are refused. And of the settings on the command line, only those
of sweeps and their launchers are supported; runs have their own folders and logs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper

from neurobench.config.resolve import MACHINERY

Section = dict[str, Any]

QUIET = {"version": 1, "root": None, "disable_existing_loggers": False}
# Key -> its value in conf/config.yaml, and why it is fixed.
FIXED: dict[str, tuple[Any, str]] = {
    "callbacks": ({}, "logger=... is the only way to follow a run"),
    "job_logging": (QUIET, "a run logs to run.log in its folder"),
    "hydra_logging": (QUIET, "a run logs to run.log in its folder"),
    "env": ({}, "set environment variables in the shell"),
    "job.env_set": ({}, "set environment variables in the shell"),
    "job.env_copy": ([], "set environment variables in the shell"),
    "job.chdir": (False, "a run stays in the folder in which it was started"),
    "run.dir": (".", "runs are stored below outputs=FOLDER"),
    "output_subdir": (None, "runs are stored below outputs=FOLDER"),
    "sweep.subdir": ("${hydra.job.num}", "runs are stored below outputs=FOLDER"),
}
COMPARED = (*{key.partition(".")[0] for key in FIXED}, "sweep", "launcher", "sweeper", "searchpath", "mode", "verbose")
COMPUTED = ("job.override_dirname", "job.id", "job.num")  # by Hydra, from the overrides
# Launcher of a Hydra plugin -> the extra that installs it.
EXTRAS = {
    "joblib": "joblib",
    "submitit_slurm": "slurm",
    "submitit_local": "slurm",
    "ray": "hydra-ray",
    "ray_aws": "hydra-ray",
}
PLUGINS = {"launcher": Launcher, "sweeper": Sweeper}


def is_hydra(override: str) -> bool:
    """Whether an override is for Hydra itself: hydra.sweep.dir=..., hydra/launcher=..."""
    return re.match(r"^[+~]*hydra[./]", override) is not None


def missing_plugin(group: str, name: str) -> str:
    """Hint with " pip install ..." for a launcher whose plugin is not installed, else ""."""
    if group != "hydra/launcher" or name not in EXTRAS:
        return ""
    return f" {name} comes with its plugin: in a checkout, pip install -e '.[{EXTRAS[name]}]'"


def hydra_faults(section: Section, by_command_line: Section, searchpath: Sequence[str]) -> list[str]:
    """Reasons why Hydra may not act on a section. `by_command_line`: the section composed from the overrides for Hydra
    alone, without any experiment or folder of the user's; `searchpath`: the folders that may be in it."""
    known = {**by_command_line, "searchpath": list(searchpath)}
    faults = [
        f"hydra.{key} is set by a YAML file: only the command line may change how Hydra itself works"
        for name in COMPARED
        for key in _differing(section.get(name), known.get(name), name)
        if key not in COMPUTED
    ]
    for key, (value, reason) in FIXED.items():
        if not faults and _select(by_command_line, key) != value:
            faults.append(f"hydra.{key} cannot be set: {reason}")
    return faults or [fault for group in PLUGINS for fault in _plugin_faults(group, section.get(group) or {})]


def _plugin_faults(group: str, values: Section) -> Iterator[str]:
    target = values.get("_target_")
    if target not in _installed(group):
        yield f"hydra.{group}={target} is not an installed Hydra plugin"
    for path in _machinery(values):
        if path != "_target_":
            yield f"hydra.{group}.{path}: only an installed Hydra plugin may name a class here"


@cache
def _installed(group: str) -> frozenset[str]:
    classes = Plugins.instance().discover(PLUGINS[group])
    return frozenset(f"{each.__module__}.{each.__qualname__}" for each in classes)


def _machinery(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            where = f"{path}.{key}" if path else str(key)
            if MACHINERY.match(str(key)):
                yield where
            yield from _machinery(item, where)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _machinery(item, f"{path}.{number}")


def _differing(one: Any, other: Any, path: str) -> Iterator[str]:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in {**one, **other}:
            yield from _differing(one.get(key), other.get(key), f"{path}.{key}")
    elif one != other:
        yield path


def _select(section: Section, key: str) -> Any:
    value: Any = section
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
