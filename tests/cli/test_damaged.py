"""Tests that a damaged run stops no verb: five files, each damaged in eight ways, under every verb that reads runs."""

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from neurobench.cli.main import main
from tests.cli.conftest import Neurobench

RUN = ("run", "model=toy", "scale=smoke", "threads=1")
SPACE = "overrides: [model=toy, scale=smoke, threads=1]\nfigure: validation_accuracy\nspace: {seed: {choices: [0]}}\n"
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


class Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch executed",)


def other_type(path: Path) -> None:
    if path.suffix == ".pt":
        torch.save([1, 2, 3], path)
    else:
        path.write_text("[1, 2, 3]\n")


def other_content(path: Path) -> None:
    """Write a file that is valid in form, but whose content no run writes."""
    if path.suffix == ".pt":
        torch.save({"format": 2, "position": {}, "record": {}, "costs": {}, "learner": {"W": 1}, "best": None}, path)
    else:
        path.write_text('{"status": 3, "metrics": {"test_accuracy": "high"}, "epoch": "one"}\n')


def hostile(path: Path) -> None:
    """Write an alias bomb, deep nesting, or a pickle that runs a command."""
    if path.suffix == ".pt":
        path.write_bytes(pickle.dumps(Malicious()))
    else:
        path.write_text(BOMB if path.suffix == ".yaml" else "[" * 100_000)


def of_another_version(path: Path) -> None:
    if path.suffix == ".pt":
        torch.save({"format": 99, "learner": {}}, path)
    else:
        path.write_text('{"schema": 99}\n')


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3]),
    "garbage": lambda path: path.write_bytes(bytes(range(256)) * 4),
    "missing": lambda path: path.unlink(),
    "other type": other_type,
    "other content": other_content,
    "hostile": hostile,
    "another version": of_another_version,
}
FILES = ("result.json", "run.json", "metrics.jsonl", "config.yaml", "checkpoint.pt")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with two finished runs, the second of which is to be damaged."""
    folder = tmp_path_factory.mktemp("sound")
    for seed in (1, 0):
        assert main([*RUN, f"seed={seed}", f"outputs={folder}/outputs"]) == 0
    return folder / "outputs"


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_every_verb_continues_or_reports_a_damaged_run_in_a_short_message(
    sound: Path, neurobench: Neurobench, tmp_path: Path, file: str, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(sound, tmp_path / "outputs")
    (tmp_path / "space.yaml").write_text(SPACE)
    kept, broken = sorted((tmp_path / "outputs").glob("toy*/2*"), key=seed_of, reverse=True)
    DAMAGES[damage](broken / file)
    before = {path.name: path.read_bytes() for path in kept.iterdir() if path.is_file()}

    def call(*words: str) -> str:
        done = neurobench(*words)
        told = done.stdout + done.stderr
        assert done.returncode in (0, 1, 2, 3), (words, told)
        assert "Traceback" not in told, words
        if done.returncode:
            assert len(told) < 2000, (words, told)
            assert str(file) in told or broken.name in told or "it has none" in told, (words, told)
        return told

    assert kept.name in call("list", "runs")
    listed = {row["run"].split("/")[1]: row["status"] for row in json.loads(call("list", "runs", "--json"))}
    assert listed[kept.name] == "finished"
    if file in ("result.json", "run.json"):
        assert listed[broken.name].startswith(f"damaged: {file} ")
    told = call("show", broken.name) if broken.exists() else ""
    if file != "checkpoint.pt":
        assert f"damaged: {file} " in told
    call("show", broken.name, "--json")
    call("table", "dynex")
    assert kept.name in Path(call("report", "--to", "report.html") and "report.html").read_text()
    call("matrix")
    call("compare", kept.name, broken.name)
    call("export", broken.name, "--format", "json")
    call("show", broken.name, "--predict", "3")
    plan = json.loads(call("sweep", *RUN[1:], "seed=0,1", "--dry-run", "--json"))
    assert plan[1]["state"] == "finished"
    if file == "result.json":
        assert plan[0]["state"] != "finished"
    call("rerun", broken.name)
    call("tune", "space.yaml", "--trials", "1")
    call(*RUN, "seed=0", "--resume")
    assert {path.name: path.read_bytes() for path in kept.iterdir() if path.is_file()} == before
    assert not (tmp_path / "executed").exists()


def seed_of(folder: Path) -> int:
    return json.loads((folder / "run.json").read_text())["seeds"]["root"]
