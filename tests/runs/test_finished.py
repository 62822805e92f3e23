"""Promises of `find_finished`: a model starts from a run that is over, never from the one that asks."""

from pathlib import Path

import pytest

from neurobench.config.errors import UserError
from neurobench.runs.finished import find_finished


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NEUROBENCH_OUTPUTS", str(tmp_path))
    return tmp_path


def run(outputs: Path, name: str, id: str, *files: str) -> Path:
    path = outputs / name / id
    path.mkdir(parents=True)
    for file in ("run.json", *files):
        (path / file).write_text("{}")
    return path


def test_a_name_means_its_newest_finished_run(outputs: Path) -> None:
    run(outputs, "first", "20260101-000000-aaaaaa", "checkpoint.pt", "result.json")
    newest = run(outputs, "first", "20260102-000000-aaaaaa", "checkpoint.pt", "result.json")
    run(outputs, "first", "20260103-000000-aaaaaa", "checkpoint.pt")
    run(outputs, "first_longer", "20260104-000000-bbbbbb", "checkpoint.pt", "result.json")
    assert find_finished("first").path == newest


def test_a_run_whose_name_begins_alike_is_not_meant(outputs: Path) -> None:
    run(outputs, "first_longer", "20260104-000000-bbbbbb", "checkpoint.pt", "result.json")
    with pytest.raises(UserError, match="there is no run 'first' below"):
        find_finished("first")


def test_a_run_with_nothing_to_start_from_is_refused(outputs: Path) -> None:
    """As the run that asks, when it names itself."""
    run(outputs, "first", "20260101-000000-aaaaaa")
    with pytest.raises(UserError, match="has no checkpoint yet, and no finished run .* is named 'first'"):
        find_finished("first")


def test_an_interrupted_run_can_be_named_by_its_id(outputs: Path) -> None:
    stopped = run(outputs, "first", "20260103-000000-aaaaaa", "checkpoint.pt")
    assert find_finished("20260103").path == stopped
