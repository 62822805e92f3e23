"""Files received from others cannot run code: every attempt is refused with a message and leaves no trace.

Each attempt would create a marker file if the class that it names were called. See also tests/config/test_refusals.py.
"""

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from neurobench.cli.main import main
from neurobench.config.errors import BAD_USAGE, FAILED, FINE
from tests.specs import values
from tests.storage.sound import sound_result

SECTION = "only a section's own _target_ may name a class"
FOREIGN = "is not allowed: only classes of neurobench itself"
COMMAND_LINE = "is set by a YAML file: only the command line may change how Hydra itself works"
TORCH_MODULE = "defaults:\n  - override /model: torch_module\nmodel: {"

# Attempts by an experiment file of a received folder: YAML and the expected message. EVIL is a nested target.
FILES = {
    "a model's class": ("model: {_target_: os.system}", FOREIGN),
    "a model's class, by exec": ("model: {_target_: builtins.exec}", FOREIGN),
    "a model's key": ("model: {lr: EVIL}", SECTION),
    "a model's key, deep": ("model: {lr: {a: {b: EVIL}}}", SECTION),
    "a model's list": ("model: {l2_candidates: [1, EVIL]}", SECTION),
    "a list in a list": ("model: {l2_candidates: [[[EVIL]]]}", SECTION),
    "a new key of a model": ("model: {helper: EVIL}", SECTION),
    "arguments of a model": ("model: {_args_: [1]}", "model._args_"),
    "a partial model": ("model: {_partial_: true}", "model._partial_"),
    "a recursive model": ("model: {_recursive_: true}", "model._recursive_"),
    "a conversion": ("model: {_convert_: all}", "model._convert_"),
    "a device in a model": ("model: {sampler: EVIL}", SECTION),
    "a data set's class": ("dataset: {_target_: os.system}", FOREIGN),
    "a data set's key": ("dataset: {root: EVIL}", SECTION),
    "a data set's list": ("dataset: {digits: [EVIL]}", SECTION),
    "an encoder's class": ("encoder: {_target_: shutil.rmtree}", FOREIGN),
    "an encoder's key": ("encoder: {window: EVIL}", SECTION),
    "a data set for an encoder": ("encoder: {_target_: neurobench.data.specs.MNIST}", "offers no encoder"),
    "a model for a data set": ("dataset: {_target_: neurobench.models.qrbm.spec.QRBM}", "is no dataset"),
    "a device for a model": ("model: {_target_: neurobench.devices.core.specs.Loihi2}", "is no model"),
    "a device's class": ("backend: {sampler: {_target_: os.system}}", FOREIGN),
    "a device's key": ("backend: {sampler: {sweeps: EVIL}}", SECTION),
    "an unused device's key": ("backend: {mac: {gain: EVIL}}", SECTION),
    "a backend of its own": ("backend: EVIL", SECTION),
    "a tracker's class": ("logger: {x: {_target_: os.system}}", FOREIGN),
    "a tracker's key": ("logger: {x: {_target_: neurobench.experiment.trackers.MLflow, uri: EVIL}}", SECTION),
    "a tracker that is a device": (
        "logger: {x: {_target_: neurobench.devices.core.specs.Loihi2}}",
        "is no tracker",
    ),
    "the training": ("training: {epochs: EVIL}", SECTION),
    "the training's own class": ("training: {_target_: os.system}", "training has no key _target_"),
    "the scale": ("scale: {train: EVIL}", SECTION),
    "a table's row": ("table: {name: t, rows: [EVIL]}", SECTION),
    "a section of its own": ("extra: EVIL", SECTION),
    "the top": ("_target_: os.system", "there is no key _target_"),
    "our own command line": ("model: {_target_: neurobench.__main__.main}", "is no model"),
    "our own functions": ("model: {_target_: neurobench.models.learner.load}", "offers no model"),
    "a base class": ("model: {_target_: neurobench.models.learner.ModelSpec}", "offers no model"),
    "a base class of the data": ("dataset: {_target_: neurobench.data.dataset.DatasetSpec}", "offers no dataset"),
    "what data sets share": ("dataset: {_target_: neurobench.data.specs.Recordings}", "specs offers MNIST, NMNIST,"),
    "what own data share": ("dataset: {_target_: neurobench.data.custom.specs.Splittable}", "specs offers NPZ, CSV,"),
    "what readouts share": ("model: {_target_: neurobench.models.qrbm.spec.ChosenReadout}", "spec offers"),
    "what encoders share": ("encoder: {_target_: neurobench.data.encoders.Spikes}", "encoders offers"),
    "a sampler from elsewhere": (
        "defaults:\n  - override /backend: sim_neal\nbackend: {sampler: {sampler: os.system}}",
        "=os.system is not allowed",
    ),
    "a composite from elsewhere": (
        "defaults:\n  - override /backend: sim_neal\nbackend: {sampler: {composites: [os.system]}}",
        "=os.system is not allowed",
    ),
    "a torch module": (f"{TORCH_MODULE} module: os.system}}", "model.module=os.system is not allowed"),
    "a torch module's builtin": (
        f"{TORCH_MODULE} module: builtins.exec}}",
        "model.module=builtins.exec is not allowed",
    ),
    "a module of torch's own": (
        f"{TORCH_MODULE} module: torch.hub.load}}",
        "model.module=torch.hub.load is not allowed",
    ),
    "a class of ours that is no network": (
        f"{TORCH_MODULE} module: neurobench.models.torch_module.networks.prod}}",
        "model.module=neurobench.models.torch_module.networks.prod is not allowed",
    ),
    "a torch module by target": (f"{TORCH_MODULE} module: EVIL}}", SECTION),
    "a torch module's argument": (f"{TORCH_MODULE} arguments: {{hidden: EVIL}}}}", SECTION),
    "a torch module's list of arguments": (f"{TORCH_MODULE} arguments: {{sizes: [1, [EVIL]]}}}}", SECTION),
    "a torch module's path": (f"{TORCH_MODULE} module: ../evil.Net}}", "is not the dotted name of a class"),
    "a torch optimiser": (f"{TORCH_MODULE} optimizer: os.system}}", "is not one of adam"),
    "code beside the file": (f"{TORCH_MODULE} module: evil.Net}}", "model.module=evil.Net is not allowed"),
    "a device as a number": ("model: {sampler: 3}", "model.sampler=3 is not a device of the backend"),
    "a device as a text": ("model: {sampler: os.system}", "is not a device of the backend"),
    "a device where a number belongs": ("model: {lr: '${backend.sampler}'}", "takes a value, not a device"),
    "a device of another kind": ("model: {sampler: '${backend.mac}'}", "model.sampler takes a sampler"),
    "a number that is none": ("model: {lr: .nan}", "model.lr=nan is not a finite number"),
    "a number without end": ("model: {lr: .inf}", "model.lr=inf is not a finite number"),
    "bytes": ("model: {init_from: !!binary aGVsbG8=}", "bytes"),
    "a class of Python": (
        "model: {lr: !!python/object/apply:os.system ['touch MARKER']}",
        "could not determine a constructor",
    ),
    "Hydra's callbacks": ("hydra: {callbacks: {x: EVIL}}", COMMAND_LINE),
    "Hydra's job logging": ("hydra: {job_logging: {handlers: {x: {class: logging.FileHandler}}}}", COMMAND_LINE),
    "Hydra's own logging": ("hydra: {hydra_logging: {version: 1, root: {handlers: [x]}}}", COMMAND_LINE),
    "the environment": ("hydra: {job: {env_set: {NEUROBENCH_ALLOW: os}}}", COMMAND_LINE),
    "the environment, copied": ("hydra: {job: {env_copy: [HOME]}}", COMMAND_LINE),
    "Hydra's folder": ("hydra: {run: {dir: elsewhere}}", COMMAND_LINE),
    "Hydra's subfolder": ("hydra: {output_subdir: elsewhere}", COMMAND_LINE),
    "Hydra's sweeps": ("hydra: {sweep: {dir: elsewhere}}", COMMAND_LINE),
    "Hydra's search path": ("hydra: {searchpath: ['file:///elsewhere']}", "only supported from the primary config"),
    "Hydra's launcher": ("hydra: {launcher: {_target_: os.system}}", COMMAND_LINE),
    "Hydra's sweeper": ("hydra: {sweeper: {_target_: os.system}}", COMMAND_LINE),
    "a sweeper's parameters": ("hydra: {sweeper: {params: {seed: '1,2'}}}", COMMAND_LINE),
    "changing the folder": ("hydra: {job: {chdir: true}}", COMMAND_LINE),
}
# Attempts on the command line: of Hydra's settings, only sweeps and their launchers can be chosen.
WORDS = {
    "callbacks": (["+hydra.callbacks.x._target_=os.system"], "hydra.callbacks cannot be set"),
    "the environment": (["+hydra.job.env_set.NEUROBENCH_ALLOW=os"], "hydra.job.env_set cannot be set"),
    "a folder": (["hydra.run.dir=elsewhere"], "hydra.run.dir cannot be set"),
    "a subfolder": (["hydra.output_subdir=elsewhere"], "hydra.output_subdir cannot be set"),
    "job logging": (["hydra/job_logging=default"], "hydra.job_logging cannot be set"),
    "a launcher's class": (["hydra.launcher._target_=os.system"], "is not an installed Hydra plugin"),
    "a sweeper's class": (["hydra.sweeper._target_=os.system"], "is not an installed Hydra plugin"),
    "a launcher's argument": (["+hydra.launcher.x._target_=os.system"], "only an installed Hydra plugin"),
}
READING = [["show", "--predict", "3"], ["export", "--format", "bqm"]]
PLACES = {
    "a class": lambda config: config["model"].update(_target_="os.system"),
    "a class of the data": lambda config: config["dataset"].update(_target_="os.system"),
    "a device's class": lambda config: config["backend"]["sampler"].update(_target_="os.system"),
    "a nested class": lambda config: config["model"].update(lr={"_target_": "os.system", "_args_": ["touch MARKER"]}),
    "a class in a list": lambda config: config["model"].update(l2_candidates=[{"_target_": "os.system"}]),
    "a torch module": lambda config: config["model"].update(
        _target_="neurobench.models.torch_module.spec.TorchModule", module="evil.Net"
    ),
    "a tracker": lambda config: config.update(logger={"x": {"_target_": "os.system"}}),
    "a device": lambda config: config["model"].update(sampler=3),
}


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.py").write_text("open('marker', 'w')\n")  # beside the received files: it must not be imported
    return tmp_path / "marker"


def exit_code(words: list[str]) -> int:
    try:
        return main(words)
    except SystemExit as leaving:
        return int(leaving.code or 0)


def refused(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str], codes: tuple = (BAD_USAGE,)) -> None:
    assert exit_code(words) in codes
    written = capsys.readouterr()
    assert sentence in written.err + written.out
    assert "Traceback" not in written.err


def experiment(text: str, marker: Path) -> list[str]:
    """Command-line words that choose an experiment of a received folder."""
    folder = marker.parent / "sent" / "experiment"
    folder.mkdir(parents=True)
    evil = json.dumps({"_target_": "os.system", "_args_": [f"touch {marker}"]})
    text = text.replace("EVIL", evil).replace("MARKER", str(marker))
    (folder / "evil.yaml").write_text(f"# @package _global_\n{text}\n")
    return ["--config-dir", str(marker.parent / "sent"), "experiment=evil"]


@pytest.mark.parametrize(("text", "sentence"), FILES.values(), ids=list(FILES))
def test_a_received_experiment_file_cannot_run_code(
    text: str, sentence: str, marker: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(["run", *experiment(text, marker), "scale=smoke"], sentence, capsys)
    assert not marker.exists()
    assert not (marker.parent / "outputs").exists(), "a refused run left a folder"


@pytest.mark.parametrize("verb", [["run", "-m"], ["sweep"], ["validate"]], ids=lambda verb: verb[0])
@pytest.mark.parametrize("name", ["a model's key", "Hydra's callbacks", "Hydra's launcher", "the environment"])
def test_a_received_experiment_file_cannot_run_code_by_multirun_sweep_or_validate(
    verb: list[str], name: str, marker: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, sentence = FILES[name]
    refused([*verb, *experiment(text, marker), "scale=smoke"], sentence, capsys)
    assert not marker.exists()


@pytest.mark.parametrize(("words", "sentence"), WORDS.values(), ids=list(WORDS))
def test_hydra_settings_other_than_sweeps_and_launchers_are_refused_on_the_command_line(
    words: list[str], sentence: str, marker: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(["run", "scale=smoke", *words], sentence, capsys)
    assert not marker.exists()


def test_setting_neurobench_allow_after_the_import_allows_nothing(
    marker: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NEUROBENCH_ALLOW", "os")
    refused(["run", "backend=sim_neal", "backend.sampler.sampler=os.system"], "=os.system is not allowed", capsys)


@pytest.mark.parametrize(
    "space",
    [
        {"model.lr": {"choices": [{"_target_": "os.system", "_args_": ["touch MARKER"]}]}},
        {"model._target_": {"choices": ["os.system"]}},
        {"+hydra.callbacks.x._target_": {"choices": ["os.system"]}},
        {"+model.x._target_": {"choices": ["os.system"]}},
    ],
    ids=["a nested class", "a class", "a callback", "a new key"],
)
def test_a_search_space_cannot_run_code(
    space: dict[str, Any], marker: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("optuna")
    file = marker.parent / "evil.yaml"
    plain = {"overrides": ["model=qrbm", "scale=smoke"], "figure": "readout_validation_accuracy", "space": space}
    file.write_text(yaml.safe_dump(plain).replace("MARKER", str(marker)))
    refused(["tune", str(file), "--trials", "1"], "", capsys, (BAD_USAGE, FAILED))
    assert not marker.exists()


def sent_run(marker: Path, change: Any = None, config: str | None = None, checkpoint: bytes | None = None) -> str:
    """Run folder received from somebody, finished according to its own record."""
    folder = marker.parent / "outputs" / "sent" / "20260101-000000-abcdef"
    folder.mkdir(parents=True)
    plain = {
        "name": "sent",
        "seed": 0,
        "device": "cpu",
        "threads": 1,
        "outputs": "outputs",
        "resume": False,
        "training": {"epochs": 1, "batch_size": 64, "shuffle": True, "monitor": "validation_reconstruction_mse"}
        | {"patience": None, "goal": None, "checkpoint_every": 60},
        "scale": {"name": "smoke", "epochs": 1, "train": 200, "test": 200},
        "logger": {},
        "table": None,
        "dataset": {"name": "mnist", **values("dataset/mnist")},
        "backend": {"name": "sim", "sampler": values("backend/sim", "sampler")},
        "model": {"name": "qrbm", **values("model/qrbm"), "sampler": "${backend.sampler}"},
    }
    if change is not None:
        change(plain)
    text = yaml.safe_dump(plain) if config is None else config
    (folder / "config.yaml").write_text(text.replace("MARKER", str(marker)))
    record = {"schema": 2, "status": "finished", "config_hash": "abcdef", "neurobench": "?", "started": ""}
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "result.json").write_text(json.dumps(sound_result(1.0)))
    if checkpoint is not None:
        (folder / "checkpoint.pt").write_bytes(checkpoint)
    return str(folder)


@pytest.mark.parametrize("verb", [["rerun"], *READING], ids=lambda verb: verb[0])
@pytest.mark.parametrize("change", PLACES.values(), ids=list(PLACES))
def test_a_received_run_folder_cannot_run_code(
    verb: list[str], change: Any, marker: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = sent_run(marker, change)
    refused([verb[0], folder, *verb[1:]], "cannot run this configuration", capsys)
    assert not marker.exists()


def test_comparing_received_runs_runs_no_code(marker: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = sent_run(marker, PLACES["a nested class"])
    assert exit_code(["compare", folder, folder]) == FINE
    assert not marker.exists()


@pytest.mark.parametrize("verb", [["rerun"], ["show", "--predict", "3"], ["compare"]], ids=lambda verb: verb[0])
@pytest.mark.parametrize(
    "config",
    ["!!python/object/apply:os.system ['touch MARKER']", "- 1", "", "a: ["],
    ids=["Python", "list", "empty", "cut"],
)
def test_a_stored_configuration_that_is_not_a_yaml_mapping_is_refused_and_runs_no_code(
    verb: list[str], config: str, marker: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = sent_run(marker, config=config)
    others = [folder] if verb[0] == "compare" else verb[1:]
    refused([verb[0], folder, *others], "config.yaml", capsys)
    assert not marker.exists()


class Touch:
    def __init__(self, path: str):
        self.path = path

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("kind", ["pickle", "torch", "cut", "empty"])
@pytest.mark.parametrize("verb", READING, ids=lambda verb: verb[0])
def test_a_received_checkpoint_that_is_not_plain_data_is_refused_and_runs_no_code(
    verb: list[str], kind: str, marker: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = marker.parent / "evil.pt"
    torch.save({"learner": Touch(str(marker))}, evil)
    written = {
        "pickle": pickle.dumps({"learner": Touch(str(marker))}),
        "torch": evil.read_bytes(),
        "cut": evil.read_bytes()[:200],
        "empty": b"",
    }
    folder = sent_run(marker, checkpoint=written[kind])
    refused([verb[0], folder, *verb[1:]], "checkpoint.pt cannot be read as plain data", capsys)
    assert not marker.exists()
