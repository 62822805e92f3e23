"""Where compiled kernels are kept: a folder of the user's for each content of a module, in whatever checkout it is.

Numba's own cache lies beside each module and is valid as long as that module is the same. A kernel has the kernels that
it calls compiled into it, from other modules too: one of them edited, numba would go on with what it was.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
import platformdirs
from numba.core.caching import CacheImpl, _CacheLocator

PACKAGE = Path(__file__).parent
ROOT = PACKAGE.parents[1]  # that modules' dotted names begin at
LIFETIME = 30 * 86_400  # s that a folder is kept after its last use


def home() -> Path:
    """$NUMBA_CACHE_DIR or the user's cache folder."""
    return Path(numba.config.CACHE_DIR or platformdirs.user_cache_dir("neurobench")) / "kernels"


@cache
def content_of(file: Path) -> str:
    """A digest of what a module says and of what all modules say that it imports from its own package."""
    contents: dict[Path, bytes] = {}
    waiting = [file]
    while waiting:
        path = waiting.pop()
        if path not in contents:
            contents[path] = path.read_bytes()
            waiting += _imported(contents[path], path.relative_to(ROOT).parts[0])
    digests = (hashlib.sha256(contents[path]).hexdigest() for path in sorted(contents))
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:16]


def _imported(source: bytes, package: str) -> list[Path]:
    """Files of the package that a module's text imports; they are named from the package on, as everywhere here."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
    paths = (ROOT / f"{name.replace('.', '/')}.py" for name in names if name.partition(".")[0] == package)
    return [path for path in paths if path.is_file()]


class KernelLocator(_CacheLocator):
    """Tells numba where one kernel is kept; see numba.core.caching."""

    def __init__(self, function: Callable[..., Any], file: Path):
        self.line, self.content = function.__code__.co_firstlineno, content_of(file)
        self.path = home() / f"{file.parent.name}.{file.stem}-{self.content}"

    @classmethod
    def from_function(cls, function: Callable[..., Any], file: str) -> KernelLocator | None:
        """None for what is no kernel of ours, and where the folder cannot be written: numba's own places come next."""
        if not Path(file).is_relative_to(PACKAGE):
            return None
        locator = cls(function, Path(file))
        try:
            locator.ensure_cache_path()
            os.utime(locator.path)
        except OSError:
            return None
        return locator

    def get_cache_path(self) -> str:
        return str(self.path)

    def get_source_stamp(self) -> str:
        return self.content

    def get_disambiguator(self) -> str:
        return str(self.line)


def keep_kernels() -> None:
    """From now on numba keeps our kernels there; what nobody has used for a month goes."""
    CacheImpl._locator_classes.insert(0, KernelLocator)
    with contextlib.suppress(OSError):
        for folder in home().iterdir():
            if folder.stat().st_mtime < time.time() - LIFETIME:
                shutil.rmtree(folder, ignore_errors=True)
