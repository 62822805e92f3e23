"""Promises of `import neurobench` itself: it is fast, it is typed, and a study takes few lines."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import neurobench as nb

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "tests" / "plugin"
TIMED = """
import json, sys, time
begun = time.perf_counter()
import neurobench
print(time.perf_counter() - begun)
assert not {"numpy", "torch", "hydra", "omegaconf", "rich", "sklearn", "pandas"} & set(sys.modules)
"""
STUDY = """
import neurobench as nb
grid = {"model.lr": [0.1, 0.5], "training.batch_size": [20, 50]}
runs = nb.sweep("model=toy", "scale=smoke", grid, seed=range(3), progress=False)
print(runs.frame().pivot_table("test_accuracy", "model.lr", "training.batch_size", aggfunc=["mean", "std", "count"]))
"""
STRICT = """
[mypy]
strict = True
follow_imports = silent
[mypy-torch.*]
follow_imports = skip
"""


def python(*words: str, folder: Path) -> str:
    """Output of a fresh interpreter."""
    paths = [str(ROOT), str(PLUGIN), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "200"}
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, cwd=folder, env=variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_importing_neurobench_takes_less_than_30_ms_and_loads_no_heavy_library(tmp_path: Path) -> None:
    """The minimum of five leaves out the time that other processes take."""
    assert min(float(python("-c", TIMED, folder=tmp_path)) for _ in range(5)) < 0.03


def test_every_public_name_exists_and_an_unknown_one_is_refused_with_the_known_ones() -> None:
    assert set(dir(nb)) == {
        "__version__", "ConfigError", "DataError", "Run", "Runs", "Table", "UserError", "allow", "datasets", "encoders",
        "estimator", "load", "run", "runs", "sweep", "table",
    }  # fmt: skip
    for name in dir(nb):
        assert getattr(nb, name) is not None
    with pytest.raises(AttributeError, match="module 'neurobench' has no attribute 'rnu'; there is .*run"):
        _ = nb.rnu  # type: ignore[attr-defined]


@pytest.mark.usefixtures("here")
def test_accuracy_against_two_hyper_parameters_over_three_seeds_takes_six_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pandas")
    assert len(STUDY.strip().splitlines()) <= 6
    monkeypatch.setenv("COLUMNS", "200")
    exec(STUDY, {})
    table = capsys.readouterr().out
    rows = [line.split() for line in table.splitlines() if line.startswith(("0.1", "0.5"))]
    assert [row[-2:] for row in rows] == [["3", "3"], ["3", "3"]]
    assert all(0 < float(value) <= 1 for row in rows for value in row[1:3])


def test_a_script_that_uses_the_whole_public_api_passes_mypy_strict(tmp_path: Path) -> None:
    assert (
        "py.typed"
        in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["neurobench"]
    )
    assert (ROOT / "neurobench" / "py.typed").is_file()
    (tmp_path / "mypy.ini").write_text(STRICT)
    script = Path(__file__).with_name("typed.py")
    print(python("-m", "mypy", "--config-file", "mypy.ini", "--cache-dir", "cache", str(script), folder=tmp_path))
