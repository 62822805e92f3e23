"""Allow-list of the exact classes that a configuration may name.

A `_target_` is the dotted name of a spec (`neurobench.config.spec.Spec`): one that is defined in the subpackage of its
kind below `neurobench.`, one that an installed package lists by its exact name in the entry-point group
`neurobench.plugins`, or one of a package or module that the user allows: by name, and then it may lie in the current
folder, or by file, and then YAML files in that file's folder are read too:

    NEUROBENCH_ALLOW=mymodel neurobench run --config-dir . model=mymodel
    neurobench run --plugin mymodel.py model=mymodel

A spec is created from plain values by `find_target(...)(**fields)`; nothing else in a configuration can name code.

A device may also wrap a class of another package (any `dimod.Sampler`), under the same conditions:

    NEUROBENCH_ALLOW=dwave.system,dynex neurobench run ...

This is an environment variable or an option, not a key, so that a configuration from elsewhere cannot allow itself
anything; for the same reason the variable is read once, before any configuration. `--plugin FILE.py` is equivalent to
the file's path in the variable, which the workers of a sweep inherit.
"""

import importlib
import importlib.util
import keyword
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import Any

from neurobench.config.errors import UserError, did_you_mean, not_installed
from neurobench.config.spec import Spec

PLUGINS = "neurobench.plugins"
PLUGIN_CONFIGS = "neurobench.configs"
ALLOW = "NEUROBENCH_ALLOW"
_WORDS = tuple(word.strip() for word in os.environ.get(ALLOW, "").split(",") if word.strip())
ALLOWED = tuple(word for word in _WORDS if not word.endswith(".py"))  # modules and packages by name
PLUGIN_FILES: dict[str, Path] = {}  # module -> its file, if allowed by file
LEFT_OUT: list[str] = []  # reasons why files named in the variable are not allowed

# Kind of section -> the subpackage whose classes it may name.
ROOMS = {
    "model": "neurobench.models.",
    "device": "neurobench.devices.",
    "dataset": "neurobench.data.",
    "encoder": "neurobench.data.",
    "tracker": "neurobench.experiment.trackers.",
}


class TargetRefused(Exception):
    """Error with the sentence that says why a target is refused."""


@cache
def plugin_targets() -> dict[str, str]:
    """Exact dotted name of each class that installed plugins offer -> the distribution that offers it."""
    points = entry_points(group=PLUGINS)
    return {point.value.replace(":", "."): point.dist.name if point.dist else "?" for point in points}


@cache
def config_packages() -> tuple[str, ...]:
    """Packages that contain YAML files: that of neurobench first, then each plugin's that can be imported."""
    broken = broken_plugins()
    for name, sentence in broken.items():
        print(f"plugin {name} is left out: {sentence}", file=sys.stderr)
    points = {point.value for point in entry_points(group=PLUGIN_CONFIGS)}
    return ("neurobench.conf", *sorted(points - set(broken)))


def config_places(config_dir: str | None = None) -> list[Any]:
    """Folders that contain YAML files: those of packages, those of the allowed files, and a user's own."""
    return [*(files(package) for package in config_packages()), *own_folders(config_dir)]


def own_folders(config_dir: str | None = None) -> list[Path]:
    """Folders of YAML files outside packages: a user's own, and those of the allowed files (model/mine.yaml next to
    mine.py)."""
    plugins = [path.parent for path in PLUGIN_FILES.values()]
    return list(dict.fromkeys([*([Path(config_dir)] if config_dir else []), *plugins]))


def own_options(config_dir: str | None = None) -> list[str]:
    """Options with which a command finds the same YAML files and code: a user's folder and the allowed files."""
    folder = [f"--config-dir={config_dir}"] if config_dir else []
    return [*folder, *(f"--plugin={path}" for path in PLUGIN_FILES.values())]


def in_python(module: str) -> str:
    """Python call that allows a file, as `--plugin` does on the command line."""
    return f'in Python nb.allow("{module}.py")'


@cache
def broken_plugins() -> dict[str, str]:
    """Package of YAML files that an installed plugin names and that cannot be imported -> the reason, in words."""
    broken = {}
    for point in entry_points(group=PLUGIN_CONFIGS):
        package = point.value
        try:
            importlib.import_module(package)
            if not files(package).joinpath("__init__.py").is_file():  # required by Hydra
                raise ImportError("the folder of its YAML files has no __init__.py")
        except Exception as error:  # third-party code may raise anything
            owner = point.dist.name if point.dist else "?"
            broken[package] = f"{type(error).__name__}: {error} (pip uninstall {owner}, or repair it)"
    return broken


def find_target(path: Any, kind: str, base: type[Spec]) -> type[Spec]:
    """Spec that a `_target_` names in a section of this kind. Raises TargetRefused.

    `base`: the class from which specs of the kind derive.
    """
    if not isinstance(path, str) or not _is_dotted_name(path):
        raise TargetRefused(f"_target_={path!r} is not the dotted name of a class")
    if not path.startswith("neurobench.") and not _is_allowed(path):
        raise TargetRefused(
            f"_target_={path} is not allowed: only classes of neurobench itself, classes that an installed package "
            f"lists in the entry-point group {PLUGINS}, and those of modules that the environment variable {ALLOW} "
            f"names. If the code is yours: {ALLOW}={path.partition('.')[0]} neurobench ..., or neurobench ... --plugin "
            f"{path.partition('.')[0]}.py, or {in_python(path.partition('.')[0])}"
        )
    if path.startswith("neurobench.") and not path.startswith(ROOMS[kind]):
        raise TargetRefused(f"_target_={path} is no {kind}: neurobench's are below {ROOMS[kind][:-1]}.")
    module_name, _, name = path.rpartition(".")
    if fault := import_fault(module_name):
        raise TargetRefused(f"_target_={path}: {fault}.")
    module = sys.modules[module_name]
    target = getattr(module, name, None)
    if not _is_defined_in(target, module_name, base):
        offered = [key for key, value in vars(module).items() if _is_defined_in(value, module_name, base)]
        raise TargetRefused(
            f"_target_={path}: {module_name} offers {', '.join(offered) or f'no {kind}'}.{did_you_mean(name, offered)}"
        )
    assert isinstance(target, type)
    return target


def load(path: str) -> Any:
    """Function or class that a spec names in its code (`opens`, `figures`, ...), never one that YAML names."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def outside_fault(path: str, ours: Sequence[str]) -> str | None:
    """Reason why a class of another package may not be named ("=x.Y is not allowed: ..."), or None. `ours` may be."""
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
    """Whether a module can be imported; only its parent packages are imported to find out."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def import_extra(module: str, extra: str, owner: str) -> Any:
    """Import the module that `owner` needs. Raises UserError that names the extra if it is not installed, or the
    package that fails if it is: amdsmi, which zeus-ml installs, breaks Ray's import if AMD's library is missing."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UserError(not_installed(owner, error.name or module, extra)) from error
    except Exception as error:  # a broken installation may raise anything
        frames = (str(frame.f_globals.get("__name__")) for frame, _ in traceback.walk_tb(error.__traceback__))
        packages = [name.partition(".")[0] for name in frames]
        culprit = next((name for name in reversed(packages) if name not in ("importlib", "neurobench")), module)
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise UserError(
            f"{owner} needs {module}, which is installed but cannot be imported: {reason}, in the package {culprit}. "
            f"Repair or uninstall {culprit}, or use an environment without it."
        ) from error


def import_fault(module: str) -> str | None:
    """Import a module and return the reason if that fails, else None. Only to be called with an allowed module."""
    search_here()
    # Bytecode is matched to its source by length and second: of two edits within a second the first would run again.
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, not module.startswith("neurobench.")
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        return f"there is no module {error.name}"
    except (Exception, SystemExit) as error:  # third-party code may raise anything
        return f"its module cannot be imported ({type(error).__name__}: {' '.join(str(error).split())})"
    finally:
        sys.dont_write_bytecode = before
    return None


def allow_file(text: str) -> None:
    """Allow the module in a file, in this process and in those that it starts. Raises UserError."""
    global ALLOWED
    path, before = Path(text).resolve(), list(sys.path)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # last, so that nothing in the folder can shadow an installed package
    if fault := _file_fault(path):
        sys.path[:] = before
        raise UserError(f"plugin {text}: {fault}")
    PLUGIN_FILES[path.stem] = path
    ALLOWED = tuple(dict.fromkeys([*ALLOWED, path.stem]))
    others = [word for word in os.environ.get(ALLOW, "").split(",") if word and Path(word.strip()).resolve() != path]
    os.environ[ALLOW] = ",".join([*others, str(path)])


def _file_fault(path: Path) -> str | None:
    if path.suffix != ".py" or not path.is_file():
        return "there is no such Python file"
    if not path.stem.isidentifier() or keyword.iskeyword(path.stem):
        return f"{path.stem!r} cannot be the name of a module: rename it, with letters, digits and underscores alone"
    if "," in str(path):
        return f"a comma separates the entries of {ALLOW}: move the file to a folder without one in its path"
    module = sys.modules.get(path.stem)
    installed = importlib.util.find_spec(path.stem) if module is None else None
    origin = installed.origin if installed else getattr(module, "__file__", None)
    if origin is None or Path(origin).resolve() != path:
        return f"Python has another module {path.stem} ({origin or 'built in'}) and would use that one: rename the file"
    return None


def own_code_findings() -> Iterator[tuple[bool, str]]:
    """Whether each module that the user allows can be imported, and where it lies."""
    yield from ((False, sentence) for sentence in LEFT_OUT)
    for name in ALLOWED:
        fault = import_fault(name)
        where = getattr(sys.modules.get(name), "__file__", None)
        yield fault is None, f"own code {name}: {fault or where or 'a package'}"


def search_here() -> None:
    """Add the current folder to the search path, since a module that is allowed by name may lie in it."""
    here = str(Path.cwd())
    if here not in sys.path and set(ALLOWED) - set(PLUGIN_FILES):
        sys.path.append(here)  # last, as above


def _is_allowed(path: str) -> bool:
    return path in plugin_targets() or any(path.startswith(f"{package}.") for package in ALLOWED)


def _is_dotted_name(path: str) -> bool:
    return "." in path and all(part.isidentifier() for part in path.split("."))


def _is_defined_in(value: Any, module_name: str, base: type[Spec]) -> bool:
    """Whether a value is a spec of the module itself. A class without `opens` only contains what others share."""
    return (
        isinstance(value, type)
        and issubclass(value, base)
        and value.__module__ == module_name
        and hasattr(value, "opens")
    )


def _allow_files() -> None:
    """Allow the files that the environment variable names. A faulty one is reported and left out."""
    for word in (word for word in _WORDS if word.endswith(".py")):
        try:
            allow_file(word)
        except UserError as error:
            LEFT_OUT.append(str(error))
            print(f"{error}. It is left out.", file=sys.stderr)


_allow_files()
