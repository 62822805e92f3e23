"""Compiled kernels are kept by the content of all kernels, beside no checkout, and never outlive a callee's edit."""

import importlib
import os
import sys
import time
from pathlib import Path

import pytest

from neurobench.kernels import cache, logistic, random
from neurobench.kernels.cuba import forward as cuba_forward
from neurobench.kernels.eprop import forward as eprop_forward


def test_an_edit_of_any_module_is_another_content_and_a_copy_is_the_same(tmp_path: Path) -> None:
    contents = set()
    for checkout in ("one", "two"):
        (tmp_path / checkout / "inner").mkdir(parents=True)
        (tmp_path / checkout / "caller.py").write_text("from inner.callee import f")
        (tmp_path / checkout / "inner/callee.py").write_text("f = 1")
        contents.add(cache.content_of(tmp_path / checkout))
    assert len(contents) == 1
    (tmp_path / "two/inner/callee.py").write_text("f = 2")
    contents.add(cache.content_of(tmp_path / "two"))
    (tmp_path / "two/inner/callee.py").rename(tmp_path / "two/callee.py")
    contents.add(cache.content_of(tmp_path / "two"))
    assert len(contents) == 3


def test_a_caller_runs_its_callee_as_it_is_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "some_kernels"
    package.mkdir()
    jit = "from numba import njit\n@njit(cache=True)\n"
    (package / "caller.py").write_text(f"from some_kernels.callee import f\n{jit}def g():\n    return f()\n")
    monkeypatch.setattr(cache, "PACKAGE", package)
    monkeypatch.setattr(cache, "folder", lambda: tmp_path / "kept" / cache.content_of(package))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def answer(callee: int) -> tuple[int, int]:
        """What g returns, and how often it was compiled for it."""
        (package / "callee.py").write_text(f"{jit}def f():\n    return {callee}\n")
        for name in [name for name in sys.modules if name.startswith("some_kernels")]:
            del sys.modules[name]
        importlib.invalidate_caches()
        g = importlib.import_module("some_kernels.caller").g
        return g(), sum(g.stats.cache_misses.values())

    assert [answer(1), answer(1), answer(2), answer(1)] == [(1, 1), (1, 0), (2, 1), (1, 0)]


def test_kernels_lie_in_the_users_folder_and_are_stale_once_any_kernel_changes() -> None:
    kernels = (logistic.logistic, cuba_forward.forward, eprop_forward.forward)
    paths = [Path(kernel._cache.cache_path) for kernel in kernels]
    assert [path.relative_to(cache.folder()) for path in paths] == [Path(), Path("cuba"), Path("eprop")]
    assert {kernel._cache._cache_file._source_stamp for kernel in kernels} == {cache.content_of(cache.PACKAGE)}
    assert not cache.folder().is_relative_to(cache.PACKAGE)


def test_what_is_no_kernel_of_ours_and_a_folder_that_cannot_be_written_are_left_to_numba(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def function() -> None: ...

    assert cache.KernelLocator.from_function(function, __file__) is None
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(cache, "folder", lambda: tmp_path / "file/kernels")
    assert cache.KernelLocator.from_function(function, random.__file__) is None


def test_what_nobody_has_used_for_a_month_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "folder", lambda: tmp_path / "new")
    monkeypatch.setattr(cache.CacheImpl, "_locator_classes", [])
    for name, days in (("old", 31), ("recent", 29)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - days * 86_400,) * 2)
    cache.keep_kernels()
    assert {path.name for path in tmp_path.iterdir()} == {"new", "recent"}
