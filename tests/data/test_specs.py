"""Every YAML file under conf/dataset and conf/encoder builds the spec that it names and lists each of its fields."""

import dataclasses
from pathlib import Path

import pytest

from neurobench.config.bounds import BoundsError
from neurobench.config.targets import load
from neurobench.data.custom.specs import CustomData
from tests.specs import CONF, spec, values

FILES = sorted(path for group in ("dataset", "encoder") for path in (CONF / group).glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_configuration_file_lists_every_field_of_its_spec_and_builds_it(path: Path) -> None:
    file = f"{path.parent.name}/{path.stem}"
    fields = values(file)
    cls = load(fields.pop("_target_"))
    declared = [field.name for field in dataclasses.fields(cls)]
    assert path.stem == "auto" or callable(load(cls.opens))
    if fields.get("root", "") is None and issubclass(cls, CustomData):  # no files are configured yet
        assert set(fields) == set(declared)
        with pytest.raises(BoundsError, match="no files are given yet"):
            spec(file)
        return
    assert list(fields) == declared
    made = spec(file)
    if path.parent.name == "dataset":
        assert made.layout in ("vector", "image", "events")
        assert made.n_classes >= 2
    if path.stem != "auto":
        assert callable(load(made.opens))
