"""Which classes a configuration may name: an exact allow-list.

A `_target_` is the dotted name of a spec (`neurobench.config.spec.Spec`): one that is defined in the room of its kind
below `neurobench.`, one that an installed package lists by its exact name in the entry-point group
`neurobench.plugins`, or one of a package or module that the person at the keyboard allows, which may lie in the folder
where the command is typed:

    NEUROBENCH_ALLOW=mymodel neurobench run --config-dir . model=mymodel

It is made from plain values by `find_target(...)(**fields)`; nothing else in a configuration can name code.

A device may also wrap a class of another package (any `dimod.Sampler`), under the same conditions:

    NEUROBENCH_ALLOW=dwave.system,dynex neurobench run ...

It is an environment variable and no key, so that a configuration from elsewhere cannot allow itself anything; for the
same reason it is read once, before any configuration.
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from neurobench.config.errors import UserError, did_you_mean, not_installed
from neurobench.config.spec import Spec

PLUGINS = "neurobench.plugins"
PLUGIN_CONFIGS = "neurobench.configs"
ALLOW = "NEUROBENCH_ALLOW"
ALLOWED = tuple(name.strip() for name in os.environ.get(ALLOW, "").split(",") if name.strip())

# Kind of section -> the room whose classes it may name.
ROOMS = {
    "model": "neurobench.models.",
    "device": "neurobench.devices.",
    "dataset": "neurobench.data.",
    "encoder": "neurobench.data.",
    "tracker": "neurobench.experiment.trackers.",
}


class TargetRefused(Exception):
    """The sentence that says why a target is refused."""


@cache
def plugin_targets() -> dict[str, str]:
    """Exact dotted name of each class that installed plugins offer -> the distribution that offers it."""
    points = entry_points(group=PLUGINS)
    return {point.value.replace(":", "."): point.dist.name if point.dist else "?" for point in points}


@cache
def config_packages() -> tuple[str, ...]:
    """Packages that hold YAML files: our own first, then each plugin's that can be imported."""
    broken = broken_plugins()
    for name, sentence in broken.items():
        print(f"plugin {name} is left out: {sentence}", file=sys.stderr)
    points = {point.value for point in entry_points(group=PLUGIN_CONFIGS)}
    return ("neurobench.conf", *sorted(points - set(broken)))


@cache
def broken_plugins() -> dict[str, str]:
    """Package of YAML files that an installed plugin names and that cannot be imported -> why not, in words."""
    broken = {}
    for point in entry_points(group=PLUGIN_CONFIGS):
        package = point.value
        try:
            importlib.import_module(package)
        except Exception as error:  # whatever somebody else's code raises
            owner = point.dist.name if point.dist else "?"
            broken[package] = f"{type(error).__name__}: {error} (pip uninstall {owner}, or repair it)"
    return broken


def find_target(path: Any, kind: str, base: type[Spec]) -> type[Spec]:
    """The spec that a `_target_` names in a section of this kind. Raises TargetRefused.

    `base`: the class that specs of the kind derive from.
    """
    if not isinstance(path, str) or not _is_dotted_name(path):
        raise TargetRefused(f"_target_={path!r} is not the dotted name of a class")
    if not path.startswith("neurobench.") and not _is_allowed(path):
        raise TargetRefused(
            f"_target_={path} is not allowed: only classes of neurobench itself, classes that an installed package "
            f"lists in the entry-point group {PLUGINS}, and those of modules that the environment variable {ALLOW} "
            f"names. If the code is yours: {ALLOW}={path.partition('.')[0]} neurobench ..."
        )
    if path.startswith("neurobench.") and not path.startswith(ROOMS[kind]):
        raise TargetRefused(f"_target_={path} is no {kind}: neurobench's own are found below {ROOMS[kind][:-1]}.")
    module_name, _, name = path.rpartition(".")
    if ALLOWED and (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)  # last, so that nothing in the folder can stand in for an installed package
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise TargetRefused(f"_target_={path}: there is no module {error.name}.") from None
    except Exception as error:  # whatever somebody else's code raises
        fault = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise TargetRefused(f"_target_={path}: its module cannot be imported ({fault}).") from None
    target = getattr(module, name, None)
    if not _is_defined_in(target, module_name, base):
        offered = [key for key, value in vars(module).items() if _is_defined_in(value, module_name, base)]
        raise TargetRefused(
            f"_target_={path}: {module_name} offers {', '.join(offered) or f'no {kind}'}.{did_you_mean(name, offered)}"
        )
    assert isinstance(target, type)
    return target


def load(path: str) -> Any:
    """The function or class that a spec names in its code (`opens`, `figures`, ...), never one that YAML names."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def outside_fault(path: str, ours: Sequence[str]) -> str | None:
    """Why a class of another package may not be named ("=x.Y is not allowed: ..."), or None. `ours` may be."""
    if not _is_dotted_name(path):
        return f"={path!r} is not the dotted name of a class"
    listed = [*ours, *plugin_targets()]
    if path not in ours and not _is_allowed(path):
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


def _is_allowed(path: str) -> bool:
    return path in plugin_targets() or any(path.startswith(f"{package}.") for package in ALLOWED)


def _is_dotted_name(path: str) -> bool:
    return "." in path and all(part.isidentifier() for part in path.split("."))


def _is_defined_in(value: Any, module_name: str, base: type[Spec]) -> bool:
    return isinstance(value, type) and issubclass(value, base) and value.__module__ == module_name and value is not base
