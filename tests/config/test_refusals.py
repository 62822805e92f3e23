"""Every faulty configuration is refused with a message: exit code 2, no traceback, and all faults at once."""

import subprocess
import sys
from pathlib import Path

import pytest

from neurobench.cli.main import main
from neurobench.config.errors import BAD_USAGE, FINE

FAULTY = {
    "a choice that is not there": (["model=qrmb"], "model=qrmb: there is no such model", "Did you mean qrbm?"),
    "a data set that is not there": (["dataset=mnst"], "dataset=mnst: there is no such dataset", "Did you mean mnist?"),
    "an experiment that is not there": (["experiment=dynex"], "experiment=dynex: there is no such experiment"),
    "a scale that is not there": (["scale=papr"], "there is paper, quick, smoke", "Did you mean paper?"),
    "a launcher that is not there": (["hydra/launcher=jblib"], "hydra/launcher=jblib: there is no such"),
    "a launcher whose plugin is not installed": (["hydra/launcher=ray"], "pip install -e '.[hydra-ray]'"),
    "a key with a slip": (["model.n_hiden=3"], "model has no key n_hiden. Did you mean model.n_hidden?"),
    "a section with a slip": (["trainning.epochs=3"], "there is no key trainning. Did you mean training?"),
    "a key without its section": (["epochs=3"], "Did you mean training.epochs or scale.epochs?"),
    "a key slipped in with a plus": (["+model.foo=1"], "model.foo: model has no key foo"),
    "a section slipped in with a plus": (["+modell.foo=1"], "there is no key modell. Did you mean model?"),
    "a value of the wrong type": (["training.epochs=many"], "training.epochs='many' is not an integer"),
    "a value that is not whole": (["training.epochs=1.5"], "training.epochs=1.5 is not an integer"),
    "true for a number": (["training.batch_size=true"], "training.batch_size=true is not an integer"),
    "a value out of range": (["training.batch_size=0"], "training.batch_size=0 is not at least 1"),
    "a seed out of range": (["seed=-1"], "seed=-1 is not in [0, 2147483647]"),
    "a device that is not one": (["device=gpu"], "device='gpu' is not one of auto, cpu, cuda"),
    "no value where one is needed": (["training.epochs=null"], "training.epochs=null is not an integer"),
    "a value left open": (["training.epochs=???"], "training.epochs has no value; set it with training.epochs=..."),
    "a value left open in a list": (
        ["model=slayer_snn", "model.hidden=[512,???]"],
        "model.hidden=[512, '???'] has no value",
    ),
    "a reference to nothing": (["seed=${nowhere}"], "seed=${nowhere} cannot be resolved"),
    "a folder that leads elsewhere": (["name=../x"], "name='../x' is not a plain folder name"),
    "a section that is a number": (["training=3"], "training is not a section of keys"),
    "a key of a section that is null": (
        ["model=torch_module", "model.arguments.hidden=3"],
        "model.arguments is null, not a section of keys. To make it one: +model.arguments.hidden=3",
    ),
    "a dot for a slash": (["hydra.launcher=joblib"], "would be ignored", "Write hydra/launcher=joblib."),
    "a sweep without -m": (["seed=0,1"], "seed=0,1 gives seed several values: add -m"),
    "no override at all": (["what is this"], "'what is this' is not an override: write key=value."),
    "a callable of Python": (["model._target_=builtins.open"], "model._target_=builtins.open is not allowed"),
    "a way round through our own imports": (["model._target_=neurobench.cli.main.os.system"], "is no model"),
    "a way round through a model's imports": (["model._target_=neurobench.models.learner.load"], "offers no model"),
    "a function of our own": (
        ["model._target_=neurobench.storage.store.find_run"],
        "find_run is no model: neurobench's are below neurobench.models",
    ),
    "a class that we only import": (
        ["model._target_=neurobench.models.learner.Spec"],
        "neurobench.models.learner offers no model",
    ),
    "a class with a slip": (["dataset._target_=neurobench.data.specs.MNST"], "Did you mean MNIST?"),
    "a target that is no name": (["model._target_=3"], "_target_=3 is not the dotted name of a class"),
    "no target": (["~model._target_"], "model names no class: it has no _target_"),
    "an encoder of another layout": (
        ["model=toy", "dataset=nmnist", "encoder=latency"],
        "model=toy, dataset=nmnist: encoder=latency reads vector or image, not events.",
    ),
    "an encoder that the model cannot read": (
        ["model=toy", "dataset=yin_yang", "encoder=rate"],
        "encoder=rate yields events; the model reads vector. Leave out encoder=... for the default.",
    ),
    "a device that is not offered": (["model.sampler=${backend.abacus}"], "needs a 'abacus'; backend=sim"),
}


@pytest.mark.parametrize(("words", "sentences"), [(v[0], v[1:]) for v in FAULTY.values()], ids=list(FAULTY))
def test_a_faulty_configuration_is_refused_with_the_reason_and_leaves_no_folder(
    words: list[str], sentences: tuple[str, ...], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert exit_code(["run", *words]) == BAD_USAGE
        told = capsys.readouterr().err
    for sentence in sentences:
        assert sentence in told
    assert "Traceback" not in told
    assert not (tmp_path / "outputs").exists(), "a refused run left a folder"


def exit_code(words: list[str]) -> int:
    """Exit code as the shell sees it."""
    try:
        return main(words)
    except SystemExit as leaving:
        return int(leaving.code or 0)


def test_all_faults_of_a_configuration_are_named_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["model.n_hiden=3", "dataset=mnst", "training.epochs=0", "seed=x", "scale.test=-1", "model.n_hidden=0"]
    assert exit_code(["run", *words]) == BAD_USAGE
    told = capsys.readouterr().err
    assert told.startswith("cannot run this configuration (6 faults):")
    for word in ("n_hiden", "mnst", "training.epochs=0", "seed='x'", "scale.test=-1", "model.n_hidden=0"):
        assert word in told


def test_a_refusal_imports_neither_torch_nor_data_libraries() -> None:
    script = (
        "import sys\n"
        "from neurobench.cli.main import main\n"
        "try:\n    code = main(['run', 'model.n_hidden=0'])\n"
        "except SystemExit as leaving:\n    code = leaving.code\n"
        "heavy = {'torch', 'torchvision', 'numba', 'tonic', 'dimod', 'matplotlib'} & set(sys.modules)\n"
        "print(code, sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "2 []"


@pytest.mark.parametrize("verb", ["validate", "run"])
def test_a_note_is_not_counted_as_a_fault_and_hides_no_fault(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code([verb, "experiment=dynex_qrbm_qpu_device", "backend=sim"]) == BAD_USAGE
    first, *faults, note = capsys.readouterr().err.splitlines()
    assert first == "cannot run this configuration (2 faults):"
    assert [fault.partition(":")[0] for fault in faults] == ["  backend.sampler.chip", "  backend.sampler.prefactor"]
    assert note.startswith("note: experiment=dynex_qrbm_qpu_device has backend=mock_qpu: with backend=sim")


def test_validate_names_the_same_faults_as_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["validate", "training.epochs=0", "model.n_hiden=3"]) == BAD_USAGE
    told = capsys.readouterr().err
    assert "training.epochs=0 is not at least 1" in told
    assert "model has no key n_hiden" in told


HEADER = "# @package _global_\n"
OWN_FILES = {
    "bom": (f"\ufeff{HEADER}defaults: [override /model: mlp]\nname: ours\n".encode(), None),
    "crlf": (f"{HEADER}defaults: [override /model: mlp]\n".replace("\n", "\r\n").encode(), None),
    "latin": (f"{HEADER}# \u00fcber\n".encode("latin-1"), "latin.yaml is not UTF-8 text at byte 22; save it as UTF-8"),
    "late": (f"# ours\n{HEADER}defaults: [override /model: mlp]\n".encode(), "begins with the line `# @package _glo"),
    "headless": (b"name: ours\n", "begins with the line `# @package _global_`"),
    "circle": (f"{HEADER}defaults: [circle]\n".encode(), "name each other in a circle"),
}


@pytest.mark.parametrize("name", OWN_FILES)
def test_an_experiment_from_any_editor_is_read_or_refused_with_the_reason_and_stops_no_list(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, sentence = OWN_FILES[name]
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / f"{name}.yaml").write_bytes(content)
    own = ["--config-dir", str(tmp_path)]
    assert exit_code(["validate", *own, f"experiment={name}"]) == (BAD_USAGE if sentence else FINE)
    assert (sentence or "fine") in "".join(capsys.readouterr())
    assert exit_code(["list", *own, "experiments", name]) == FINE
    assert name in capsys.readouterr().out
