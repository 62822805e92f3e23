"""Cache of compiled kernels in the user's cache folder: one folder per content of a module, whatever its checkout.

Numba's default cache lies next to a module and is valid as long as that module is unchanged. But a kernel contains the
compiled code of the kernels that it calls, also from other modules: if one of them is edited, numba would keep using
the old code. And two processes that start together would each compile every kernel that both need.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core import dispatcher
from numba.core.caching import CacheImpl, FunctionCache, _CacheLocator
from numba.core.event import Event, Listener, register, trigger_event
from numba.core.runtime import rtsys

from neurobench.config.home import user_cache

PACKAGE = Path(__file__).parent
ROOT = PACKAGE.parents[1]  # folder at which modules' dotted names begin
LIFETIME = 30 * 86_400  # s that a folder is stored after its last use
# An import from a module, in brackets or up to the end of the line: to parse every module would take 50 ms of each run.
_IMPORT = re.compile(r"^[ \t]*from[ \t]+([\w.]+)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)", re.MULTILINE)
PATIENCE = 600.0  # s that a process waits for another's kernel before it compiles the kernel itself


def home() -> Path:
    """Folder of the cached kernels, in $NUMBA_CACHE_DIR or the user's cache folder."""
    return Path(numba.config.CACHE_DIR or user_cache()) / "kernels"


def content_of(file: Path) -> str:
    """Digest of a module's source and of all modules that it imports, directly or indirectly, from its package."""
    digests: dict[Path, str] = {}
    waiting = [file]
    while waiting:
        path = waiting.pop()
        if path not in digests:
            digests[path], imported = _module(path)
            waiting += imported
    return hashlib.sha256("".join(digests[path] for path in sorted(digests)).encode()).hexdigest()[:16]


@cache
def _module(file: Path) -> tuple[str, list[Path]]:
    """Digest of a module's source, and the files of its package that it imports; imports are absolute and on lines of
    their own, as everywhere in this package."""
    source, package, names = file.read_bytes(), file.relative_to(ROOT).parts[0], set()
    for module, imported in _IMPORT.findall(source.decode()):
        names |= {module, *(f"{module}.{one}" for one in re.findall(r"\w+", imported))}
    paths = (ROOT / f"{name.replace('.', '/')}.py" for name in names if name.partition(".")[0] == package)
    return hashlib.sha256(source).hexdigest(), [path for path in paths if path.is_file()]


class KernelLocator(_CacheLocator):
    """Locator that tells numba where one kernel is cached; see numba.core.caching."""

    def __init__(self, function: Callable[..., Any], file: Path):
        self.line, self.content = function.__code__.co_firstlineno, content_of(file)
        self._py_file = str(file)  # named in numba's warnings
        self.path = home() / f"{file.parent.name}.{file.stem}-{self.content}"

    @classmethod
    def from_function(cls, function: Callable[..., Any], file: str) -> KernelLocator | None:
        """Locator for a kernel of this package; None for any other function or if the folder is not writable: numba
        then tries its own locations."""
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


class SharedCache(FunctionCache):
    """Cache with which one of several processes that need a kernel compiles it; the others wait, and load the result.

    The process that compiles holds the kernel's lock, and requests only those of its callees: no two wait for each
    other.
    """

    waits = True  # until a wait times out: the process that holds that lock may be suspended, and hold others

    def __init__(self, function: Callable[..., Any]):
        super().__init__(function)
        self.is_shared = isinstance(self._impl.locator, KernelLocator)
        self.lock: int | None = None  # descriptor of the lock file while this process compiles

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        if not self.is_shared:
            return super().load_overload(sig, target_context)
        overload = self._read(sig, target_context)
        if overload is not None:
            return overload
        try:
            self._await_lock(target_context.codegen().magic_tuple())
            overload = self._read(sig, target_context)
        except BaseException:
            self.release()
            raise
        if overload is not None:
            self.release()
        return overload

    def _read(self, sig: Any, target_context: Any) -> Any:
        """Load a kernel from the cache, without numba's `load_overload`, which takes 0.4 s to import everything that
        code may be compiled from, SciPy's linear algebra too: cached code needs only the memory manager."""
        rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)
        return None  # the guard has caught an error and warned

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError:  # the folder is gone, or its disk is full: the kernel is usable all the same
            if not self.is_shared:
                raise
        finally:
            self.release()

    def _await_lock(self, target: Any) -> None:
        """Wait for the kernel's lock, one per kind of processor. If the file system has no locks or the folder is not
        writable, each process compiles for itself."""
        self.release()  # left by a compilation that was interrupted before numba began it
        processor = hashlib.sha256(repr(target).encode()).hexdigest()[:8]
        try:
            self._impl.locator.ensure_cache_path()
            file = Path(self.cache_path) / f"{self._impl.filename_base}-{processor}.lock"
            self.lock = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError:
            return
        if not _locked(self.lock) and SharedCache.waits:
            with trigger_event("numba:compile"):  # in place of this process's compilation; not working time
                until = time.monotonic() + PATIENCE
                while SharedCache.waits and not _locked(self.lock):
                    SharedCache.waits = time.monotonic() < until
                    time.sleep(0.05)

    def release(self) -> None:
        if self.lock is not None:
            with contextlib.suppress(OSError):
                fcntl.flock(self.lock, fcntl.LOCK_UN)
            os.close(self.lock)
            self.lock = None


class Failures(Listener):
    """Listener that releases the lock after an interrupted or failed compilation: no process should wait for it."""

    def on_start(self, event: Event) -> None: ...

    def on_end(self, event: Event) -> None:
        if event.data:
            kernel = event.data["dispatcher"]
            if event.data["args"] not in kernel.overloads and isinstance(getattr(kernel, "_cache", None), SharedCache):
                kernel._cache.release()


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks
    return True


def keep_kernels() -> None:
    """Make numba store this package's kernels in `home()`, and delete kernels unused for a month."""
    CacheImpl._locator_classes.insert(0, KernelLocator)
    dispatcher.FunctionCache = SharedCache  # type: ignore[attr-defined]
    register("numba:compile", Failures())
    with contextlib.suppress(OSError):
        for folder in home().iterdir():
            if folder.stat().st_mtime < time.time() - LIFETIME:
                shutil.rmtree(folder, ignore_errors=True)
