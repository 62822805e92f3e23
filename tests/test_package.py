"""Promises of the repository itself: what ships is complete, light where it must be, and said once."""

import dataclasses
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from neurobench.config.compose import composer
from neurobench.config.targets import load
from neurobench.experiment.catalogue import catalogue

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SHIPPED = sorted(path for group in ("model", "dataset", "backend") for path in (ROOT / "conf" / group).glob("*.yaml"))


def test_every_package_is_named_for_the_wheel() -> None:
    there = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "neurobench").rglob("__init__.py")}
    assert set(PYPROJECT["tool"]["setuptools"]["packages"]) == there | {"neurobench.conf"}


def targets(node: Any) -> list[dict]:
    """Every mapping with a _target_ below a node."""
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
def test_a_classs_first_yaml_holds_its_defaults(path: Path) -> None:
    """qrbm.yaml is the default of its class; mnist_01.yaml, a preset of the same class, may differ."""
    for node in targets(OmegaConf.to_container(OmegaConf.load(path))):
        target = load(node["_target_"])
        if any(other.stem != path.stem and path.stem.startswith(f"{other.stem}_") for other in SHIPPED):
            continue
        for field in dataclasses.fields(target):
            if field.default is not dataclasses.MISSING:
                value = node[field.name]
                assert (tuple(value) if isinstance(value, list) else value) == field.default, field.name


def test_targets_import_nothing_heavy() -> None:
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


def test_every_experiment_composes_and_declares_a_whole_table() -> None:
    with composer() as compose:
        for name in catalogue()["experiment"]:
            config = compose([f"experiment={name}"])
            own = (name, f"{name}_{config.backend.name}")  # a cell of the matrix names its backend
            assert config.name in own, "an experiment's runs lie in a folder of its own name"


def test_data_and_code_carry_their_licences() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    notice = (ROOT / "NOTICE").read_text()
    assert "ShareAlike" in notice
    assert "MNIST" in notice
