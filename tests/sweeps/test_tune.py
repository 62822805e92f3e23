"""Promises of `neurobench tune`: held-out samples decide, kills change nothing, hopeless trials are pruned."""

import json
import os
import re
import signal
import subprocess
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from neurobench.config.errors import BAD_USAGE, UserError
from neurobench.sweeps.space import load_space, plan_of_trial
from tests.cli.conftest import Neurobench, command, environment, neurobench  # noqa: F401  (a fixture)

OUTPUTS = Path("outputs")
SPACE = """
overrides: [model=toy, training.epochs=3]
figure: validation_accuracy
prune_on: {prune_on}
space:
  model.lr: {{ low: 0.0001, high: 1.0, log: true }}
  training.batch_size: {{ low: 50, high: 150, step: 50 }}
"""


def trials(done: subprocess.CompletedProcess) -> list[tuple[Any, ...]]:
    assert done.returncode == 0, done.stdout + done.stderr
    return [(trial["params"], trial["value"], trial["state"]) for trial in json.loads(done.stdout)]


@pytest.fixture
def space(tmp_path: Path) -> str:
    (tmp_path / "space.yaml").write_text(SPACE.format(prune_on="null"))
    return str(tmp_path / "space.yaml")


def test_the_documentation_names_every_shipped_search_space() -> None:
    page = files("neurobench.docs").joinpath("sweeps.md").read_text()
    (sentence,) = re.findall(r"There are spaces for ([^.]*)\.", page)
    spaces = [entry.name for entry in files("neurobench.conf").joinpath("tune").iterdir()]
    assert re.findall(r"`(\w+)`", sentence) == sorted(name.removesuffix(".yaml") for name in spaces)


def test_a_killed_study_resumes_and_ends_with_the_trials_of_an_undisturbed_one(
    neurobench: Neurobench,  # noqa: F811
    tmp_path: Path,
    space: str,
) -> None:
    pytest.importorskip("optuna")
    pause = ("model.pause=0.003", "training.checkpoint_every=0")
    child = subprocess.Popen(
        command("tune", space, *pause, "--trials", "4"), cwd=tmp_path, env=environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 240  # enough for a busy machine
    while time.monotonic() < deadline and len(list(tmp_path.glob("outputs/*/*/metrics.jsonl"))) < 2:
        time.sleep(0.02)
    time.sleep(0.1)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    after = trials(neurobench("tune", space, *pause, "--trials", "4", "--json"))
    assert len(list(tmp_path.glob("outputs/toy*/*"))) == 4, "the killed trial's run was taken up, not begun again"
    assert after == trials(neurobench("tune", space, *pause, "--trials", "4", "--json", "--outputs", "calm"))
    for folder in tmp_path.glob("calm/toy*/*"):
        last = json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])
        assert last["validation_accuracy"] in [value for _, value, _ in after]


def test_hopeless_trials_are_pruned_and_the_best_ones_are_printed(neurobench: Neurobench, tmp_path: Path) -> None:  # noqa: F811
    pytest.importorskip("optuna")
    (tmp_path / "space.yaml").write_text(SPACE.format(prune_on="validation_loss"))
    done = neurobench("tune", "space.yaml", "--trials", "10")
    assert done.returncode == 0, done.stderr
    assert "stopped after epoch" in done.stdout
    assert "best trials by validation_accuracy" in done.stdout
    assert "neurobench run model=toy training.epochs=3" in done.stdout
    statuses = [json.loads(file.read_text())["status"] for file in tmp_path.glob("outputs/toy*/*/run.json")]
    assert "pruned" in statuses


def refused(folder: Path, text: str, sentence: str) -> None:
    """Check that a space with this text is refused with this message."""
    (folder / "bad.yaml").write_text(text)
    with pytest.raises(UserError, match=sentence):
        load_space(str(folder / "bad.yaml"), [], OUTPUTS)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("figure: test_accuracy\noverrides: [a]\nspace: {a: {choices: [1]}}", "only figures of held-out samples"),
        ("figure: validation_loss\noverrides: [a]\nspace: {a: {low: 2, high: 1}}", "low=2 is not below high=1"),
        ("figure: validation_loss\noverrides: [a]\nspace: {a: {choice: [1]}}", "write {low: , high:"),
        ("spaces: {}", "spaces: there is no such key"),
        (
            "figure: validation_loss\noverrides: [a]\nspace: {outputs: {choices: [b]}}",
            "space.outputs cannot be searched: --outputs FOLDER sets the folder of runs",
        ),
        (
            "figure: validation_f1\noverrides: [a]\nspace: {a: {choices: [1]}}",
            "figure=validation_f1: whether larger is better is not known. Add direction: maximize, or minimize",
        ),
        (
            "figure: validation_loss\ndirection: maximize\noverrides: [a]\nspace: {a: {choices: [1]}}",
            "direction=maximize: a smaller validation_loss is better. Leave direction out",
        ),
        ("figure: validation_f1\ndirection: up\noverrides: [a]\nspace: {a: {choices: [1]}}", "is neither maximize nor"),
        (
            "figure: validation_loss\nprune_on: validation_f1\noverrides: [a]\nspace: {a: {choices: [1]}}",
            "prune_on=validation_f1: whether larger is better is not known. Write the figure itself, or null",
        ),
    ],
)
def test_an_invalid_search_space_is_refused_with_the_reason(tmp_path: Path, text: str, sentence: str) -> None:
    refused(tmp_path, text, sentence)


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("{low: 0, high: 1, log: true}", "low=0 is not above 0, as log: true needs it"),
        ("{low: 1, high: 9, log: true, step: 2}", "log: true has no steps. Leave one of the two out"),
        ("{low: abc, high: 1}", 'low="abc" is not a number'),
        ("{low: true, high: 2}", "low=true is not a number"),
        ("{low: 0, high: .inf}", "high=Infinity is not a number"),
        ("{low: 0.1, high: 1, log: maybe}", 'log="maybe" is neither true nor false'),
        ("{low: 0, high: 1, step: 0}", "step=0 is not above 0"),
        ("{low: 1, high: 4, step: 0.5}", "step=0.5 is not a whole number, as low and high are"),
        ("{low: 0.1, high: 0.9, step: 1.0}", "step=1.0 is larger than the range, so that only low=0.1 would be tried"),
        ("{low: 1, high: 9, log: true}", "only whole numbers would be tried. Write low: 1.0 for all between$"),
        ("{choices: []}", r"choices=\[\] is not a list with something to choose"),
        ("{choices: abc}", 'choices="abc" is not a list with something to choose'),
        ("{choices: [[{a: 1}]]}", "a choice is a number, a string"),
        ("5", "space.model.lr: write {low: , high:"),
        ("{low: -1.0, high: 1.0}", r"model.lr=-1.0 is not in \(0, 1000\]"),
        ("{choices: [0.1, fast]}", "model.lr=.?fast.? is not a number"),
    ],
)
def test_invalid_values_of_a_searched_key_are_refused_with_the_reason(
    tmp_path: Path, entry: str, sentence: str
) -> None:
    text = f"overrides: [model=mlp]\nfigure: validation_accuracy\nspace: {{model.lr: {entry}}}"
    refused(tmp_path, text, sentence)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "overrides: [model=mlp, 5]\nspace: {model.lr: {choices: [1]}}",
            "overrides: 5 is not a string: write key=value",
        ),
        ("overrides: [model: mlp]\nspace: {model.lr: {choices: [1]}}", 'overrides: {"model": "mlp"} is not a string'),
        ("overrides: model=mlp\nspace: {model.lr: {choices: [1]}}", 'overrides: "model=mlp" is not a list'),
        ("overrides: [model=mlp]\nspace: [model.lr]", 'space: \\["model.lr"\\] is not a section: write KEY'),
        ("overrides: [model=mlp]\nspace: {5: {choices: [1]}}", "space.5: that is not the name of a key"),
        ("overrides: [model=mlp]\nspace: {model.lrr: {choices: [1]}}", "model.lrr.* Did you mean model.lr?"),
        ("overrides: [model=mpl]\nspace: {model.lr: {choices: [1]}}", "model=mpl.* Did you mean mlp?"),
        ("overrides: [model=mlp]\nspace: {model.lr: {low: 1, high: 2}", r"bad.yaml is not valid YAML: .* line \d"),
        ("overrides: [model=mlp]\nprune_on: 0\nspace: {model.lr: {choices: [1]}}", "prune_on=0: only figures"),
    ],
)
def test_a_malformed_space_file_is_refused_before_a_study_is_created(
    neurobench: Neurobench,  # noqa: F811
    tmp_path: Path,
    text: str,
    sentence: str,
) -> None:
    pytest.importorskip("optuna")
    (tmp_path / "bad.yaml").write_text(f"figure: validation_accuracy\n{text}\n")
    done = neurobench("tune", "bad.yaml")
    assert done.returncode == BAD_USAGE
    assert re.search(sentence, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "outputs").exists()


NESTED = """
overrides: [model=quantized_mlp{more}]
figure: validation_accuracy
space: {{ model.lr: {{ low: 0.001, high: 0.01 }}, model.arguments.fraction_bits: {{ low: 5, high: 8 }} }}
"""


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("model.lr=0.05", r"model.lr=0.05 would have no effect: .*bad.yaml searches model.lr. Leave it out"),
        ("++model.lr=0.05", "would have no effect: .*bad.yaml searches model.lr"),
        ("~model.lr", "would have no effect: .*bad.yaml searches model.lr"),
        (
            "model.arguments={fraction_bits:6}",
            "would have no effect: .*bad.yaml searches model.arguments.fraction_bits",
        ),
        ("outputs=elsewhere", "outputs=elsewhere would have no effect: --outputs FOLDER sets the folder of runs"),
        ("resume=false", "resume=false would have no effect: a trial always resumes"),
    ],
)
def test_an_override_that_trials_would_overrule_is_refused_before_a_study_is_created(
    neurobench: Neurobench,  # noqa: F811
    tmp_path: Path,
    word: str,
    sentence: str,
) -> None:
    pytest.importorskip("optuna")
    for in_file, typed in (("", [word]), (f", '{word}'", [])):
        (tmp_path / "bad.yaml").write_text(NESTED.format(more=in_file))
        done = neurobench("tune", "bad.yaml", *typed)
        assert done.returncode == BAD_USAGE
        assert re.search(sentence, done.stderr), done.stderr
        assert not (tmp_path / "outputs").exists()


def test_overrides_on_the_command_line_apply_to_trials_and_win_over_the_space_file(tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(NESTED.format(more=", model.jitter=1"))
    space = load_space(str(tmp_path / "space.yaml"), ["model.jitter=2", "seed=3"], tmp_path)
    plan = plan_of_trial(space, ["model.lr=0.002"], None)
    assert plan.config["model"]["jitter"] == 2
    assert (plan.run.seed, plan.run.outputs, plan.config["model"]["lr"]) == (3, str(tmp_path), 0.002)


def test_an_override_that_creates_the_section_of_a_searched_key_is_accepted(tmp_path: Path) -> None:
    """Arguments of a torch module of one's own exist only once they are given."""
    cnn = "model=torch_module, model.module=neurobench.models.torch_module.networks.CNN"
    text = f"overrides: [{cnn}, 'model.arguments={{channels:[4,4],hidden:8,dropout:0.1}}']\n"
    text += "figure: validation_accuracy\nspace: {model.arguments.hidden: {low: 8, high: 16}}"
    (tmp_path / "own.yaml").write_text(text)
    space = load_space(str(tmp_path / "own.yaml"), [], tmp_path)
    arguments = plan_of_trial(space, ["model.arguments.hidden=9"], None).config["model"]["arguments"]
    assert arguments == {"channels": [4, 4], "hidden": 9, "dropout": 0.1}


def test_a_fault_at_both_ends_of_a_search_space_is_named_once(tmp_path: Path) -> None:
    text = "overrides: [model=mlp]\nfigure: validation_accuracy\nspace: {model.lrr: {low: 1, high: 2}}"
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(UserError) as error:
        load_space(str(tmp_path / "bad.yaml"), [], OUTPUTS)
    assert str(error.value).count("model.lrr") == 1


def test_values_that_are_incompatible_at_one_end_of_a_space_only_are_searched(tmp_path: Path) -> None:
    """`cnn` reads no vectors, into which the encoder `flat` turns the images; `pixels_lr` does."""
    text = "overrides: [scale=smoke]\nfigure: validation_accuracy\n"
    text += "space: {model: {choices: [pixels_lr, cnn]}, encoder: {choices: [auto, flat]}}"
    (tmp_path / "pairs.yaml").write_text(text)
    assert set(load_space(str(tmp_path / "pairs.yaml"), [], OUTPUTS).space) == {"model", "encoder"}


def test_a_figure_of_a_custom_model_is_searched_in_the_direction_stated(tmp_path: Path) -> None:
    text = "overrides: [model=mlp]\nfigure: validation_f1\n{}space: {{model.lr: {{low: 0.1, high: 1.0}}}}"
    spaces = {}
    for direction in ("maximize", "minimize"):
        (tmp_path / "mine.yaml").write_text(text.format(f"direction: {direction}\n"))
        spaces[direction] = load_space(str(tmp_path / "mine.yaml"), [], OUTPUTS)
    assert [space.larger_wins for space in spaces.values()] == [True, False]
    assert spaces["maximize"].identity != spaces["minimize"].identity


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("model.lr: {low: 1, high: 9}", "only whole numbers would be tried. Write low: 1.0 for all .*step: 1"),
        ("model.lr: {low: 1, high: 9, step: 1}", None),
        ("model.dropout: {low: 0, high: 0.5}", None),
        ("model.hidden: {low: 10, high: 100}", None),
    ],
)
def test_a_range_of_whole_numbers_for_a_key_that_takes_decimals_is_refused(
    tmp_path: Path, entry: str, sentence: str | None
) -> None:
    text = f"overrides: [model=mlp]\nfigure: validation_accuracy\nspace: {{{entry}}}"
    if sentence:
        refused(tmp_path, text, sentence)
    else:
        (tmp_path / "good.yaml").write_text(text)
        load_space(str(tmp_path / "good.yaml"), [], OUTPUTS)


def test_an_unknown_search_space_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UserError, match="Did you mean qrbm"):
        load_space("qrmb", [], OUTPUTS)


def test_a_space_file_without_its_ending_or_with_another_one_is_refused_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").touch()
    Path("other.yml").touch()
    for name in ("mine", "mine.yml", "./mine"):
        with pytest.raises(UserError, match=r"Did you mean the file (\./)?mine\.yaml\?"):
            load_space(name, [], OUTPUTS)
    with pytest.raises(UserError, match=r"ends in \.yaml: rename other\.yml"):
        load_space("other.yml", [], OUTPUTS)
