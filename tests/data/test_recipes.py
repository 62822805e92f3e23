"""Every YAML under conf/dataset makes the recipe that it names, and lists each of its fields."""

import dataclasses
import importlib
from pathlib import Path

import pytest
import yaml

FILES = sorted((Path(__file__).parents[2] / "conf/dataset").glob("*.yaml"))


def read(path):
    """Name, class and fields."""
    entry = yaml.safe_load(path.read_text())
    module, _, name = entry.pop("_target_").rpartition(".")
    return entry.pop("name"), getattr(importlib.import_module(module), name), entry


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_lists_every_field_of_the_recipe_and_makes_it(path):
    name, recipe, fields = read(path)
    assert name == path.stem
    assert list(fields) == [field.name for field in dataclasses.fields(recipe)]
    made = recipe(**fields)
    assert made.layout in ("vector", "image", "events")
    assert made.n_classes >= 2


@pytest.mark.parametrize("name", ["mnist", "nmnist", "yin_yang"])
def test_the_data_sets_own_file_states_the_defaults(name):
    _, recipe, fields = read(next(path for path in FILES if path.stem == name))
    assert recipe(**fields) == recipe()
