"""Kernels are cached by the source they are compiled from, outside any checkout, and never outlive a callee's edit."""

import ast
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

from neurobench.kernels import cache, jit, logistic, random
from neurobench.kernels.compilation import named_compilation
from neurobench.kernels.cuba import forward as cuba_forward
from neurobench.kernels.eprop import forward as eprop_forward
from neurobench.kernels.eprop import online as eprop_online
from neurobench.kernels.rbm import gibbs

JIT = "from numba import njit\n@njit(cache=True)\n"
CALLER = f"from some_kernels.callee import f\n{JIT}def g():\n    return f()\n"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of two kernels in a separate checkout; compiled kernels are cached beside it."""
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
    """The caller kernel of a checkout, imported as by a new process."""
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
    """The caller's result, and how often the caller was compiled for it."""
    g = of_a_new_process(folder, monkeypatch)
    return g(), sum(g.stats.cache_misses.values())


def test_a_caller_uses_its_callees_current_source_and_an_equal_checkout_compiles_nothing(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = answer(package / "one", monkeypatch)
    checkout(package / "two", 1)
    again = answer(package / "two", monkeypatch)
    checkout(package / "two", 2)
    edited = answer(package / "two", monkeypatch)
    assert [first, again, edited, answer(package / "one", monkeypatch)] == [(1, 1), (1, 0), (2, 1), (1, 0)]


def test_an_inner_kernel_in_the_cache_becomes_part_of_a_new_caller(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = "from neurobench.kernels.jit import njit\n@njit(cache=True, inner=True)\ndef f():\n    return 1\n"
    (package / "one/some_kernels/callee.py").write_text(inner)
    assert answer(package / "one", monkeypatch) == (1, 1)
    (package / "one/some_kernels/caller.py").write_text(CALLER.replace("f()\n", "f() + 1\n"))
    assert answer(package / "one", monkeypatch) == (2, 1)
    assert sum(sys.modules["some_kernels.callee"].f.stats.cache_hits.values()) == 1


@pytest.fixture
def compiled(package: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The caller's cache folder, with the kernel that a process has stored there."""
    answer(package / "one", monkeypatch)
    (lock,) = (package / "kept").glob("some_kernels.caller-*/*.lock")
    return lock.parent


def held(folder: Path) -> int:
    """Take the caller's lock as another process would; returns its descriptor."""
    (lock,) = folder.glob("*.lock")
    file = os.open(lock, os.O_RDWR)
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises unless the compiling process has released it
    return file


def test_a_kernel_that_another_process_compiles_is_awaited_and_waiting_is_not_working_time(
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


def test_a_process_that_waited_in_vain_compiles_the_kernel_itself_and_never_waits_again(
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


def test_a_kernel_whose_cache_folder_is_gone_is_compiled_and_cached_again(
    compiled: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    g = of_a_new_process(package / "one", monkeypatch)
    shutil.rmtree(package / "kept")
    assert g() == 1
    assert list(compiled.glob("*.nbi"))


def test_a_kernel_is_compiled_even_if_its_cache_folder_cannot_be_made_again(
    compiled: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise PermissionError

    g = of_a_new_process(package / "one", monkeypatch)
    shutil.rmtree(package / "kept")
    monkeypatch.setattr(g._cache._impl.locator, "ensure_cache_path", refuse)
    assert g() == 1


def test_an_interrupted_process_releases_its_lock_and_does_not_wait_for_itself(
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
    g._cache._await_lock(processor())  # and no more: as if interrupted before numba announces that it compiles
    assert g() == 1
    os.close(held(compiled))


def test_processors_of_different_kinds_do_not_wait_for_each_other(
    compiled: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    g = of_a_new_process(package / "one", monkeypatch)
    g._cache._await_lock(("another", "processor"))
    assert len(list(compiled.glob("*.lock"))) == 2
    g._cache.release()


def test_a_kernel_that_cannot_be_cached_causes_a_warning_that_names_its_file(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    g = of_a_new_process(package / "one", monkeypatch)
    uncachable = SimpleNamespace(lifted=[SimpleNamespace(can_cache=False)], fndesc=SimpleNamespace(qualname="g"))
    with pytest.warns(NumbaWarning, match="lifted code") as caught:
        assert not g._cache._impl.check_cachable(uncachable)
    assert caught[0].filename == str(package / "one/some_kernels/caller.py")


def test_a_failed_compilation_without_a_cache_raises_no_further_error() -> None:
    failed = {"dispatcher": SimpleNamespace(overloads={}), "args": ()}
    cache.Failures().on_end(Event("numba:compile", EventStatus.END, failed))


def test_a_failed_compilation_releases_the_locks_of_caller_and_callee(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (package / "one/some_kernels/callee.py").write_text(f"{JIT}def f():\n    return nowhere\n")
    with pytest.raises(TypingError):
        answer(package / "one", monkeypatch)
    for kernel in ("caller", "callee"):
        (lock,) = (package / "kept").glob(f"some_kernels.{kernel}-*/*.lock")
        os.close(held(lock.parent))


def test_a_module_that_is_not_imported_does_not_change_the_digest(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "ROOT", package / "one")
    caller = package / "one/some_kernels/caller.py"
    before = cache.content_of(caller)
    (caller.parent / "stranger.py").write_text("# edited")
    cache._module.cache_clear()
    assert cache.content_of(caller) == before


def test_the_digest_covers_every_import_that_python_finds() -> None:
    """Imports are found without parsing; one that is overlooked would leave a callee's old code in use."""
    for file in sorted((cache.ROOT / "neurobench").rglob("*.py")):
        names = set()
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.ImportFrom) and node.module:
                names |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
        wanted = {cache.ROOT / f"{name.replace('.', '/')}.py" for name in names if name.startswith("neurobench.")}
        assert {path for path in wanted if path.is_file()} <= set(cache._module(file)[1]), file


def test_kernels_are_cached_in_the_users_folder_each_under_its_modules_name() -> None:
    kernels = (logistic.logistic, cuba_forward.forward, eprop_forward.forward, gibbs.half_step)
    paths = [Path(kernel._cache.cache_path) for kernel in kernels]
    names = [path.name.partition("-")[0] for path in paths]
    assert names == ["kernels.logistic", "cuba.forward", "eprop.forward", "rbm.gibbs"]
    assert {path.parent for path in paths} == {cache.home()}
    assert not cache.home().is_relative_to(cache.PACKAGE)


def test_other_functions_and_unwritable_cache_folders_are_left_to_numba(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def function() -> None: ...

    assert cache.KernelLocator.from_function(function, __file__) is None
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(cache, "home", lambda: tmp_path / "file/kernels")
    assert cache.KernelLocator.from_function(function, random.__file__) is None


def test_kernels_unused_for_a_month_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "home", lambda: tmp_path)
    monkeypatch.setattr(cache.CacheImpl, "_locator_classes", [])
    monkeypatch.setattr(cache, "register", lambda kind, listener: None)
    for name, days in (("old", 31), ("recent", 29)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - days * 86_400,) * 2)
    cache.keep_kernels()
    assert {path.name for path in tmp_path.iterdir()} == {"recent"}


def test_calling_a_kernel_that_only_kernels_can_call_says_so() -> None:
    with pytest.raises(TypeError, match="_arrivals is an inner kernel: it can be called by kernels"):
        eprop_online._arrivals(1)


@jit.njit()
def _twice(x: Any) -> Any:
    return 2 * x


def test_a_kernel_that_only_kernels_can_call_remains_so_in_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = pickle.dumps(_twice)
    monkeypatch.setattr(Dispatcher, "_memo", WeakValueDictionary())  # by which this process would recognise it
    received = pickle.loads(sent)
    assert received is not _twice
    with pytest.raises(TypeError, match="_twice is an inner kernel"):
        received(1)
    assert njit(lambda x: received(x))(3) == 6


IMPORTED = """
import sys
from neurobench.cli.main import main
words = ["run", f"outputs={sys.argv[1]}", "scale=smoke", "scale.train=40", "scale.test=20", *sys.argv[2:]]
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
def test_a_run_with_cached_kernels_imports_no_module_needed_only_to_compile_them(
    tmp_path: Path, words: list[str]
) -> None:
    """They take 0.4 s of every run, SciPy's linear algebra most of all."""
    command = [sys.executable, "-c", IMPORTED, str(tmp_path), *words]
    said = [subprocess.run(command, capture_output=True, text=True).stderr.splitlines()[-1] for _ in range(2)]
    assert said[1] == "set()", said
