"""Compiled kernels are kept by what they are compiled from, beside no checkout, and never outlive a callee's edit."""

import fcntl
import importlib
import os
import pickle
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from weakref import WeakValueDictionary

import pytest
from numba import njit
from numba.core.dispatcher import Dispatcher
from numba.core.errors import NumbaWarning, TypingError
from numba.core.event import Event, EventStatus
from numba.core.registry import cpu_target

from neurobench.kernels import cache, declared, logistic, random
from neurobench.kernels.compilation import named_compilation
from neurobench.kernels.cuba import forward as cuba_forward
from neurobench.kernels.eprop import forward as eprop_forward
from neurobench.kernels.eprop import online as eprop_online
from neurobench.kernels.rbm import gibbs

JIT = "from numba import njit\n@njit(cache=True)\n"
CALLER = f"from some_kernels.callee import f\n{JIT}def g():\n    return f()\n"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of two kernels, in a checkout of its own; what is compiled is kept beside it."""
    checkout(tmp_path / "one", 1)
    monkeypatch.setattr(cache, "home", lambda: tmp_path / "kept")
    monkeypatch.setattr(cache.SharedCache, "waits", True)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return tmp_path


def checkout(folder: Path, callee: int) -> None:
    (folder / "some_kernels").mkdir(parents=True, exist_ok=True)
    (folder / "some_kernels/caller.py").write_text(CALLER)
    (folder / "some_kernels/callee.py").write_text(f"{JIT}def f():\n    return {callee}\n")
    (folder / "some_kernels/stranger.py").write_text(f"# {callee}")


def of_a_new_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The caller of a checkout, as a process imports it that begins."""
    monkeypatch.setattr(cache, "ROOT", folder)
    monkeypatch.setattr(cache, "PACKAGE", folder / "some_kernels")
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    for name in [name for name in sys.modules if name.startswith("some_kernels")]:
        del sys.modules[name]
    importlib.invalidate_caches()
    cache._module.cache_clear()
    return importlib.import_module("some_kernels.caller").g


def processor() -> Any:
    return cpu_target.target_context.codegen().magic_tuple()


def answer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """What it returns, and how often it was compiled for that."""
    g = of_a_new_process(folder, monkeypatch)
    return g(), sum(g.stats.cache_misses.values())


def test_a_caller_runs_its_callee_as_it_is_now_and_another_checkout_compiles_nothing(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = answer(package / "one", monkeypatch)
    checkout(package / "two", 1)
    again = answer(package / "two", monkeypatch)
    checkout(package / "two", 2)
    edited = answer(package / "two", monkeypatch)
    assert [first, again, edited, answer(package / "one", monkeypatch)] == [(1, 1), (1, 0), (2, 1), (1, 0)]


@pytest.fixture
def compiled(package: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The caller's folder, with what a process has kept there."""
    answer(package / "one", monkeypatch)
    (lock,) = (package / "kept").glob("some_kernels.caller-*/*.lock")
    return lock.parent


def held(folder: Path) -> int:
    """The caller's lock, as another process holds it."""
    (lock,) = folder.glob("*.lock")
    file = os.open(lock, os.O_RDWR)
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises unless whoever compiled has given it back
    return file


def test_a_kernel_that_another_process_is_compiling_is_awaited_and_read_and_waiting_is_no_work(
    compiled: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (index,) = compiled.glob("*.nbi")
    index.rename(compiled / "elsewhere")
    file = held(compiled)

    def finish() -> None:
        (compiled / "elsewhere").rename(index)
        os.close(file)

    timer = threading.Timer(0.3, finish)
    with named_compilation() as waiting:
        timer.start()
        assert answer(package / "one", monkeypatch) == (1, 0)
    assert waiting.seconds > 0.2
    os.close(held(compiled))


def test_after_long_enough_each_compiles_its_own(
    compiled: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (index,) = compiled.glob("*.nbi")
    index.unlink()
    file = held(compiled)
    monkeypatch.setattr(cache, "PATIENCE", 0.1)
    assert answer(package / "one", monkeypatch) == (1, 1)
    monkeypatch.setattr(cache, "PATIENCE", 600.0)
    index.unlink()
    assert answer(package / "one", monkeypatch) == (1, 1), "what was in vain is not tried again"
    os.close(file)


def test_a_kernel_whose_folder_is_gone_is_compiled_and_kept_anew(
    compiled: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    g = of_a_new_process(package / "one", monkeypatch)
    shutil.rmtree(package / "kept")
    assert g() == 1
    assert list(compiled.glob("*.nbi"))


def test_a_kernel_whose_folder_cannot_be_made_again_is_compiled(
    compiled: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise PermissionError

    g = of_a_new_process(package / "one", monkeypatch)
    shutil.rmtree(package / "kept")
    monkeypatch.setattr(g._cache._impl.locator, "ensure_cache_path", refuse)
    assert g() == 1


def test_an_interrupted_process_does_not_wait_for_itself(
    compiled: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    next(compiled.glob("*.nbi")).unlink()
    g = of_a_new_process(package / "one", monkeypatch)
    for interrupted in ("numba.core.caching.Cache._load_overload", "neurobench.kernels.cache._locked"):
        with monkeypatch.context() as patch:
            patch.setattr(interrupted, interrupt)
            with pytest.raises(KeyboardInterrupt):
                g()
        assert g._cache.lock is None
        os.close(held(compiled))
    g._cache._await_lock(processor())  # and no more: as if interrupted before numba says that it compiles
    assert g() == 1
    os.close(held(compiled))


def test_processors_of_other_kinds_do_not_wait_for_each_other(
    compiled: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    g = of_a_new_process(package / "one", monkeypatch)
    g._cache._await_lock(("another", "processor"))
    assert len(list(compiled.glob("*.lock"))) == 2
    g._cache.release()


def test_what_cannot_be_cached_is_named_with_its_file(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    g = of_a_new_process(package / "one", monkeypatch)
    uncachable = SimpleNamespace(lifted=[SimpleNamespace(can_cache=False)], fndesc=SimpleNamespace(qualname="g"))
    with pytest.warns(NumbaWarning, match="lifted code") as caught:
        assert not g._cache._impl.check_cachable(uncachable)
    assert caught[0].filename == str(package / "one/some_kernels/caller.py")


def test_compilers_without_a_cache_may_fail_too() -> None:
    failed = {"dispatcher": SimpleNamespace(overloads={}), "args": ()}
    cache.Failures().on_end(Event("numba:compile", EventStatus.END, failed))


def test_a_compilation_that_fails_is_nobodys_to_wait_for(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (package / "one/some_kernels/callee.py").write_text(f"{JIT}def f():\n    return nowhere\n")
    with pytest.raises(TypingError):
        answer(package / "one", monkeypatch)
    for kernel in ("caller", "callee"):
        (lock,) = (package / "kept").glob(f"some_kernels.{kernel}-*/*.lock")
        os.close(held(lock.parent))


def test_a_module_that_is_not_imported_does_not_matter(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "ROOT", package / "one")
    caller = package / "one/some_kernels/caller.py"
    before = cache.content_of(caller)
    (caller.parent / "stranger.py").write_text("# edited")
    cache._module.cache_clear()
    assert cache.content_of(caller) == before


def test_kernels_of_ours_lie_in_the_users_folder_each_under_a_name_of_its_own() -> None:
    kernels = (logistic.logistic, cuba_forward.forward, eprop_forward.forward, gibbs.half_step)
    paths = [Path(kernel._cache.cache_path) for kernel in kernels]
    names = [path.name.partition("-")[0] for path in paths]
    assert names == ["kernels.logistic", "cuba.forward", "eprop.forward", "rbm.gibbs"]
    assert {path.parent for path in paths} == {cache.home()}
    assert not cache.home().is_relative_to(cache.PACKAGE)


def test_what_is_no_kernel_of_ours_and_a_folder_that_cannot_be_written_are_left_to_numba(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def function() -> None: ...

    assert cache.KernelLocator.from_function(function, __file__) is None
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(cache, "home", lambda: tmp_path / "file/kernels")
    assert cache.KernelLocator.from_function(function, random.__file__) is None


def test_what_nobody_has_used_for_a_month_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "home", lambda: tmp_path)
    monkeypatch.setattr(cache.CacheImpl, "_locator_classes", [])
    monkeypatch.setattr(cache, "register", lambda kind, listener: None)
    for name, days in (("old", 31), ("recent", 29)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - days * 86_400,) * 2)
    cache.keep_kernels()
    assert {path.name for path in tmp_path.iterdir()} == {"recent"}


def test_a_kernel_for_kernels_alone_says_so() -> None:
    with pytest.raises(TypeError, match="_arrivals begins with an underscore: it can be called by kernels"):
        eprop_online._arrivals(1)


@declared.njit()
def _twice(x: Any) -> Any:
    return 2 * x


def test_a_kernel_for_kernels_alone_is_one_in_another_process_too(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = pickle.dumps(_twice)
    monkeypatch.setattr(Dispatcher, "_memo", WeakValueDictionary())  # by which this process would know it again
    received = pickle.loads(sent)
    assert received is not _twice
    with pytest.raises(TypeError, match="_twice begins with an underscore"):
        received(1)
    assert njit(lambda x: received(x))(3) == 6


IMPORTED = """
import sys
from neurobench.cli.main import main
words = ["run", f"outputs={sys.argv[1]}", "scale=smoke", *sys.argv[2:]]
sys.argv = ["neurobench", *words]
ended = main()
sys.exit(ended or str({"scipy.linalg", "numba.np.linalg", "numba.np.arraymath"} & set(sys.modules)))
"""


@pytest.mark.parametrize(
    "words",
    [
        ["model=slayer_snn", "model.hidden=[8]"],
        ["model=eventprop_snn", "dataset=yin_yang", "model.hidden=[8]"],
    ],
)
def test_a_run_whose_kernels_are_kept_imports_nothing_that_they_are_compiled_from(
    tmp_path: Path, words: list[str]
) -> None:
    """0.4 s of every run, SciPy's linear algebra above all."""
    command = [sys.executable, "-c", IMPORTED, str(tmp_path), *words]
    said = [subprocess.run(command, capture_output=True, text=True).stderr.splitlines()[-1] for _ in range(2)]
    assert said[1] == "set()", said
