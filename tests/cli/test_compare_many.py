"""Tests of `compare` on several runs: paired tests of the predictions for the same samples, and their conclusions."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tests.cli.conftest import Neurobench

RUNS = {"a": "0.5", "b": "0.001", "c": "0.5"}


@pytest.fixture
def three(neurobench: Neurobench) -> Neurobench:
    """Make three runs: A and C are the same; B hardly learned."""
    for name, lr in RUNS.items():
        done = neurobench(
            "run", "model=toy", "dataset.validation=100", "dataset.train=2000", f"name={name}", f"model.lr={lr}"
        )
        assert done.returncode == 0, done.stderr
    return neurobench


def right(where: Path, name: str) -> np.ndarray:
    (file,) = where.glob(f"outputs/{name}/*/predictions.npz")
    with np.load(file) as arrays:
        return arrays["predicted"] == arrays["target"]


def test_every_pair_of_runs_is_tested_on_its_predictions(three: Neurobench, tmp_path: Path) -> None:
    a, b = right(tmp_path, "a"), right(tmp_path, "b")
    (result,) = tmp_path.glob("outputs/a/*/result.json")
    assert json.loads(result.read_text())["metrics"]["test_accuracy"] == a.mean()
    compared = json.loads(three("compare", "a", "b", "c", "--json").stdout)
    assert [row["key"] for row in compared["config"]] == ["model.lr"]
    assert compared["config"][0] == {"key": "model.lr", "a": 0.5, "b": 0.001, "c": 0.5}
    pairs = {(each["a"], each["b"]): each for each in compared["paired"]}
    of_ab = pairs["a", "b"]
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    assert (of_ab["n"], of_ab["only_a"], of_ab["only_b"]) == (len(a), only_a, only_b)
    expected = stats.chi2.sf((abs(only_a - only_b) - 1) ** 2 / (only_a + only_b), 1)
    assert of_ab["p"] == pytest.approx(expected)
    assert of_ab["p_holm"] == pytest.approx(3 * expected), "the smaller of two equal p of three: times three"
    assert of_ab["conclusion"] == f"A is better than B on these {len(a):,} samples"
    assert pairs["a", "c"]["conclusion"] == "A and C are correct on the same samples"
    shown = three("compare", "a", "b").stdout
    assert f"only A correct on {only_a}, only B on {only_b}" in shown
    assert r"\label{tab:paired-tests}" in three("compare", "a", "b", "--format", "tex").stdout
    assert "| A, B |" in three("compare", "a", "b", "--format", "md").stdout

    before = three("compare", "a", "b", "--json").stdout
    for name in "ab":  # as in a run of an earlier version
        next(tmp_path.glob(f"outputs/{name}/*/predictions.npz")).unlink()
    assert three("compare", "a", "b", "--json").stdout == before, "computed once more, they are the same"


def test_runs_that_cannot_be_paired_are_reported_with_the_reason(three: Neurobench, tmp_path: Path) -> None:
    next(tmp_path.glob("outputs/b/*/predictions.npz")).write_bytes(b"PK")
    assert "predictions.npz cannot be read" in three("compare", "a", "b").stdout
    (other,) = tmp_path.glob("outputs/c/*")
    shutil.copytree(other, tmp_path / "outputs" / "d" / "copied")
    file = tmp_path / "outputs" / "d" / "copied" / "result.json"
    result = json.loads(file.read_text())
    file.write_text(json.dumps({**result, "data": {**result["data"], "sha256": "f" * 64}}))
    done = three("compare", "a", "d")
    assert done.returncode == 0
    assert "no paired test, they read different data (sha256" in done.stdout
    both = three("compare", "a", "d", "--json", "--format", "tex")
    assert (both.returncode, both.stdout) == (2, ""), "one of the two was once ignored"
    assert "leave one out" in both.stderr
    assert "name 2 to 26 runs" in three("compare", "a").stderr
