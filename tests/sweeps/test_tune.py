"""Promises of `neurobench tune`: held-out samples decide, kills change nothing, hopeless trials are given up."""

import json
import os
import re
import signal
import subprocess
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from neurobench.config.errors import UserError
from neurobench.sweeps.tune import load_space
from tests.cli.conftest import Neurobench, command, environment, neurobench  # noqa: F401  (a fixture)

SPACE = """
overrides: [model=toy, training.epochs=3]
figure: validation_accuracy
prune_on: {prune_on}
space:
  model.lr: {{ low: 0.0001, high: 1.0, log: true }}
  training.batch_size: {{ low: 50, high: 150, step: 50 }}
"""


def trials(done: subprocess.CompletedProcess) -> list[tuple[Any, ...]]:
    assert done.returncode == 0, done.stdout + done.stderr
    return [(trial["params"], trial["value"], trial["state"]) for trial in json.loads(done.stdout)]


@pytest.fixture
def space(tmp_path: Path) -> str:
    (tmp_path / "space.yaml").write_text(SPACE.format(prune_on="null"))
    return str(tmp_path / "space.yaml")


def test_the_page_names_every_space() -> None:
    page = files("neurobench.docs").joinpath("sweeps.md").read_text()
    (sentence,) = re.findall(r"There are spaces for ([^.]*)\.", page)
    spaces = [entry.name for entry in files("neurobench.conf").joinpath("tune").iterdir()]
    assert re.findall(r"`(\w+)`", sentence) == sorted(name.removesuffix(".yaml") for name in spaces)


def test_a_killed_study_goes_on_to_the_trials_of_an_undisturbed_one(
    neurobench: Neurobench,  # noqa: F811
    tmp_path: Path,
    space: str,
) -> None:
    pytest.importorskip("optuna")
    pause = ("model.pause=0.003", "training.checkpoint_every=0")
    child = subprocess.Popen(
        command("tune", space, *pause, "--trials", "4"), cwd=tmp_path, env=environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 240  # of a machine that others load
    while time.monotonic() < deadline and len(list(tmp_path.glob("outputs/*/*/metrics.jsonl"))) < 2:
        time.sleep(0.02)
    time.sleep(0.1)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    after = trials(neurobench("tune", space, *pause, "--trials", "4", "--json"))
    assert len(list(tmp_path.glob("outputs/toy*/*"))) == 4, "the killed trial's run was taken up, not begun again"
    assert after == trials(neurobench("tune", space, *pause, "--trials", "4", "--json", "--outputs", "calm"))
    for folder in tmp_path.glob("calm/toy*/*"):
        last = json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])
        assert last["validation_accuracy"] in [value for _, value, _ in after]


def test_hopeless_trials_are_given_up_and_the_best_is_told(neurobench: Neurobench, tmp_path: Path) -> None:  # noqa: F811
    pytest.importorskip("optuna")
    (tmp_path / "space.yaml").write_text(SPACE.format(prune_on="validation_loss"))
    done = neurobench("tune", "space.yaml", "--trials", "10")
    assert done.returncode == 0, done.stderr
    assert "given up after epoch" in done.stdout
    assert "best trials by validation_accuracy" in done.stdout
    assert "neurobench run model=toy training.epochs=3" in done.stdout
    statuses = [json.loads(file.read_text())["status"] for file in tmp_path.glob("outputs/toy*/*/run.json")]
    assert "pruned" in statuses


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("figure: test_accuracy\noverrides: [a]\nspace: {a: {choices: [1]}}", "only figures of held-out samples"),
        ("figure: validation_loss\noverrides: [a]\nspace: {a: {low: 2, high: 1}}", "low=2 is not below high=1"),
        ("figure: validation_loss\noverrides: [a]\nspace: {a: {choice: [1]}}", "write {low: , high:"),
        ("spaces: {}", "spaces: there is no such key"),
    ],
)
def test_a_space_that_cannot_be_searched_says_why(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(UserError, match=sentence):
        load_space(str(tmp_path / "bad.yaml"), [])


def test_a_name_that_is_not_there_is_told_the_nearest() -> None:
    with pytest.raises(UserError, match="Did you mean qrbm"):
        load_space("qrmb", [])
