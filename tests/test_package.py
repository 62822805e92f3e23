"""Promises of the repository itself: it is complete, light to import where it must be, and without duplicates."""

import dataclasses
import math
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import neurobench.conf
import pytest
from omegaconf import OmegaConf

import neurobench
from neurobench.config.compose import composer
from neurobench.config.schema import Row
from neurobench.config.targets import load
from neurobench.experiment.catalogue import catalogue
from neurobench.metrics.catalog import metric
from neurobench.report.published import table_names
from tests.cli.conftest import environment

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SHIPPED = sorted(path for group in ("model", "dataset", "backend") for path in (ROOT / "conf" / group).glob("*.yaml"))


def test_pyproject_lists_every_package_for_the_wheel() -> None:
    there = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "neurobench").rglob("__init__.py")}
    assert set(PYPROJECT["tool"]["setuptools"]["packages"]) == there | {"neurobench.conf"}


def targets(node: Any) -> list[dict]:
    """Every mapping with a _target_ in a node and below it."""
    if isinstance(node, list):
        return [found for item in node for found in targets(item)]
    if not isinstance(node, dict):
        return []
    here = [node] if "_target_" in node else []
    return here + [found for item in node.values() for found in targets(item)]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_yaml_lists_every_field_of_its_class(path: Path) -> None:
    for node in targets(OmegaConf.to_container(OmegaConf.load(path))):
        fields = {field.name for field in dataclasses.fields(load(node["_target_"]))}
        assert set(node) - {"_target_", "name"} == fields


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_yaml_of_a_class_equals_its_defaults_unless_it_is_a_preset(path: Path) -> None:
    """qrbm.yaml contains the defaults of its class; mnist_01.yaml, a preset of the class of mnist.yaml, may differ."""
    for node in targets(OmegaConf.to_container(OmegaConf.load(path))):
        target = load(node["_target_"])
        if any(other.stem != path.stem and path.stem.startswith(f"{other.stem}_") for other in SHIPPED):
            continue
        for field in dataclasses.fields(target):
            if field.default is not dataclasses.MISSING:
                value = node[field.name]
                assert (tuple(value) if isinstance(value, list) else value) == field.default, field.name


def test_loading_shipped_target_classes_imports_no_heavy_library() -> None:
    names = sorted(
        {node["_target_"] for path in SHIPPED for node in targets(OmegaConf.to_container(OmegaConf.load(path)))}
    )
    script = (
        "import sys\nfrom neurobench.config.targets import load\n"
        f"for name in {names!r}:\n    load(name)\n"
        "print(sorted({'torch', 'numba', 'dimod', 'tonic', 'torchvision', 'matplotlib', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_experiment_composes_and_declares_complete_table_rows() -> None:
    ids: dict[str, list[str]] = {}
    with composer() as compose:
        for name in catalogue()["experiment"]:
            config = compose([f"experiment={name}"])
            own = (name, f"{name}_{config.backend.name}")  # a cell of the matrix names its backend
            assert config.name in own, "an experiment's runs lie in a folder of its own name"
            table: Any = OmegaConf.to_container(config.table, resolve=True)
            assert table["rows"], f"{name} contributes no row"
            for row in (Row(**row) for row in table["rows"]):
                assert_whole(row)
                ids.setdefault(table["name"], []).append(row.id)
    assert set(ids) <= set(table_names())
    for table, rows in ids.items():
        assert sorted(set(rows)) == sorted(rows), f"two rows of table {table} have one id"


def assert_whole(row: Row) -> None:
    """Check that a row has a name, source and meaning, that published values are numbers and its band is not empty."""
    assert min(len(text.strip()) for text in (row.id, row.what, row.metric, row.source, row.means)) > 0, row
    assert row.metric.isidentifier(), f"{row.id}: no run has a figure named {row.metric}"
    numbers = [number for number in (row.published, *row.band) if number is not None]
    assert all(math.isfinite(number) for number in numbers), row
    low, high = (end if end is not None else sign * math.inf for end, sign in zip(row.band, (-1, 1), strict=True))
    assert low <= high, f"{row.id}: nothing lies in {row.band}"
    if metric(row.metric).unit == "proportion":
        assert all(0 <= number <= 1 for number in numbers), f"{row.id} is a proportion"


def test_the_tests_run_the_code_of_their_own_checkout(tmp_path: Path) -> None:
    """Both in this process and in those that tests start: another checkout may be installed in the environment."""
    script = "import neurobench, neurobench.conf; print(neurobench.__file__, neurobench.conf.__file__, sep='\\n')"
    words = [sys.executable, "-c", script]
    done = subprocess.run(words, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True)
    ours = [str(ROOT / "neurobench" / "__init__.py"), str(ROOT / "conf" / "__init__.py")]
    assert done.stdout.split("\n")[:2] == ours
    assert [str(neurobench.__file__), str(neurobench.conf.__file__)] == ours


def test_the_citation_names_the_version_that_is_installed() -> None:
    assert f"version: {neurobench.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_data_and_code_carry_their_licences() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    notice = (ROOT / "NOTICE").read_text()
    assert "ShareAlike" in notice
    assert "MNIST" in notice
