"""Tests of `show` and `list runs`: a run is shown as its files record it, and its checkpoint predicts again."""

import json
import os
import pty
import subprocess
import time
from pathlib import Path

import pytest

from neurobench.cli.main import main
from neurobench.metrics.catalog import printed
from tests.cli.conftest import Neurobench, command, environment


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder whose outputs contain a finished run."""
    folder = tmp_path_factory.mktemp("finished")
    words = ["run", "model=toy", "scale=smoke", "--quiet"]
    subprocess.run(command(*words), cwd=folder, env=environment(), check=True, capture_output=True)
    return folder


def test_a_run_is_shown_as_text_and_json_and_its_checkpoint_reproduces_its_accuracy(
    neurobench: Neurobench, tmp_path: Path
) -> None:
    assert neurobench("run", "model=toy").returncode == 0
    (folder,) = (tmp_path / "outputs").glob("*/*")
    result = json.loads((folder / "result.json").read_text())
    accuracy = result["metrics"]["test_accuracy"]
    shown = neurobench("show", "latest").stdout
    for word in (folder.name, "finished", result["config_hash"], printed("test_accuracy", accuracy), "epoch 2"):
        assert word in shown
    told = json.loads(neurobench("show", "toy-yin_yang-sim", "--json").stdout)
    assert told["result"] == result
    assert len(told["epochs"]) == 2
    predicted = neurobench("show", folder.name[:12], "--predict", "1000")
    assert f"{round(1000 * accuracy)} of 1000 right" in predicted.stdout, predicted.stderr
    head, *lines = predicted.stdout.splitlines()
    assert head.split() == ["target", "predicted"]
    assert len(lines) == 1001
    assert {word for line in lines[:1000] for word in line.split()} == {"yin", "yang", "dot", "(wrong)"}
    assert sum(line.endswith("(wrong)") for line in lines) == 1000 - round(1000 * accuracy)
    (row,) = json.loads(neurobench("list", "runs", "--json").stdout)
    assert row["test_accuracy"] == accuracy
    assert printed("test_accuracy", accuracy) in neurobench("list", "runs").stdout


@pytest.mark.parametrize("words", ["show latest", "results", "compare latest latest", "table dynex", "list"])
def test_a_reader_that_closes_the_pipe_is_no_failure(words: str, finished: Path) -> None:
    """`neurobench show latest | head -1` exits with 0, and prints no error on stderr."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        command(*words.split()), stdout=writing, stderr=subprocess.PIPE, cwd=finished, env=environment(), text=True
    )
    os.close(writing)
    assert done.returncode == 0
    assert "ipe" not in done.stderr


def test_a_run_continues_if_nobody_reads_its_output(tmp_path: Path) -> None:
    """`neurobench run ... | head -1`, or a viewer that dies during a long training."""
    reading, writing = os.pipe()
    os.close(reading)
    words = command("run", "model=toy", "scale=smoke")
    done = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, cwd=tmp_path, env=environment(), text=True)
    os.close(writing)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("outputs/*/*/result.json"))) == 1


def test_a_run_continues_if_the_reader_of_its_messages_has_gone(tmp_path: Path) -> None:
    """`neurobench run ... --resume 2>&1 | head -1`: the note that there is nothing to resume is a message."""
    reading, writing = os.pipe()
    os.close(reading)
    words = command("run", "model=toy", "scale=smoke", "--resume")
    done = subprocess.run(words, stdout=writing, stderr=writing, cwd=tmp_path, env=environment())
    os.close(writing)
    assert done.returncode == 0
    assert len(list(tmp_path.glob("outputs/*/*/result.json"))) == 1


@pytest.mark.parametrize("options", ["", "--quiet"])
@pytest.mark.parametrize("messages", ["terminal", "file"])
def test_a_run_outlives_its_terminal(tmp_path: Path, options: str, messages: str) -> None:
    """`neurobench run ... & disown`, then the window is closed: no signal ends the run, but each write is an error."""
    ours, theirs = pty.openpty()
    words = command("run", "model=toy", "scale=smoke", *options.split())
    with (tmp_path / "messages").open("w") as file:
        stderr = theirs if messages == "terminal" else file
        child = subprocess.Popen(words, stdout=theirs, stderr=stderr, cwd=tmp_path, env=environment())
    os.close(theirs)
    while child.poll() is None and not list(tmp_path.glob("outputs/*/*/run.json")):
        time.sleep(0.01)
    os.close(ours)
    assert child.wait(240) == 0
    assert "rror" not in (tmp_path / "messages").read_text()
    assert len(list(tmp_path.glob("outputs/*/*/result.json"))) == 1


def test_a_columns_variable_of_0_does_not_hide_a_run(finished: Path) -> None:
    done = subprocess.run(
        command("show", "latest"), cwd=finished, env={**environment(), "COLUMNS": "0"}, capture_output=True, text=True
    )
    assert "finished" in done.stdout


def test_showing_a_run_if_there_are_none_is_refused_with_the_command_that_starts_one(neurobench: Neurobench) -> None:
    done = neurobench("show", "nothing")
    assert done.returncode == 2
    assert "there are no runs below outputs. Start one with: neurobench run" in done.stderr


def test_the_configuration_in_a_run_folder_cannot_name_code_that_is_not_allowed(
    neurobench: Neurobench, tmp_path: Path
) -> None:
    assert neurobench("run", "model=toy").returncode == 0
    (config,) = (tmp_path / "outputs").glob("*/*/config.yaml")
    config.write_text(config.read_text().replace("neurobench_toy.toy.Toy", "subprocess.Popen"))
    done = neurobench("show", "latest", "--predict", "3")
    assert done.returncode == 2
    assert "_target_=subprocess.Popen is not allowed" in done.stderr


@pytest.mark.parametrize("option", [["--json", "--predict", "2"], ["--data", "elsewhere"]])
def test_an_option_that_would_be_ignored_is_refused(option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "latest", *option]) == 2
    assert f"{option[0]} " in capsys.readouterr().err


def test_a_missing_outputs_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["list", "runs", "--outputs", str(tmp_path / "typo")])
    assert "there is no folder" in capsys.readouterr().err


def test_list_show_and_result_json_agree_on_the_keys_by_which_runs_are_joined(
    neurobench: Neurobench, tmp_path: Path
) -> None:
    assert neurobench("run", "model=toy", "scale=smoke", "seed=3").returncode == 0
    assert neurobench("sweep", "model=toy", "model.explode_at=3", "seed=5,6").returncode == 1
    rows = {row["seed"]: row for row in json.loads(neurobench("list", "runs", "--json").stdout)}
    (path,) = (path for path in (tmp_path / "outputs").glob("*/*/result.json"))
    result = json.loads(path.read_text())
    joined = {
        "model": "toy", "dataset": "yin_yang", "backend": "sim", "encoder": "auto", "encoders": [], "scale": "smoke",
        "seed": 3, "overrides": ["model=toy", "scale=smoke", "seed=3"], "metrics": result["metrics"],
    }  # fmt: skip
    shown = json.loads(neurobench("show", str(path.parent), "--json").stdout)
    for place in (rows[3], result, shown):
        assert {key: place[key] for key in joined} == joined
    assert rows[6] == rows[6] | {
        "status": "failed", "model": "toy", "scale": "paper", "metrics": {},
        "overrides": ["model=toy", "model.explode_at=3", "seed=6"],
    }  # fmt: skip


def test_latest_is_the_newest_finished_run_in_compare_but_the_newest_of_all_in_show(neurobench: Neurobench) -> None:
    assert neurobench("run", "model=toy", "name=whole").returncode == 0
    assert neurobench("run", "model=toy", "name=broken", "model.explode_at=3").returncode == 1
    compared = json.loads(neurobench("compare", "latest", "whole", "--json").stdout)
    assert compared["a"] == compared["b"]
    assert "failed" in neurobench("show", "latest").stdout
