"""Tests of `new`, whose files run and pass their own test unchanged, and of `cp`, which copies a recipe; no file is
overwritten."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from neurobench.cli.new import GROUPS
from neurobench.config.compose import composer
from neurobench.config.errors import BAD_USAGE, FINE
from neurobench.experiment.plan import parse
from tests.cli.conftest import Neurobench


def test_the_files_that_new_writes_run_and_pass_their_own_tests(neurobench: Neurobench, tmp_path: Path) -> None:
    """Each of the written tests runs its subject once, at scale=smoke."""
    for kind, group in GROUPS.items():
        done = neurobench("new", kind, f"own_{kind}")
        assert done.returncode == FINE, done.stderr
        own = "--config-dir ." if kind == "experiment" else f"--plugin own_{kind}.py"
        assert f"\nneurobench run {own} {group}=own_{kind}\n" in done.stdout
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."]
    bare = {name: value for name, value in os.environ.items() if name != "NEUROBENCH_ALLOW"}
    tested = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=bare)
    assert tested.returncode == 0, tested.stdout
    assert "11 passed" in tested.stdout
    assert all(len(line) <= 120 for path in tmp_path.rglob("*.py") for line in path.read_text().splitlines())


def test_new_and_cp_overwrite_no_file(neurobench: Neurobench, tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text("precious")
    done = neurobench("new", "model", "mine")
    assert done.returncode == BAD_USAGE
    assert "there is test_mine.py already: nothing was written" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["test_mine.py"]
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment/mine.yaml").symlink_to("nowhere")
    assert neurobench("cp", "experiment", "dynex_qrbm", "mine").returncode == BAD_USAGE


@pytest.mark.parametrize(
    ("kind", "name", "sentence"),
    [
        ("model", "qrbm", "model=qrbm exists already"),
        ("experiment", "dynex_qrbm", "experiment=dynex_qrbm exists already"),
        ("model", "torch", "Python has a module torch already"),
        ("dataset", "json", "Python has a module json already"),
        ("device", "my-device", "use letters, digits and underscores"),
        ("device", "../up", "use letters, digits and underscores"),
        ("device", "class", "use letters, digits and underscores"),
        ("model", "null", "would not read it as a name"),
        ("dataset", "yes", "would not read it as a name"),
        ("dataset", "nan", "would not read it as a name"),
        ("experiment", "on", "would not read it as a name"),
        ("model", "task", "its class would be named Task, which is imported"),
        ("model", "sums", "its class would be named Sums, which is imported"),
        ("dataset", "path", "its class would be named Path, which is imported"),
        ("model", "none", "its class would be named None, which is a word of Python"),
    ],
)
def test_a_name_that_is_taken_or_not_importable_is_refused(
    kind: str, name: str, sentence: str, neurobench: Neurobench, tmp_path: Path
) -> None:
    done = neurobench("new", kind, name)
    assert (done.returncode, sentence in done.stderr) == (BAD_USAGE, True)
    assert not any(tmp_path.iterdir())


def test_an_experiment_may_be_named_like_an_imported_class_since_it_has_none(
    neurobench: Neurobench, tmp_path: Path
) -> None:
    assert neurobench("new", "experiment", "path").returncode == FINE
    assert (tmp_path / "experiment/path.yaml").is_file()


@pytest.mark.parametrize("name", ["Mine_2", "MineX", "mine_mine"])
def test_a_name_that_contains_that_of_the_template_is_used_as_it_is(
    name: str, neurobench: Neurobench, tmp_path: Path
) -> None:
    assert neurobench("new", "model", name).returncode == FINE
    done = neurobench("validate", "--plugin", f"{name}.py", f"model={name}")
    assert done.returncode == FINE, done.stderr


@pytest.mark.parametrize("recipe", ["dynex_qrbm", "nest_eprop_nmnist_online", "hxtorch_yin_yang_float"])
def test_a_copied_recipe_is_the_same_setting_under_a_new_name(
    recipe: str, neurobench: Neurobench, tmp_path: Path
) -> None:
    assert neurobench("cp", "experiment", recipe, "experiment/mine.yaml").returncode == FINE
    with composer(str(tmp_path)) as compose:
        copied, original = compose(["experiment=mine"]), compose([f"experiment={recipe}"])
    assert (copied.name, copied.table.name) == ("mine", "mine")
    assert parse(copied).config_hash == parse(original).config_hash
    assert copied.table.rows == original.table.rows


def test_cp_copies_recipes_into_the_experiment_folder_and_refuses_other_places(
    neurobench: Neurobench, tmp_path: Path
) -> None:
    assert neurobench("cp", "experiment", "dynex_qrbm", "mine.yaml").returncode == FINE
    assert yaml.safe_load((tmp_path / "experiment/mine.yaml").read_text())["name"] == "mine"
    for file, sentence in (
        ("other/mine.yaml", "an experiment is found as FOLDER/experiment/mine.yaml"),
        ("dynex_qrbm", "experiment dynex_qrbm exists already"),
        ("2024", "would not read it as a name"),
    ):
        done = neurobench("cp", "experiment", "dynex_qrbm", file)
        assert (done.returncode, sentence in done.stderr) == (BAD_USAGE, True), done.stderr
    done = neurobench("cp", "experiment", "dynex_qrbm", "my own/experiment/mine.yaml")
    assert "\nneurobench run --config-dir 'my own' experiment=mine\n" in done.stdout
    assert "Did you mean dynex_qrbm?" in neurobench("cp", "experiment", "dynex_qrb", "a").stderr
    assert "copy one that has its own file" in neurobench("cp", "experiment", "matrix_qrbm_mnist", "a").stderr
