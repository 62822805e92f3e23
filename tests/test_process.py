"""The garbage collector does not slow down a command's imports, and no process but that of a command is changed."""

import atexit
import gc
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from neurobench import process
from neurobench.phases import innermost
from neurobench.process import importing, run_one_command, runs_alone


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(process, "_runs_one_command", False)
    monkeypatch.setattr(process, "_is_worker", False)
    monkeypatch.setattr(atexit, "register", lambda function: None)
    run_one_command()
    yield
    gc.unfreeze()


def pretend_to_import(monkeypatch: pytest.MonkeyPatch, modules: int) -> None:
    for number in range(modules):
        monkeypatch.setitem(sys.modules, f"pretended_{number}", ModuleType("pretended"))


def test_a_command_exempts_imported_modules_from_garbage_collection(
    command: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = gc.get_freeze_count()
    with importing("much"):
        assert not gc.isenabled()
        running = innermost()
        assert running is not None
        assert running.name == "importing much"
        pretend_to_import(monkeypatch, process.MANY + 1)
    assert gc.isenabled()
    assert gc.get_freeze_count() > before


@pytest.mark.usefixtures("command")
def test_a_failed_import_leaves_the_collector_on_and_freezes_no_objects() -> None:
    before = gc.get_freeze_count()
    with pytest.raises(ImportError), importing("what is not there"):
        raise ImportError
    assert gc.isenabled()
    assert gc.get_freeze_count() == before


def test_in_a_notebook_garbage_collection_works_as_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_runs_one_command", False)
    before = gc.get_freeze_count()
    with importing("much"):
        assert gc.isenabled()
        pretend_to_import(monkeypatch, process.MANY + 1)
    assert gc.get_freeze_count() == before


@pytest.mark.usefixtures("command")
def test_runs_alone_is_true_for_a_command_and_false_for_workers_and_notebooks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert runs_alone()
    run_one_command(as_worker=True)
    assert not runs_alone()
    monkeypatch.setattr(process, "_runs_one_command", False)
    monkeypatch.setattr(process, "_is_worker", False)
    assert not runs_alone()
