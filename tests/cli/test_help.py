"""Tests of `help GROUP=NAME`: each key with the value, bound and comment that its YAML file and spec declare."""

from pathlib import Path

import pytest
import yaml

from neurobench.config.key_help import KeyHelp, choice_help
from neurobench.config.targets import config_places
from tests.cli.conftest import Neurobench


def key(group: str, name: str, wanted: str) -> KeyHelp:
    return next(one for one in choice_help(group, name).keys if one.key == wanted)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("model=qrbm", KeyHelp("model.lr", "0.05", "", "a number above 0", "learning rate at the first update")),
        ("model=eprop_rsnn", KeyHelp("model.tau_m", "30.0", "ms", "a number above 0", "")),
        ("model=slayer_snn", KeyHelp("model.max_delay", "62", "steps", "an integer in [0, 62]", "")),
        ("dataset=csv", KeyHelp("dataset.root", "null", "", "a string or null", "the file or folder")),
        ("backend=mock", KeyHelp("backend.core.state_bits", "24", "", "an integer in [8, 31]",
                                 "sign included; the current wraps, the voltage is clipped")),
        (
            "experiment=dynex_qrbm_best",
            KeyHelp("model.pixels", "grey", "", "one of binary, grey",
                    "binary: 1 above the threshold | grey: the pixel itself as a probability"),
        ),
    ],
)  # fmt: skip
def test_a_key_has_its_default_unit_bound_and_meaning(choice: str, expected: KeyHelp) -> None:
    assert key(*choice.split("="), expected.key) == expected


@pytest.mark.parametrize(
    ("group", "name"), [("model", "slayer_snn"), ("dataset", "events_folder"), ("encoder", "rate")]
)
def test_help_on_a_choice_shows_every_key_of_its_yaml_file(group: str, name: str) -> None:
    """The keys are compared with the YAML file as PyYAML reads it."""
    values = yaml.safe_load(config_places()[0].joinpath(group, f"{name}.yaml").read_text())
    section = values["model"] if group == "model" else values
    wanted = {f"{group}.{one}" for one in section if one not in ("name", "_target_")}
    keys = {".".join(one.key.split(".")[:2]) for one in choice_help(group, name).keys}
    assert {key for key in keys if not key.startswith("training.")} == wanted


def test_help_on_a_choice_shows_the_keys_that_its_defaults_list_takes_over(tmp_path: Path) -> None:
    texts = {
        "dataset/flowers.yaml": "defaults: [csv, _self_]\nname: flowers\nlabel: kind # its species\n",
        "dataset/kept.yaml": "defaults: [_self_, csv]\nname: kept\nlabel: kind\n",
        "model/narrow.yaml": "defaults:\n  - mlp\nname: narrow\nhidden: 24\n",
        "experiment/first.yaml": "# @package _global_\ndefaults: [override /model: narrow]\ntraining:\n  epochs: 2\n",
        "experiment/second.yaml": "# @package _global_\ndefaults:\n  - first\n  - _self_\nmodel:\n  lr: 0.1\n",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    shown = {
        name: {each.key: each for each in choice_help(*name.split("/"), str(tmp_path)).keys}
        for name in ("dataset/flowers", "dataset/kept", "model/narrow", "experiment/second")
    }
    assert shown["dataset/flowers"].keys() == {each.key for each in choice_help("dataset", "csv").keys}
    assert shown["dataset/flowers"]["dataset.label"][1::3] == ("kind", "its species")
    assert shown["dataset/kept"]["dataset.label"].default == "'-1'", "the last file of the list counts"
    assert shown["model/narrow"].keys() == {each.key for each in choice_help("model", "mlp").keys}
    assert shown["model/narrow"]["model.hidden"].default == "24"
    assert {name: each.default for name, each in shown["experiment/second"].items()} == {
        "training.epochs": "2",
        "model.lr": "0.1",
    }


@pytest.mark.parametrize("word", ["model=qrbm", "qrbm", "QRBM"])
def test_a_choice_is_explained_with_or_without_its_group(word: str, neurobench: Neurobench) -> None:
    done = neurobench("help", word)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("model=qrbm")
    assert "model.n_hidden=300" in done.stdout


def test_help_on_an_experiment_names_its_model_and_data_set(neurobench: Neurobench) -> None:
    for name in ("dynex_qrbm_qpu", "matrix_qrbm_mnist"):
        assert "model=qrbm dataset=mnist" in neurobench("help", f"experiment={name}").stdout


def test_lines_of_help_fit_the_terminal(neurobench: Neurobench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = neurobench("help", "model=slayer_snn").stdout.splitlines()
    assert max(map(len, lines)) <= 80


def test_help_on_a_verb_equals_the_output_of_its_help_option(neurobench: Neurobench) -> None:
    assert neurobench("help", "sweep").stdout == neurobench("sweep", "--help").stdout


def test_help_on_run_is_neurobenchs_not_hydras(neurobench: Neurobench) -> None:
    answer = neurobench("run", "--help").stdout
    assert answer.startswith("usage: neurobench run [KEY=VALUE ...]")
    assert all(flag in answer for flag in ("--resume", "--cfg", "--plugin", "examples:"))
    assert "Powered by Hydra" not in answer


def test_the_version_is_printed_by_a_verb_and_an_option(neurobench: Neurobench) -> None:
    assert neurobench("version").stdout == neurobench("--version").stdout
