"""The JSON schema accepts all shipped YAML, refuses what the specs refuse, and explains keys as the files do."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from neurobench.config.explanations import explained
from neurobench.config.json_schema import json_schema
from tests.specs import CONF, _Loader

SHIPPED = sorted(CONF.rglob("*.yaml"))


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json_schema()


@pytest.fixture(scope="module")
def faults(schema: dict[str, Any]) -> Any:
    reason = "jsonschema is not installed: pip install -e '.[dev]'"
    jsonschema = pytest.importorskip("jsonschema", reason=reason)
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    return lambda text: [error.message for error in validator.iter_errors(yaml.load(text, _Loader))]


def test_every_shipped_yaml_file_is_valid_under_the_schema(faults: Any) -> None:
    assert {str(path): found for path in SHIPPED if (found := faults(path.read_text()))} == {}


@pytest.mark.parametrize(
    "text",
    [
        "trainig: {epochs: 3}",
        "training: {epochs: 0}",
        "training: {epochs: many}",
        "seed: -1",
        "model: {no_such_key: 1}",
        "model: {_target_: neurobench.models.qrbm.spec.QRBM, hidden: 3}",
        "model: {_target_: neurobench.models.qrbm.spec.QRBM, n_hidden: 0}",
        "model: {_target_: neurobench.models.qrbm.spec.QRBM, pixels: gray}",
        "model: {_target_: neurobench.models.slayer.spec.SlayerSNN, hidden: [512, 0]}",
        "model: {_target_: neurobench.models.torch_module.spec.TorchModule, optimizer: lion}",
        "{_target_: neurobench.data.specs.MNIST, digits: [0, 10]}",
        "{defaults: [csv, _self_], name: ours, lable: kind}",
        "{_target_: neurobench.data.encoders.Counts, bins: 3.5}",
        "sampler: {_target_: neurobench.devices.sampler.specs.BlockGibbs, sweeps: none}",
        "table: {rows: [{what: no band}], named: x}",
    ],
)
def test_values_that_the_specs_refuse_are_invalid_under_the_schema(text: str, faults: Any) -> None:
    assert faults(text)


@pytest.mark.parametrize(
    "text",
    [
        "training: {epochs: '${paper:10,3}'}",
        "model: {lr: 0.5, n_hidden: 3}",
        "model: {_target_: mine.Mine, anything: 1}",
        "{_target_: mine.Data, samples: 3}",
        "{defaults: [csv, _self_], name: ours, root: ours.csv, label: kind}",
        "sampler: {_target_: mine.Device, most: 3}",
    ],
)
def test_interpolations_partial_sections_and_custom_classes_are_valid_under_the_schema(text: str, faults: Any) -> None:
    assert faults(text) == []


def test_keys_have_bounds_choices_defaults_and_the_explanation_of_their_file(schema: dict[str, Any]) -> None:
    qrbm = schema["definitions"]["neurobench.models.qrbm.spec.QRBM"]
    assert "96.4 % of the official MNIST test set" in qrbm["description"]
    chains = qrbm["properties"]["chains"]
    assert (chains["default"], chains["description"]) == (100, "number of Markov chains; all `negative` but cd")
    assert chains["anyOf"][0] == {"type": "integer", "minimum": 1}
    assert qrbm["properties"]["pixels"]["anyOf"][0] == {"enum": ["binary", "grey"]}
    above = qrbm["properties"]["negative"]["description"]
    assert above.startswith("Source of the negative-phase samples")
    host = schema["definitions"]["neurobench.models.hxtorch.spec.HXTorchMLP"]["properties"]["phases"]
    assert host["properties"]["host"]["description"] == "phase on the host's linear model of the device"
    root = schema["properties"]["threads"] if "properties" in schema else schema["definitions"]["configuration"]
    assert "the same seed and threads give the same bits" in str(root)


def test_comments_above_and_beside_a_key_are_its_explanation() -> None:
    text = (
        "# @package _global_\n# A file\na: 1 # one\nb: # a section\n  # above\n  c: 'x # y'\n  d: [1,\n    2] # two\n"
    )
    said = {".".join(path): key.comment for path, key in explained(text).items()}
    assert said == {"": "A file", "a": "one", "b": "a section", "b.c": "above", "b.d": "two"}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_shipped_yaml_file_names_the_schema(path: Path) -> None:
    above = "" if path.parent == CONF else "../"
    assert f"# yaml-language-server: $schema={above}schema.json" in path.read_text().splitlines()[:2]


def test_the_schema_includes_a_users_files_and_faulty_ones_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/own.yaml").write_text("model:\n  _target_: neurobench.models.mlp.spec.MLP\n  hidden: 3 # few\n")
    (tmp_path / "model/broken.yaml").write_text("a: [")
    (tmp_path / "model/foreign.yaml").write_text("model: {_target_: os.system}\n")
    own = json_schema(str(tmp_path))
    groups = own["definitions"]["configuration"]["properties"]["defaults"]["items"]["anyOf"][1]["properties"]
    assert "own" in groups["override /model"]["anyOf"][0]["enum"]
    told = capsys.readouterr().err
    assert "broken.yaml" in told
    assert "_target_=os.system is not allowed" in told
