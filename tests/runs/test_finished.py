"""Promises of `learned`: a model starts from a run that is over, never from the one that asks."""

from pathlib import Path

import pytest

from neurobench.config.errors import UserError
from neurobench.runs.finished import learned
from neurobench.runs.folder import RunFolder


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NEUROBENCH_OUTPUTS", str(tmp_path))
    return tmp_path


def run(outputs: Path, name: str, id: str, kept: str | None, finished: bool) -> None:
    path = outputs / name / id
    path.mkdir(parents=True)
    (path / "run.json").write_text("{}")
    if kept:
        RunFolder(path).save_checkpoint({"position": {}, "learner": {"weights": kept}, "best": None})
    if finished:
        (path / "result.json").write_text("{}")


def test_a_name_means_its_newest_finished_run(outputs: Path) -> None:
    run(outputs, "first", "20260101-000000-aaaaaa", "old", True)
    run(outputs, "first", "20260102-000000-aaaaaa", "new", True)
    run(outputs, "first", "20260103-000000-aaaaaa", "under way", False)
    run(outputs, "first_longer", "20260104-000000-bbbbbb", "another's", True)
    folder, kept = learned("first")
    assert (folder.path.name, kept) == ("20260102-000000-aaaaaa", {"weights": "new"})


def test_a_run_whose_name_begins_alike_is_not_meant(outputs: Path) -> None:
    run(outputs, "first_longer", "20260104-000000-bbbbbb", "another's", True)
    with pytest.raises(UserError, match="there is no run 'first' below"):
        learned("first")


@pytest.mark.parametrize("finished", [False, True])
def test_a_run_with_nothing_to_start_from_is_refused(outputs: Path, finished: bool) -> None:
    """As the run that asks, when it names itself, and one whose checkpoint somebody has removed."""
    run(outputs, "first", "20260101-000000-aaaaaa", None, finished)
    with pytest.raises(UserError, match=r"model\.init_from=first: .* has no checkpoint to start from"):
        learned("first")


def test_an_interrupted_run_can_be_named_by_its_id(outputs: Path) -> None:
    run(outputs, "first", "20260103-000000-aaaaaa", "half", False)
    assert learned("20260103")[1] == {"weights": "half"}
