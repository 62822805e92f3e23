"""Where compiled kernels are kept: a folder of the user's for each content of this package, in whatever checkout.

Numba's own cache lies beside each module and is valid as long as that module is the same. A kernel has the kernels that
it calls compiled into it, from other modules too: one of them edited, numba would go on with what it was.
"""

from __future__ import annotations

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
KEPT = 30 * 86_400  # s that a folder is kept after its last use


@cache
def folder() -> Path:
    """$NUMBA_CACHE_DIR or the user's cache folder; in it, a folder by the content of all kernels."""
    root = numba.config.CACHE_DIR or platformdirs.user_cache_dir("neurobench")
    return Path(root) / "kernels" / content_of(PACKAGE)


def content_of(package: Path) -> str:
    """A digest of all modules below a folder, of their names and of what they say."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


class KernelLocator(_CacheLocator):  # type: ignore[misc]
    """Tells numba where one kernel is kept; see numba.core.caching."""

    def __init__(self, function: Callable[..., Any], file: Path):
        self.line, self.path = function.__code__.co_firstlineno, folder() / file.parent.relative_to(PACKAGE)

    @classmethod
    def from_function(cls, function: Callable[..., Any], file: str) -> KernelLocator | None:
        """None for what is no kernel of ours, and where the folder cannot be written: numba's own places come next."""
        if not Path(file).is_relative_to(PACKAGE):
            return None
        locator = cls(function, Path(file))
        try:
            locator.ensure_cache_path()
        except OSError:
            return None
        return locator

    def get_cache_path(self) -> str:
        return str(self.path)

    def get_source_stamp(self) -> str:
        return folder().name

    def get_disambiguator(self) -> str:
        return str(self.line)


def keep_kernels() -> None:
    """From now on numba keeps our kernels there; what nobody has used for a month goes."""
    CacheImpl._locator_classes.insert(0, KernelLocator)
    with contextlib.suppress(OSError):
        folder().mkdir(parents=True, exist_ok=True)
        os.utime(folder())
        for other in folder().parent.iterdir():
            if other.stat().st_mtime < time.time() - KEPT:
                shutil.rmtree(other, ignore_errors=True)
