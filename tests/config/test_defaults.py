"""Promises of composing without Hydra: the result is what Hydra composes, for every shipped file and for any files of
plugins; unsupported features and faulty files are left to Hydra."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from neurobench.config import compose, composed_cache, sources
from neurobench.config.compose import composer
from neurobench.config.defaults import LeftToHydra, merged
from neurobench.config.overrides import parse_word

GROUPS = ("model", "dataset", "encoder", "backend", "scale", "logger")
CHOICES = compose.all_choices()
# One file of each group but experiments at a time, so that each file is read at least once.
TOGETHER = [
    [f"{group}={name}" for group, name in zip(GROUPS, names, strict=True) if name]
    for names in itertools.zip_longest(*(CHOICES[group] for group in GROUPS))
]
WORDS = [
    *TOGETHER,
    ["experiment=[dynex_qrbm,lava_nmnist]"],
    ["logger=[tensorboard,wandb]"],
    ["experiment=matrix_qrbm_mnist", "backend=mock"],
    ["experiment=dynex_qrbm", "model=mlp", "experiment=lava_nmnist"],
]


def without_hydra(words: list[str]) -> dict[str, Any]:
    return merged({override.key_or_group: override.value() for override in map(parse_word, words) if override})


@pytest.mark.parametrize("words", [[f"experiment={name}"] for name in CHOICES["experiment"]] + WORDS, ids=" ".join)
def test_every_shipped_choice_is_composed_as_by_hydra(words: list[str]) -> None:
    with composer():
        ours, (theirs, _) = without_hydra(words), composed_cache.composed([*compose._plugins(), *words], reusable=False)
    assert OmegaConf.to_yaml(OmegaConf.create(ours)) == OmegaConf.to_yaml(theirs)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plugin's package of YAML files, with a data set to build on."""
    folder = tmp_path / f"yaml_of_{tmp_path.name}"  # another name in each test: importers cache what they find
    for group in ("dataset", "experiment", "table"):
        (folder / group).mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "dataset" / "first.yaml").write_text("name: first\na: {b: 1, c: [1, 2]}\nd: ${.a}\ne: null\nf: 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    for module in (composed_cache, compose, sources):
        monkeypatch.setattr(module, "config_packages", lambda: ("neurobench.conf", folder.name))
    return folder


def both(words: list[str]) -> list[str]:
    """Configurations composed by this package and by Hydra alone, as YAML, or the error messages."""
    results = []
    with composer():
        for reusable in (True, False):
            try:
                config, _ = composed_cache.composed([*compose._plugins(), *words], reusable)
            except Exception as error:
                results.append(f"{type(error).__name__}: {error}")
            else:
                results.append(OmegaConf.to_yaml(config))
    return results


FIRST = "defaults: [first, _self_]\n"
UPON_FIRST = [
    "a: {b: 2, new: 3}", "a: null", "a: 3", "a: {}", "a: ${.f}", "a: {c: [3]}", "a: {c: null}", "d: 1", "e: {x: 1}",
    "e: [1]", "f: {x: 1}", "f: [1]", "g: ???", "f: 1e-3", "yes: no",
]  # fmt: skip
DEFAULTS = [
    "[first]", "[_self_, first]", "[first, _self_]", "[{/encoder: counts}]", "[{override /scale: smoke}]",
    "[{override /scale: smoke}, {override /scale: quick}]", "[{override /encoder: null}]",
    "[{override /logger: [wandb, mlflow]}]", "[{override /model: qrbm}, _self_]", "[]",
]  # fmt: skip


@pytest.mark.parametrize("text", [FIRST + text for text in UPON_FIRST])
def test_a_file_that_builds_on_another_is_merged_as_by_hydra(package: Path, text: str) -> None:
    (package / "dataset" / "second.yaml").write_text(text)
    assert "a" in without_hydra(["dataset=second"])["dataset"]
    ours, hydras = both(["dataset=second"])
    assert ours == hydras
    assert "name: first" in ours


@pytest.mark.parametrize("defaults", DEFAULTS)
@pytest.mark.parametrize("header", ["", "# @package _global_\n"])
def test_a_defaults_list_is_followed_as_by_hydra(package: Path, defaults: str, header: str) -> None:
    (package / "experiment" / "first.yaml").write_text(f"{header}seed: 1\nname: first\n")
    (package / "experiment" / "second.yaml").write_text(f"{header}defaults: {defaults}\nseed: 2\n")
    ours, hydras = both(["experiment=second"])
    assert ours == hydras
    if header and "/encoder: counts" not in defaults:  # refused: the configuration has an encoder already
        assert without_hydra(["experiment=second"])["scale"] == yaml.safe_load(hydras)["scale"]


SECTION_FIRST = ["model={n_hidden: 3}", "model=qrbm"]
OVERRIDES = [
    SECTION_FIRST, ["encoder=null"], ["scale=null"], ["model=null", "model=qrbm"], ["model=3", "model=qrbm"],
    ["model=cnn,mlp", "model=qrbm"], ["logger={a: {b: 1}}", "logger=[]"],
]  # fmt: skip
LEFT = [
    "[{optional /scale: nope}]", "[{/scale@model: smoke}]", "[{override /nope: smoke}]", "[{override scale: smoke}]",
    "[{override /scale: smoke}, first]", "[_self_, _self_]", "[nope]", "[second]", "[{/scale: smoke}]", "3", "[3]",
    "[{override /scale: '${dataset}'}]", "[{override /scale: 3}]", "[{override hydra/launcher: basic}]",
    "[{/table: _self_}, first]", "[{override /experiment: first}]", "[{/hydra: own}]", "[{/hydra: [own]}]",
]  # fmt: skip
OTHERS = [
    "a: [", "- 1", "a: 1\na: 2", "# @package model\na: 1", "# @package _global_\nhydra: {job: {chdir: true}}",
    *(FIRST + text for text in ("a: {c: {x: 1}}", "a: [1]", "d: {x: 1}", "d: [1]", "f: ???")),
]  # fmt: skip


@pytest.mark.parametrize("text", [f"# @package _global_\ndefaults: {defaults}\nseed: 2" for defaults in LEFT])
def test_unsupported_and_faulty_defaults_lists_are_left_to_hydra(package: Path, text: str) -> None:
    (package / "experiment" / "first.yaml").write_text("# @package _global_\nseed: 1\n")
    (package / "experiment" / "second.yaml").write_text(text)
    (package / "hydra").mkdir()
    (package / "hydra" / "own.yaml").write_text("job: {env_set: {A: b}}\n")
    with pytest.raises((LeftToHydra, RecursionError)):
        without_hydra(["experiment=second"])
    ours, hydras = both(["experiment=second"])
    assert ours == hydras


@pytest.mark.parametrize("words", OVERRIDES, ids=" ".join)
def test_overrides_other_than_a_choice_of_files_are_left_to_hydra(words: list[str]) -> None:
    ours, hydras = both(words)
    assert ours == hydras
    assert ("Exception" in hydras) != (words == SECTION_FIRST)


def test_a_file_without_a_package_header_has_the_package_of_the_file_built_on_it(package: Path) -> None:
    (package / "experiment" / "first.yaml").write_text("seed: 1\nfigures: pdf\n")
    (package / "experiment" / "second.yaml").write_text("# @package _global_\ndefaults: [first]\nseed: 2\n")
    ours, hydras = both(["experiment=second"])
    assert ours == hydras
    assert without_hydra(["experiment=second"])["figures"] == "pdf"


def test_a_defaults_override_of_a_group_chosen_earlier_is_refused_as_by_hydra(package: Path) -> None:
    (package / "model").mkdir()
    text = "# @package _global_\ndefaults: [{override /logger: [wandb]}]\nmodel: {name: mine}\n"
    (package / "model" / "mine.yaml").write_text(text)
    ours, hydras = both(["model=mine"])
    assert ours == hydras
    assert "Could not override 'logger'" in hydras


@pytest.mark.parametrize("text", OTHERS)
def test_faulty_files_and_files_of_another_package_are_left_to_hydra(package: Path, text: str) -> None:
    (package / "dataset" / "second.yaml").write_text(text)
    with pytest.raises((LeftToHydra, yaml.YAMLError)):
        without_hydra(["dataset=second"])
    ours, hydras = both(["dataset=second"])
    assert ours == hydras
