"""Promises of `model.init_from`: a model starts from a run that has ended, never from the run being started."""

import errno
import os
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from rich.console import Console

from neurobench.config.compose import composer
from neurobench.config.errors import UserError
from neurobench.experiment.folder_choice import folder_for
from neurobench.experiment.plan import Plan, parse
from neurobench.experiment.reload import find_initial, stored_plan
from neurobench.models.learner import Initial
from neurobench.storage.atomic import write_json
from neurobench.storage.folder import RunFolder
from tests.storage.sound import sound_checkpoint, sound_result


def plan(outputs: Path, reference: str) -> Plan:
    with composer() as compose:
        return parse(compose(["model=qrbm", f"outputs={outputs}", f"model.init_from='{reference}'"]))


def found(outputs: Path, reference: str) -> Initial:
    initial = find_initial(plan(outputs, reference))
    assert initial is not None
    return initial


def run(outputs: Path, name: str, id: str, weights: str | None, finished: bool) -> None:
    path = outputs / name / id
    path.mkdir(parents=True)
    write_json(path / "run.json", {"status": "finished" if finished else "interrupted"})
    if weights:
        RunFolder(path).save_checkpoint(sound_checkpoint(weights=weights))
    if finished:
        write_json(path / "result.json", sound_result())


def test_init_from_a_name_takes_its_newest_finished_run_below_the_outputs_folder(tmp_path: Path) -> None:
    run(tmp_path, "first", "20260101-000000-aaaaaa", "old", True)
    run(tmp_path, "first", "20260102-000000-aaaaaa", "new", True)
    run(tmp_path, "first", "20260103-000000-aaaaaa", "unfinished", False)
    run(tmp_path, "first_longer", "20260104-000000-bbbbbb", "another's", True)
    initial = found(tmp_path, "first")
    assert (initial.path.name, initial.state) == ("20260102-000000-aaaaaa", {"weights": "new"})


def test_init_from_a_name_does_not_take_a_run_with_a_longer_name(tmp_path: Path) -> None:
    run(tmp_path, "first_longer", "20260104-000000-bbbbbb", "another's", True)
    with pytest.raises(UserError, match="there is no run 'first' below"):
        found(tmp_path, "first")


@pytest.mark.parametrize("finished", [False, True])
def test_init_from_a_run_without_a_checkpoint_is_refused(tmp_path: Path, finished: bool) -> None:
    """Examples are a run that names itself, and a run whose checkpoint has been removed."""
    run(tmp_path, "first", "20260101-000000-aaaaaa", None, finished)
    with pytest.raises(UserError, match=r"model\.init_from=first: .* has no checkpoint to start from"):
        found(tmp_path, "first")


def test_init_from_takes_an_interrupted_run_by_its_id(tmp_path: Path) -> None:
    run(tmp_path, "first", "20260103-000000-aaaaaa", "half", False)
    assert found(tmp_path, "20260103").state == {"weights": "half"}


def test_init_from_passes_on_an_existing_file_and_refuses_a_missing_one(tmp_path: Path) -> None:
    (tmp_path / "machine.json").write_text("{}")
    assert found(tmp_path, f"{tmp_path}/machine.json") == Initial(
        f"{tmp_path}/machine.json", tmp_path / "machine.json", None
    )
    with pytest.raises(UserError, match=r"nowhere\.json: there is no such file"):
        found(tmp_path, f"{tmp_path}/nowhere.json")


def test_a_run_that_started_from_a_file_is_resumed_only_while_the_file_is_the_same(tmp_path: Path) -> None:
    file, said = tmp_path / "net.bqm", StringIO()
    file.write_bytes(b"one network")
    one = plan(tmp_path, str(file)).resumed()

    def chosen() -> tuple[RunFolder, bool]:
        folder, finished = folder_for(one, Console(file=said), None)
        folder.release()
        return folder, finished

    first, _ = chosen()
    assert chosen()[0].path == first.path
    file.write_bytes(b"another network")
    second, _ = chosen()
    assert second.path != first.path
    assert f"{first.path.name} started from another network" in "".join(said.getvalue().split("\n"))
    second.write_result(sound_result())
    assert chosen()[1]
    file.write_bytes(b"one network")
    again, finished = chosen()
    assert (again.path, finished) == (first.path, False)
    assert first.record()["initial_sha256"] == sha256(b"one network").hexdigest()


def test_a_run_that_started_from_a_run_by_name_counts_only_while_the_name_means_the_same_network(
    tmp_path: Path,
) -> None:
    """`latest` means another run once the run itself has ended: there the words of the command decide."""
    run(tmp_path, "first", "20260101-000000-aaaaaa", "old", True)
    plans = [plan(tmp_path, reference).resumed() for reference in ("first", "latest")]

    def chosen(one: Plan) -> tuple[RunFolder, bool]:
        folder, finished = folder_for(one, Console(quiet=True), None)
        folder.release()
        return folder, finished

    for one in plans:
        chosen(one)[0].write_result(sound_result())
    assert [chosen(one)[1] for one in plans] == [True, True]
    run(tmp_path, "first", "20260102-000000-aaaaaa", "new", True)
    assert [chosen(one)[1] for one in plans] == [False, True]


def test_a_finished_run_is_found_in_a_folder_of_runs_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with composer() as compose:
        one = parse(compose(["model=qrbm", f"outputs={tmp_path}"])).resumed()
    first, _ = folder_for(one, Console(quiet=True), None)
    first.write_result(sound_result())
    first.release()

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(FileLock, "acquire", refuse)
    monkeypatch.setattr(os, "access", lambda *_: False)
    folder, finished = folder_for(one, Console(quiet=True), None)
    assert (folder.path, finished) == (first.path, True)
    monkeypatch.setattr(os, "access", lambda *_: True)
    with pytest.raises(UserError, match="cannot create a run folder below"):
        folder_for(one, Console(quiet=True), None)


@pytest.mark.parametrize("reference", ["first", "latest", "{}/first/20260101-000000-aaaaaa"])
def test_a_repeated_run_starts_from_the_run_from_which_it_started(tmp_path: Path, reference: str) -> None:
    run(tmp_path, "first", "20260101-000000-aaaaaa", "old", True)
    outputs = tmp_path / "elsewhere" if "/" in reference else tmp_path
    folder, _ = folder_for(plan(outputs, reference.format(tmp_path)), Console(quiet=True), None)
    folder.release()
    run(tmp_path, "first", "20260102-000000-aaaaaa", "new", True)
    for repeated in (stored_plan(folder), stored_plan(folder).anew(str(tmp_path / "elsewhere"))):
        initial = find_initial(repeated)
        assert initial is not None
        assert initial.state == {"weights": "old"}
