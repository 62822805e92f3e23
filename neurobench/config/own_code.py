"""Text of the user's own code, which is part of a run's identity: that of an allowed module, and of the modules next to
it that it uses."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from neurobench.config import targets

DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", re.ASCII)


def digests(module: str) -> dict[str, str]:
    """Module -> sha256 of its text, for the modules of `files_of`."""
    return {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files_of(module).items()}


def files_of(module: str) -> dict[str, Path]:
    """Module -> file: a module that the user allows, then those in its folder, or in its package, that it imports or
    names in a string, as `opens` does, and those that these use. Empty for a module that is not allowed; of an
    installed one, whose package has a version, it alone."""
    if not any(f"{module}.".startswith(f"{name}.") for name in targets.ALLOWED):
        return {}
    targets.search_here()
    origin = getattr(sys.modules.get(module), "__file__", None)
    if module not in sys.modules and (installed := importlib.util.find_spec(module)):
        origin = installed.origin
    if not origin or not Path(origin).is_file():
        return {}
    first = Path(origin)
    files, waiting = {module: first}, [] if "site-packages" in first.parts else [module]
    root = first.parents[module.count(".") + (first.name == "__init__.py")]
    while waiting:
        name = waiting.pop()
        status = files[name].stat()
        for used in _used(name, files[name], status.st_mtime_ns, status.st_size):
            file = None if used in files else _file(root, used)
            if file is not None:
                files[used] = file
                waiting.append(used)
    return files


def _file(root: Path, module: str) -> Path | None:
    path = root.joinpath(*module.split("."))
    return next((file for file in (path.with_name(f"{path.name}.py"), path / "__init__.py") if file.is_file()), None)


@lru_cache(maxsize=1000)
def _used(module: str, file: Path, _time: int, _size: int) -> tuple[str, ...]:
    """Names that may be modules and that a file uses, with the packages in which they lie."""
    package = module.split(".") if file.name == "__init__.py" else module.split(".")[:-1]
    try:
        names = {*_names(ast.parse(file.read_bytes()), package)}
    except (SyntaxError, ValueError):  # reported when it is imported
        return ()
    parts = [name.split(".") for name in sorted(names)]
    prefixes = dict.fromkeys(".".join(each[:n]) for each in parts for n in range(1, len(each) + 1))
    return tuple(name for name in prefixes if name.partition(".")[0] != "neurobench")


def _names(tree: ast.AST, package: list[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            base = [*above, *(node.module.split(".") if node.module else [])]
            yield from (".".join([*base, alias.name]) for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and DOTTED.fullmatch(node.value):
            yield node.value
