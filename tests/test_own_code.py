"""A user's own model, device or data set: one module and one YAML file in an empty folder, nothing else edited."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from neurobench.cli.main import main
from neurobench.config import targets
from neurobench.config.errors import BAD_USAGE, FAILED, FINE
from neurobench.storage.store import find_run

ECHO = '''
"""An echo-state network: a fixed random reservoir that a sample drives, and a ridge regression on its last state."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from neurobench.config.bounds import Bound
from neurobench.models.learner import ModelSpec, Sums


@dataclass(frozen=True)
class EchoState(ModelSpec):
    opens: ClassVar[str] = "echo.Reservoir"
    reads: ClassVar[tuple[str, ...]] = ("vector",)
    figures: ClassVar[str] = "echo.draw"
    operations: ClassVar[str] = "echo.count"

    units: Annotated[int, Bound(1)]
    steps: Annotated[int, Bound(1)]
    ridge: Annotated[float, Bound(0, above=True)]


class Reservoir:
    def __init__(self, spec, task, seeds, devices, device):
        import torch

        self.spec, self.task = spec, task
        draw = torch.Generator().manual_seed(seeds.init)
        self.W_in = torch.randn(task.shape[0], spec.units, generator=draw) / task.shape[0] ** 0.5
        W = torch.randn(spec.units, spec.units, generator=draw)
        self.W = 0.9 * W / torch.linalg.eigvals(W).abs().max()
        self.A = torch.zeros(spec.units + 1, spec.units + 1)
        self.B = torch.zeros(spec.units + 1, task.n_classes)
        self.out = torch.zeros(spec.units + 1, task.n_classes)

    def states(self, x):
        import torch

        h = torch.zeros(len(x), self.spec.units)
        for _ in range(self.spec.steps):
            h = torch.tanh(x @ self.W_in + h @ self.W)
        return torch.cat([h, torch.ones(len(x), 1)], 1)

    def start(self, train, initial):
        pass

    def learn(self, batch, at):
        import torch

        s = self.states(batch.x)
        self.A += s.T @ s
        self.B += s.T @ torch.nn.functional.one_hot(batch.y, self.task.n_classes).float()
        return Sums()

    def measure(self, batch):
        return Sums()

    def finalize(self, train, validation, record):
        import torch

        self.out = torch.linalg.solve(self.A + self.spec.ridge * torch.eye(len(self.A)), self.B)
        return {}

    def predict(self, x):
        return self.states(x) @ self.out

    def state_dict(self):
        return {"A": self.A, "B": self.B, "out": self.out}

    def load_state_dict(self, state):
        self.A, self.B, self.out = (state[name].clone() for name in ("A", "B", "out"))


def draw(learner, test, record):
    from matplotlib.figure import Figure

    figure = Figure()
    figure.subplots().imshow(learner.W.numpy())
    return {"reservoir": figure}


def count(learner, x):
    from neurobench.metrics.operations import Operations, linear

    out = linear("out", learner.out.T, learner.states(x), spikes=False)
    return Operations(len(x), len(x), [out], [], {"out": learner.out}, {"W": learner.W, "W_in": learner.W_in})
'''
ECHO_YAML = """
# @package _global_
model:
  name: echo
  _target_: echo.EchoState
  units: 60
  steps: 4
  ridge: 0.1
"""
DEVICE = '''
"""A sampler whose chains stay where they are put, and begin at random: the worst that there is."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from neurobench.config.bounds import Bound
from neurobench.devices.spec import DeviceSpec


@dataclass(frozen=True)
class Lazy(DeviceSpec):
    kind: ClassVar[str] = "sampler"
    opens: ClassVar[str] = "lazy.Chains"

    most: Annotated[int, Bound(1)]

    def refuse(self, demand):
        return None if demand.neurons <= self.most else f"{demand.neurons} hidden units are more than {self.most}"


class Chains:
    def __init__(self, spec, seed, device):
        pass

    def sample_rbm(self, rbm, num_reads, seed, initial_hidden=None):
        import torch

        from neurobench.devices.sampler.protocol import Reads

        draw = torch.Generator().manual_seed(seed % 2**63)
        h = initial_hidden if initial_hidden is not None else (torch.rand(num_reads, len(rbm.b), generator=draw) < 0.5)
        v = torch.bernoulli(torch.sigmoid(rbm.a + h.float() @ rbm.W.T), generator=draw)
        return Reads(v, h.float(), {"reads": float(num_reads)})
'''
DEVICE_YAML = """
name: lazy
sampler:
  _target_: lazy.Lazy
  most: 300
"""
DATA = '''
"""Two rings, one within the other."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from neurobench.config.bounds import Bound
from neurobench.data.dataset import DatasetSpec


@dataclass(frozen=True)
class Rings(DatasetSpec):
    opens: ClassVar[str] = "rings.load"
    layout: ClassVar[str] = "vector"
    shape: ClassVar[tuple[int, ...]] = (2,)
    n_classes: ClassVar[int] = 2

    samples: Annotated[int, Bound(3)]


def load(spec, seed):
    import torch

    from neurobench.data.dataset import Split, Splits

    def split(number):
        draw = torch.Generator().manual_seed((seed + number) % 2**63)
        y = torch.arange(spec.samples) % 2
        angle = 6.283 * torch.rand(spec.samples, generator=draw)
        radius = 0.15 + 0.2 * y + 0.05 * torch.rand(spec.samples, generator=draw)
        x = 0.5 + radius[:, None] * torch.stack([angle.cos(), angle.sin()], 1)
        return Split(x, y, torch.arange(spec.samples) + number * spec.samples)

    return Splits(split(0), split(1), split(2), "generated", "0" * 64, "rings drawn anew")
'''
NET_YAML = """
# @package _global_
defaults:
  - override /model: torch_module
  - override /dataset: yin_yang
  - override /scale: smoke
name: mynet
model:
  module: mynet.Net
  arguments: {width: 7}
  layout: vector
"""
DATA_YAML = """
name: rings
_target_: rings.Rings
samples: 300
"""


def exit_code(words: list[str]) -> int:
    try:
        return main(words)
    except SystemExit as leaving:
        return int(leaving.code or 0)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, str, str], list[str]]:
    """Write a module and its YAML into the empty folder, allow the module, and return the words to find the YAML."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(targets, "PLUGIN_FILES", {})
    monkeypatch.setattr(targets, "ALLOWED", ())
    monkeypatch.setenv("NEUROBENCH_ALLOW", "")

    def write(name: str, code: str, group: str, text: str) -> list[str]:
        (tmp_path / f"{name}.py").write_text(code.lstrip())
        (tmp_path / group).mkdir()
        (tmp_path / group / f"{name}.yaml").write_text(text.lstrip())
        monkeypatch.setattr(targets, "ALLOWED", (name,))
        monkeypatch.delitem(sys.modules, name, raising=False)
        return ["--config-dir", "."]

    return write


Own = Callable[[str, str, str, str], list[str]]


@pytest.mark.parametrize(("dataset", "above"), [("yin_yang", 0.55), ("mnist", 0.5), ("nmnist", 0.3)])
def test_a_custom_model_learns_vectors_images_and_events(own: Own, dataset: str, above: float) -> None:
    words = own("echo", ECHO, "model", ECHO_YAML)
    assert exit_code(["run", *words, "model=echo", f"dataset={dataset}", "scale=smoke", "name=echo"]) == FINE
    folder = find_run(Path("outputs"), "echo")
    result = folder.result()
    assert result is not None
    assert result["metrics"]["test_accuracy"] > above
    assert result["metrics"]["parameter_count"] == 61 * (3 if dataset == "yin_yang" else 10)
    assert result["metrics"]["effective_macs"] > 0
    assert (folder.path / "figures" / "reservoir.png").is_file()


def test_a_custom_model_and_its_runs_are_listed_and_shown(own: Own, capsys: pytest.CaptureFixture[str]) -> None:
    words = own("echo", ECHO, "model", ECHO_YAML)
    assert exit_code(["run", *words, "model=echo", "dataset=yin_yang", "scale=smoke", "name=echo"]) == FINE
    assert exit_code(["list", "runs"]) == FINE
    assert "echo/" in capsys.readouterr().out
    assert exit_code(["list", *words, "--json"]) == FINE
    cells = json.loads(capsys.readouterr().out)["matrix"]
    echo = [cell for cell in cells if cell["model"] == "echo" and cell["backend"] == "sim"]
    assert all(cell["runs"] or "no files are given yet" in cell["why_not"] for cell in echo)
    assert all(cell["runs"] for cell in echo if cell["dataset"] in ("mnist", "nmnist", "yin_yang"))
    assert exit_code(["show", "echo", "--predict", "5"]) == FINE
    assert "of 5 right" in capsys.readouterr().out


def test_a_custom_sampler_serves_a_model_and_its_own_refusal_is_reported(
    own: Own, capsys: pytest.CaptureFixture[str]
) -> None:
    words = own("lazy", DEVICE, "backend", DEVICE_YAML)
    setting = ["run", *words, "model=qrbm", "backend=lazy", "scale=smoke", "name=lazy"]
    assert exit_code(setting) == FINE
    result = find_run(Path("outputs"), "lazy").result()
    assert result is not None
    assert result["device_costs"]["sampler"]["reads"] > 0
    capsys.readouterr()
    assert exit_code([*setting, "model.n_hidden=301"]) == BAD_USAGE
    assert "301 hidden units are more than 300" in capsys.readouterr().err


def test_a_custom_data_set_is_learned(own: Own) -> None:
    words = own("rings", DATA, "dataset", DATA_YAML)
    setting = ["model=eprop_rsnn", "dataset=rings", "scale=smoke", "name=rings"]
    assert exit_code(["run", *words, *setting, "training.batch_size=20"]) == FINE
    result = find_run(Path("outputs"), "rings").result()
    assert result is not None
    assert result["data"]["n_test"] == 200
    assert result["dataset"] == "rings"


def test_a_custom_data_set_of_an_unknown_layout_is_refused(own: Own, capsys: pytest.CaptureFixture[str]) -> None:
    words = own("rings", DATA.replace('"vector"', '"vectr"'), "dataset", DATA_YAML)
    for setting in ([], ["encoder=latency"]):
        assert exit_code(["validate", *words, "model=eprop_rsnn", "dataset=rings", *setting]) == BAD_USAGE
        told = capsys.readouterr().err
        assert "dataset=rings: layout='vectr' is not one of vector, image, events. Did you mean vector?" in told


def test_custom_code_is_refused_unless_the_environment_variable_allows_it(own: Own, tmp_path: Path) -> None:
    words = own("echo", ECHO, "model", ECHO_YAML)
    command = [sys.executable, "-m", "neurobench", "validate", *words, "model=echo", "dataset=yin_yang"]
    bare = {name: value for name, value in os.environ.items() if name != "NEUROBENCH_ALLOW"}
    refused = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=bare)
    assert refused.returncode == BAD_USAGE
    assert "If the code is yours: NEUROBENCH_ALLOW=echo neurobench ..." in refused.stderr
    assert 'or in Python nb.allow("echo.py")' in refused.stderr
    allowing = {**bare, "NEUROBENCH_ALLOW": "echo"}
    allowed = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=allowing)
    assert allowed.returncode == FINE, allowed.stderr


ENCODER = '''
"""Images as vectors of the brightness of their rows."""

from dataclasses import dataclass
from typing import ClassVar

from neurobench.data.encoders import EncoderSpec


@dataclass(frozen=True)
class Rows(EncoderSpec):
    opens: ClassVar[str] = "rowwise.encode"
    reads: ClassVar[tuple[str, ...]] = ("image",)
    yields: ClassVar[str] = "vector"

    def shape(self, shape):
        return (shape[1],)


def encode(spec, x, ids):
    return x.mean((1, 3))
'''
TRACKER = '''
"""Writes down what it is told."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from neurobench.experiment.trackers import TrackerSpec


@dataclass(frozen=True)
class Diary(TrackerSpec):
    opens: ClassVar[str] = "diary.Writer"

    file: str


class Writer:
    def __init__(self, spec, outputs):
        self.file = Path(spec.file)

    def begin(self, plan, folder):
        self.file.write_text(f"begins {plan.label}\\n")

    def epoch(self, row):
        with self.file.open("a") as file:
            file.write(f"epoch {row['epoch']}\\n")

    def end(self, folder):
        with self.file.open("a") as file:
            file.write(f"ends {folder.status}\\n")
'''
NET = """
from torch import nn


class Net(nn.Sequential):
    def __init__(self, shape, n_classes, width):
        super().__init__(nn.Linear(shape[0], width), nn.ReLU(), nn.Linear(width, n_classes))
"""


def test_a_custom_encoder_and_a_custom_tracker_without_a_package_serve_a_run(own: Own) -> None:
    own("rowwise", ENCODER, "encoder", "name: rowwise\n_target_: rowwise.Rows\n")
    own("diary", TRACKER, "logger", "diary: {_target_: diary.Diary, file: diary.txt}\n")
    words = ["run", "--plugin", "rowwise.py", "--plugin", "diary.py", "name=both"]
    model = ["model=mlp", "dataset=mnist", "encoder=rowwise", "logger=diary", "scale=smoke"]
    assert exit_code([*words, *model]) == BAD_USAGE  # mlp reads images
    model[0] = "model=torch_module"
    assert exit_code([*words, *model, "model.layout=vector"]) == FINE
    result = find_run(Path("outputs"), "both").result()
    assert result is not None
    assert result["metrics"]["parameter_count"] == 28 * 10 + 10
    assert Path("diary.txt").read_text().splitlines()[1:] == ["epoch 1", "ends finished"]


def test_a_plugin_file_in_another_folder_brings_its_yaml_and_is_part_of_a_runs_identity(
    own: Own, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own("mynet", NET, "experiment", NET_YAML)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "outputs").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setattr(targets, "ALLOWED", ())
    plugin = ["--plugin", "../mynet.py"]
    assert exit_code(["run", "experiment=mynet"]) == BAD_USAGE
    assert exit_code(["run", *plugin, "experiment=mynet", "outputs=outputs"]) == FINE
    folder = find_run(Path("outputs"), "mynet")
    sha256 = hashlib.sha256((tmp_path / "mynet.py").read_bytes()).hexdigest()
    assert folder.record()["own_code"] == {"mynet": sha256}
    assert exit_code(["rerun", "mynet", *plugin]) == FINE
    before = folder.record()["config_hash"]
    capsys.readouterr()
    with (tmp_path / "mynet.py").open("a") as file:
        file.write("\n# another word\n")
    assert exit_code(["show", "mynet", *plugin, "--predict", "3"]) == FINE
    assert "note: mynet has changed since" in capsys.readouterr().err
    assert exit_code(["export", "mynet", *plugin, "--format", "pt2"]) == FINE
    assert "note: mynet has changed since" in capsys.readouterr().err, "the file is of the new code"
    assert exit_code(["run", *plugin, "experiment=mynet", "--resume"]) == FINE
    assert find_run(Path("outputs"), "mynet").record()["config_hash"] != before, "other code, another run"
    monkeypatch.setattr(targets, "ALLOWED", ())
    monkeypatch.setattr(targets, "PLUGIN_FILES", {})
    for verb in (["rerun", "mynet"], ["show", "mynet", "--predict", "3"]):
        capsys.readouterr()
        assert exit_code(verb) == BAD_USAGE
        assert "If the code is yours: --plugin mynet.py, or NEUROBENCH_ALLOW=mynet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("gone.py", "there is no such Python file"),
        ("my-model.py", "cannot be the name of a module"),
        ("class.py", "cannot be the name of a module"),
        ("json.py", "Python has another module json"),
        ("neurobench.py", "Python has another module neurobench"),
        ("sys.py", "Python has another module sys (built in)"),
        ("notes.txt", "there is no such Python file"),
        ("a,b/mine.py", "a comma separates the entries of NEUROBENCH_ALLOW"),
    ],
)
def test_a_file_that_cannot_be_a_plugin_is_refused_with_the_reason(
    file: str, sentence: str, own: Own, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if file != "gone.py":
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    assert exit_code(["validate", "--plugin", file]) == BAD_USAGE
    assert sentence in capsys.readouterr().err
    assert targets.ALLOWED == ()


def test_a_spec_class_without_the_dataclass_decorator_is_refused_with_the_remedy(
    own: Own, capsys: pytest.CaptureFixture[str]
) -> None:
    words = own("echo", ECHO.replace("@dataclass(frozen=True)\n", ""), "model", ECHO_YAML)
    assert exit_code(["validate", *words, "model=echo", "dataset=yin_yang"]) == BAD_USAGE
    told = capsys.readouterr().err
    assert "EchoState is not a dataclass, so it has no key units, steps, ridge. Write @dataclass(frozen=True)" in told
    assert "(1 fault)" in told


def test_a_key_of_a_custom_class_without_keys_is_refused(own: Own, capsys: pytest.CaptureFixture[str]) -> None:
    words = own("rowwise", ENCODER, "encoder", "name: rowwise\n_target_: rowwise.Rows\ncentre: 3\n")
    assert exit_code(["validate", *words, "model=qrbm", "encoder=rowwise"]) == BAD_USAGE
    assert "encoder.centre: encoder has no key centre. It has no keys." in capsys.readouterr().err


def test_broken_custom_code_is_named_and_does_not_stop_other_commands(
    own: Own, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "# @package _global_\nmodel: {name: broken, _target_: broken.Model}\n"
    own("broken", "import nothing_of_that_name", "model", text)
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset/cut.yaml").write_text("name: [")
    plugin = ["--plugin", "broken.py"]
    assert exit_code(["validate", *plugin, "model=qrbm"]) == FINE
    assert exit_code(["validate", *plugin, "model=broken"]) == BAD_USAGE
    assert "_target_=broken.Model: there is no module nothing_of_that_name" in capsys.readouterr().err
    faulty_code = {"1 / 0": "ZeroDivisionError", "def (": "SyntaxError", "raise SystemExit(0)": "SystemExit"}
    for code, sentence in faulty_code.items():
        Path("broken.py").write_text(code)
        assert exit_code(["validate", *plugin, "model=broken"]) == BAD_USAGE
        assert f"its module cannot be imported ({sentence}: " in capsys.readouterr().err
    assert not Path("__pycache__").exists()  # cached bytecode would hide a new text of equal length within a second
    Path("broken.py").write_text("import nothing_of_that_name")
    assert exit_code(["list", *plugin, "--json"]) == FINE
    cells = json.loads(capsys.readouterr().out)["matrix"]
    assert any(cell["runs"] for cell in cells if cell["model"] == "qrbm")
    faulty = [cell["why_not"] for cell in cells if cell["model"] == "broken" or cell["dataset"] == "cut"]
    assert all("nothing_of_that_name" in reason or "cut.yaml" in reason for reason in faulty)
    assert exit_code(["doctor", *plugin]) == FAILED
    told = capsys.readouterr().out
    assert "fix   own code broken: there is no module nothing_of_that_name" in told
    assert "cut.yaml" in told


def test_the_environment_variable_takes_plugin_files_and_leaves_out_a_missing_one(tmp_path: Path) -> None:
    (tmp_path / "echo.py").write_text(ECHO)
    (tmp_path / "model").mkdir()
    (tmp_path / "model/echo.yaml").write_text(ECHO_YAML.lstrip())
    (tmp_path / "elsewhere").mkdir()
    allowing = {**os.environ, "NEUROBENCH_ALLOW": f"{tmp_path}/echo.py,{tmp_path}/gone.py"}
    command = [sys.executable, "-m", "neurobench", "validate", "model=echo", "dataset=yin_yang"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path / "elsewhere", env=allowing)
    assert done.returncode == FINE, done.stderr
    assert f"plugin {tmp_path}/gone.py: there is no such Python file. It is left out." in done.stderr


def test_an_unknown_model_whose_file_is_in_the_folder_is_refused_with_the_plugin_option(
    own: Own, capsys: pytest.CaptureFixture[str]
) -> None:
    own("echo", ECHO, "model", ECHO_YAML)
    assert exit_code(["validate", "model=echo"]) == BAD_USAGE
    told = capsys.readouterr().err
    assert 'model/echo.yaml is in this folder: add --plugin echo.py, or in Python nb.allow("echo.py")' in told


def test_printed_commands_contain_the_plugin_option_that_finds_custom_code(
    own: Own, capsys: pytest.CaptureFixture[str]
) -> None:
    own("echo", ECHO, "model", ECHO_YAML)
    plugin = f"--plugin={Path('echo.py').resolve()}"
    assert exit_code(["help", "--plugin", "echo.py", "model=echo"]) == FINE
    assert f"neurobench run {plugin} model=echo" in capsys.readouterr().out
    assert exit_code(["list", "--plugin", "echo.py", "models", "echo"]) == FINE
    assert f"neurobench run {plugin} model=echo" in capsys.readouterr().out
