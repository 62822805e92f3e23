"""Which classes a configuration may name: an exact allow-list.

Hydra's `instantiate` calls whatever a `_target_` names, `builtins.open` as readily as a model. Here a target is a
dataclass that is defined below `neurobench.`, or one that an installed package lists by its exact name in the
entry-point group `neurobench.plugins`.

A device may also wrap a class of another package (any `dimod.Sampler`). Such a class is allowed where neurobench
lists it, where an installed package lists it in the same group, or where the person at the keyboard allows its package:

    NEUROBENCH_ALLOW=dwave.system,dynex neurobench run ...

It is an environment variable and no key, so that a configuration from elsewhere cannot allow itself anything.
"""

import dataclasses
import importlib
import importlib.util
import os
from collections.abc import Sequence
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from neurobench.config.errors import UserError, did_you_mean, not_installed

PLUGINS = "neurobench.plugins"
PLUGIN_CONFIGS = "neurobench.configs"
ALLOW = "NEUROBENCH_ALLOW"


class TargetRefused(Exception):
    """The sentence that says why a target is refused."""


@cache
def plugin_targets() -> dict[str, str]:
    """Exact dotted name of each class that installed plugins offer -> the distribution that offers it."""
    found = {}
    for point in entry_points(group=PLUGINS):
        found[point.value.replace(":", ".")] = point.dist.name if point.dist else "?"
    return found


@cache
def config_packages() -> tuple[str, ...]:
    """Packages that hold YAML files: our own first, then each plugin's."""
    return ("neurobench.conf", *sorted(point.value for point in entry_points(group=PLUGIN_CONFIGS)))


def find_target(path: Any) -> type:
    """The dataclass that a `_target_` names. Raises TargetRefused."""
    if not isinstance(path, str) or not all(part.isidentifier() for part in path.split(".")) or "." not in path:
        raise TargetRefused(f"_target_={path!r} is not the dotted name of a class")
    if not path.startswith("neurobench.") and path not in plugin_targets():
        raise TargetRefused(
            f"_target_={path} is not allowed: only classes of neurobench itself, and classes that an installed "
            f"package lists in the entry-point group {PLUGINS}, may be named in a configuration."
        )
    module_name, _, name = path.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise TargetRefused(f"_target_={path}: there is no module {error.name}.") from None
    target = getattr(module, name, None)
    classes = [key for key, value in vars(module).items() if _is_own_dataclass(value, module_name)]
    if not _is_own_dataclass(target, module_name):
        raise TargetRefused(
            f"_target_={path}: {module_name} offers {', '.join(classes) or 'no class'}.{did_you_mean(name, classes)}"
        )
    assert isinstance(target, type)
    return target


def outside_fault(path: str, ours: Sequence[str]) -> str | None:
    """Why a class of another package may not be named ("=x.Y is not allowed: ..."), or None. `ours` may be."""
    if not all(part.isidentifier() for part in path.split(".")) or "." not in path:
        return f"={path!r} is not the dotted name of a class"
    packages = [name.strip() for name in os.environ.get(ALLOW, "").split(",") if name.strip()]
    listed = [*ours, *plugin_targets()]
    if path not in listed and not any(path.startswith(f"{package}.") for package in packages):
        return (
            f"={path} is not allowed: there is {', '.join(ours)}; besides these, classes that an installed package "
            f"lists in the entry-point group {PLUGINS}, and those of packages that the environment variable {ALLOW} "
            f"names.{did_you_mean(path, listed)}"
        )
    return None


def is_installed(module: str) -> bool:
    """Whether a module can be imported; only the packages above it are."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def import_extra(module: str, extra: str, owner: str) -> Any:
    """The module that `owner` needs. Raises UserError that names the extra where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(not_installed(owner, error.name or module, extra)) from error


def _is_own_dataclass(value: Any, module_name: str) -> bool:
    return isinstance(value, type) and dataclasses.is_dataclass(value) and value.__module__ == module_name
