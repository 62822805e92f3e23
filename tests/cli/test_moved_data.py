"""Tests that a run means the same later and elsewhere: its data are those that it read, from any working folder."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from neurobench.data import files
from tests.cli.conftest import Neurobench

RUN = ("run", "model=mlp", "dataset=nmnist", "scale=smoke", "threads=1", "name=n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Folder of 200 training and 60 test recordings, below the current folder of the commands."""
    for split, n in (("Train", 200), ("Test", 60)):
        with zipfile.ZipFile(files.BUNDLED / f"nmnist_1k/{split}.zip") as archive:
            archive.extractall(tmp_path / "mine/NMNIST", sorted(archive.namelist(), key=lambda name: name[-9:])[:n])
    return tmp_path / "mine"


def runs(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "outputs/n").glob("2*"))


def test_changed_data_are_never_mixed_with_a_run_on_the_original_data(
    neurobench: Neurobench, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (*RUN, "dataset.root=mine", "resume=true")
    assert neurobench(*words).returncode == 0
    (first,) = runs(tmp_path)
    stored = (first / "config.yaml").read_text()
    assert f"root: {root}" in stored, "another working folder finds them"
    recording = next((root / "NMNIST/Train").glob("*/*.bin"))
    raw = recording.read_bytes()

    recording.touch()
    assert "already finished" in neurobench(*words).stdout, "a new time alone changes nothing"
    plan = neurobench("sweep", *words[1:-1], "--dry-run", "--json")
    assert json.loads(plan.stdout)[0]["state"] == "new", "which the plan cannot know before the data are read"

    recording.write_bytes(raw[:-5])
    again = neurobench(*words)
    assert again.returncode == 0, again.stderr
    assert "read different data than" in again.stdout
    _, second = runs(tmp_path)
    shas = [json.loads((run / "result.json").read_text())["data"]["sha256"] for run in (first, second)]
    assert shas[0] != shas[1]
    refused = neurobench("show", first.name, "--predict", "3")
    assert refused.returncode == 2
    assert "these are different samples" in refused.stderr
    assert "data=PATH of nb.load" in refused.stderr

    recording.write_bytes(raw)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    outputs = ("--outputs", str(tmp_path / "outputs"))
    assert "of 3 right" in neurobench("show", first.name, "--predict", "3", *outputs).stdout
    shutil.move(root, tmp_path / "moved")
    lost = neurobench("show", first.name, "--predict", "3", *outputs)
    assert lost.returncode
    assert str(root) in lost.stderr
    assert "--data PATH" in lost.stderr
    found = neurobench("show", first.name, "--predict", "3", "--data", str(tmp_path / "moved"), *outputs)
    assert found.returncode == 0, found.stderr
    assert "of 3 right" in found.stdout


def test_a_run_is_not_resumed_on_other_data(neurobench: Neurobench, tmp_path: Path, root: Path) -> None:
    words = (*RUN, f"dataset.root={root}")
    assert neurobench(*words).returncode == 0
    (first,) = runs(tmp_path)
    (first / "result.json").unlink()
    next((root / "NMNIST/Train").glob("*/*.bin")).unlink()
    again = neurobench(*words, "--resume")
    assert again.returncode == 0, again.stderr
    assert "read different data than" in again.stdout
    assert not (first / "result.json").exists(), "the old run stays as it is"
    assert len(runs(tmp_path)) == 2
