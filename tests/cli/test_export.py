"""Tests of `export`: it lists the formats of a run, and refuses other formats before the run is loaded."""

import warnings
from pathlib import Path
from typing import Any

import pytest

from neurobench.cli import importing
from neurobench.cli.main import main
from neurobench.cli.runs import FILES
from neurobench.config.errors import BAD_USAGE
from neurobench.experiment import reload
from neurobench.models.learner import ModelSpec
from neurobench.models.qcnn.spec import HybridQCNN
from neurobench.models.qrbm.spec import QRBM
from neurobench.models.slayer.spec import SlayerSNN
from neurobench.problems.bqm import read_file
from tests.cli.conftest import Neurobench

RUN = ["run", "model=qrbm", "scale=smoke", "model.n_hidden=5", "name=machine", "figures=png", "threads=1"]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outputs")
    assert main([*RUN, f"outputs={folder}", "--quiet"]) == 0
    return folder


def test_export_without_a_format_lists_the_formats_of_the_run(
    outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "machine", "--outputs", str(outputs)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["bqm", "coo", "json", "pt2", "onnx", "safetensors"]


def test_an_unknown_export_format_is_refused_before_the_checkpoint_is_loaded(
    outputs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "load_learner", None)
    assert main(["export", "machine", "--format", "bqn", "--outputs", str(outputs)]) != 0
    assert (
        "model=qrbm has no format bqn; it has bqm, coo, json, pt2, onnx, safetensors. Did you mean bqm?"
        in capsys.readouterr().err
    )
    assert main(["export", "machine", "--format", "json", "--for", "snntorch", "--outputs", str(outputs)]) != 0
    assert "has no format json-snntorch" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--to", "x.json"], "--to needs a format: add --format NAME. Available: neurobench export machine"),
        (["--for", "snntorch"], "--for needs a format: add --format NAME."),
        (["--format", "json", "--to", "."], "--to: . is a folder: name a file in it"),
        (["--format", "json", "--to", "gone/x.json"], "--to: gone/x.json: there is no folder gone"),
    ],
)
def test_export_refuses_a_target_without_a_format_or_without_a_writable_file_name(
    outputs: Path, tmp_path: Path, neurobench: Neurobench, words: list[str], sentence: str
) -> None:
    done = neurobench("export", "machine", *words, "--outputs", str(outputs))
    assert done.returncode == BAD_USAGE
    assert sentence in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_formats_bqm_coo_and_json_are_written_and_can_be_read_back(outputs: Path, tmp_path: Path) -> None:
    for name in ("bqm", "coo", "json"):
        target = tmp_path / f"model.{name}"
        assert main(["export", "machine", "--format", name, "--to", str(target), "--outputs", str(outputs)]) == 0
        assert len(read_file(target.read_bytes(), 784).b) == 5


def test_warnings_on_training_and_data_are_not_repeated_when_its_run_is_exported_or_predicts(
    outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    """Of a motion that is not applied, of a chip that learns at a rate of its own, or of images that are resized."""

    def warning_first(function: Any) -> Any:
        def warn_and_call(*arguments: Any, **how: Any) -> Any:
            warnings.warn("given by the run", stacklevel=1)
            return function(*arguments, **how)

        return warn_and_call

    monkeypatch.setattr(reload, "build_learner", warning_first(reload.build_learner))
    monkeypatch.setattr(reload, "load_splits", warning_first(reload.load_splits))
    target = str(tmp_path / "model.json")
    assert main(["export", "machine", "--format", "json", "--to", target, "--outputs", str(outputs)]) == 0
    assert main(["show", "machine", "--predict", "1", "--outputs", str(outputs)]) == 0
    assert not [each for each in recwarn if "given by the run" in str(each.message)]


@pytest.mark.parametrize("spec", [SlayerSNN, QRBM, HybridQCNN])
def test_no_two_formats_of_a_model_are_written_to_the_same_file(spec: type[ModelSpec]) -> None:
    names = [FILES.get(name, f"model.{name}") for name in spec.formats]
    assert len(set(names)) == len(names)


def test_an_imported_run_is_named_after_the_data_set_that_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, given = tmp_path / "net.nir", []
    file.touch()
    monkeypatch.setattr(importing, "run_command", lambda words: given.append(words) or 0)
    for words in ([], ["--data", "mnist"], ["dataset=yin_yang"]):
        assert main(["import", str(file), *words]) == 0
    names = [word for words in given for word in words if word.startswith("name=")]
    assert names == ["name=net-nmnist", "name=net-mnist", "name=net-yin_yang"]
