"""Promises of a sweep's end: a table of settings over their seeds, and a command that prints the table again."""

import json
import shlex
import statistics
from pathlib import Path

import pytest
from rich.console import Console

from neurobench.cli.settings import print_settings
from tests.cli.conftest import Neurobench, neurobench
from tests.report.test_results import finished

__all__ = ["neurobench"]
WORDS = ("model=toy", "scale=smoke", "seed=0,1", "model.lr=0.05,0.5")


def test_a_sweep_ends_with_a_table_and_the_command_that_prints_it_again(neurobench: Neurobench, tmp_path: Path) -> None:
    done = neurobench("sweep", *WORDS, "--workers", "1")
    assert done.returncode == 0, done.stderr
    table = done.stdout.partition("4 of 4 jobs finished")[2]
    for lr in (0.05, 0.5):
        runs = [json.loads(file.read_text()) for file in tmp_path.glob("outputs/*/*/result.json")]
        of_lr = [run["metrics"]["test_accuracy"] for run in runs if f"model.lr={lr}" in run["overrides"]]
        mean, sd = statistics.fmean(of_lr), statistics.stdev(of_lr)
        (line,) = [line for line in table.splitlines() if line.split()[:2] == [str(lr), "2"]]
        assert f"{100 * mean:.2f} ± {100 * sd:.2f}" in line
    (following,) = [line for line in table.splitlines() if line.startswith("next: ")]
    words = shlex.split(following.removeprefix("next: neurobench "))
    assert words == ["results", "model=toy", "scale=smoke", "--by", "model.lr", "--plot", "results.png"]
    assert neurobench(*words).returncode == 0
    assert Path("results.png").read_bytes().startswith(b"\x89PNG")
    assert neurobench(*words[:-2]).stdout.strip() in table


def test_a_sweep_of_a_single_run_prints_no_table(neurobench: Neurobench) -> None:
    done = neurobench("sweep", "model=toy", "scale=smoke", "seed=0", "--workers", "1")
    assert "1 of 1 jobs finished" in done.stdout
    assert "±" not in done.stdout


def test_a_sweep_over_folders_of_runs_prints_a_table_for_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = [[f"outputs={tmp_path / name}", f"model.lr={lr}"] for name in ("A", "B") for lr in (0.02, 0.1)]
    for (_, lr), name in zip(jobs, "AABB", strict=True):
        finished(tmp_path / name, float(lr.partition("=")[2]), 0, 0.9, None)
    reports = [{"status": "finished", "folder": str(run.parent)} for run in sorted(tmp_path.glob("*/*/*/result.json"))]
    print_settings(jobs, reports, Console())
    shown = capsys.readouterr().out
    for name in ("A", "B"):
        assert f"{tmp_path / name}:\n" in shown
        assert f"--outputs {tmp_path / name} " in shown


def test_a_sweep_over_a_key_that_affects_no_figure_ends_with_the_table_of_its_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One seed had been run before with another value, and the sweep ended with an error about the option --by."""
    for seed, check in ((0, 1), (1, 2)):
        finished(tmp_path, 0.02, seed, 0.9, 0.8, check=check, setting_hash="same")
    jobs = [["model.lr=0.02", f"model.check={check}", f"seed={seed}"] for check in (1, 2) for seed in (0, 1)]
    folders = sorted(str(run.parent) for run in tmp_path.glob("*/*/result.json"))
    reports = [{"status": "finished", "folder": folder} for folder in folders] + [{"status": "twice"}] * 2
    print_settings(jobs, reports, Console())
    shown = capsys.readouterr().out
    assert "90.00 ± 0.00" in shown
    assert "--by" not in shown
