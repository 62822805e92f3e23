"""A plugin whose package is missing, or whose class cannot be imported, is named and does not stop other commands."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import command, environment


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Two installed plugins: one without its package, one whose model cannot be imported."""
    for name, points in (
        ("gone", "[neurobench.configs]\ngone = package_gone.conf\n"),
        ("half", "[neurobench.configs]\nhalf = half.conf\n[neurobench.plugins]\nm = half.model:Mine\n"),
    ):
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(points)
    (tmp_path / "half/conf/model").mkdir(parents=True)
    for package in ("half", "half/conf"):
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "half/model.py").write_text("from json import a_name_that_is_not_there\n")
    (tmp_path / "half/conf/model/mine.yaml").write_text("name: mine\n_target_: half.model.Mine\n")
    return tmp_path


def run(site: Path, *words: str) -> subprocess.CompletedProcess:
    paths = os.pathsep.join([environment()["PYTHONPATH"], str(site)])
    return subprocess.run(
        command(*words), env={**environment(), "PYTHONPATH": paths}, capture_output=True, text=True, timeout=120
    )


def test_broken_plugins_are_named_and_a_model_of_neurobench_still_validates(site: Path) -> None:
    done = run(site, "validate", "model=qrbm")
    assert (done.returncode, "fine" in done.stdout) == (0, True), done.stderr
    assert done.stderr.count("plugin package_gone.conf is left out: ModuleNotFoundError") == 1
    refused = run(site, "validate", "model=mine")
    assert refused.returncode == 2
    assert "half.model.Mine: its module cannot be imported (ImportError: cannot import name" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_doctor_names_a_missing_plugin_package_and_a_class_that_cannot_be_imported(site: Path) -> None:
    done = run(site, "doctor")
    assert done.returncode == 1
    assert "fix   plugin package_gone.conf: ModuleNotFoundError" in done.stdout
    assert "fix   plugin half.model.Mine from half: ImportError" in done.stdout
