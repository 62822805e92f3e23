"""Promises of the index: it agrees with the files, whatever happens to it or to them."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from neurobench.storage.atomic import write_json
from neurobench.storage.store import INDEX_SCHEMA, all_runs, read_index
from tests.storage.sound import sound_result


def leave(outputs: Path, path: str, seed: int, finished: bool = True) -> Path:
    folder = outputs / path
    folder.mkdir(parents=True)
    write_json(folder / "run.json", {"status": "running", "seeds": {"root": seed}, "versions": {"torch": "1"}})
    if finished:
        write_json(folder / "result.json", sound_result(seed=seed))
    return folder


def test_the_index_lists_runs_in_order_and_leaves_out_sweeps_and_empty_folders(tmp_path: Path) -> None:
    leave(tmp_path, "b/2", 2)
    leave(tmp_path, "a/1", 1, finished=False)
    leave(tmp_path, ".sweeps/9", 9)
    (tmp_path / "a" / "empty").mkdir()
    for _ in range(2):  # from the files, then from the index
        one, two = read_index(tmp_path)
        assert (one.path, one.result, one.record) == ("a/1", None, {"status": "running", "seeds": {"root": 1}})
        assert (two.path, two.result) == ("b/2", sound_result(seed=2))


def test_the_index_follows_changed_new_and_removed_runs(tmp_path: Path) -> None:
    folder = leave(tmp_path, "a/1", 1, finished=False)
    read_index(tmp_path)
    write_json(folder / "result.json", sound_result(seed=1))
    leave(tmp_path, "a/2", 2)
    assert [entry.result for entry in read_index(tmp_path)] == [sound_result(seed=1), sound_result(seed=2)]
    (folder / "run.json").unlink()
    assert [entry.damage for entry in read_index(tmp_path)] == ["run.json is missing", None]
    shutil.rmtree(folder)
    assert [entry.path for entry in read_index(tmp_path)] == ["a/2"]


def test_a_figure_too_large_for_a_float_or_an_accuracy_above_1_damages_its_run_and_no_other(tmp_path: Path) -> None:
    """Every command that reads runs once ended with an OverflowError, or showed an edited accuracy as 9700.00 %."""
    leave(tmp_path, "a/1", 1)
    write_json(leave(tmp_path, "a/2", 2) / "result.json", sound_result(seed=2, seconds={"train": 10**400}))
    write_json(leave(tmp_path, "a/3", 3) / "result.json", sound_result(97))
    assert [entry.damage for entry in read_index(tmp_path)] == [
        None,
        "result.json has a seconds.train that is not a number",
        "result.json has a test_accuracy of 97, which is not a proportion",
    ]


def test_a_broken_index_is_rebuilt_from_the_files(tmp_path: Path) -> None:
    leave(tmp_path, "a/1", 1)
    first = read_index(tmp_path)
    strange = [json.dumps({"schema": INDEX_SCHEMA, "runs": runs}) for runs in (3, [1], {"a/1": 5}, {"a/1": [[], {}]})]
    for text in ("", "{", '{"schema": 0, "runs": {}}', "[]", *strange):
        (tmp_path / ".index.json").write_text(text)
        assert read_index(tmp_path) == first
    assert json.loads((tmp_path / ".index.json").read_text())["runs"]


def test_folders_that_cannot_be_read_and_circles_of_links_do_not_stop_a_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(tmp_path, "a/1", 1)
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "a" / "circle").symlink_to("circle")
    scan = os.scandir

    def scandir(path: str | Path) -> Any:
        if str(path).endswith("lost+found"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert [entry.path for entry in read_index(tmp_path)] == ["a/1"]
    assert [run.label for run in all_runs(tmp_path)] == ["a/1"]


def test_a_missing_outputs_folder_contains_no_runs(tmp_path: Path) -> None:
    assert read_index(tmp_path / "nowhere") == []
