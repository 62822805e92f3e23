"""Promises of the end of a search: the best trial as an experiment that runs and as a command to paste, and figures."""

import json
import shlex
import warnings
from pathlib import Path

import optuna
import pytest
from matplotlib.figure import Figure

from neurobench.config.compose import choices, composer
from neurobench.config.overrides import override_of
from neurobench.experiment.plan import Plan, parse
from neurobench.sweeps import tune_figures
from neurobench.sweeps.space import Space, load_space
from neurobench.sweeps.tune_figures import figures_of
from neurobench.sweeps.tuned import experiment_yaml, write_experiment
from tests.cli.conftest import Neurobench, neurobench  # noqa: F401  (a fixture)
from tests.figures.readable import assert_readable

SPACE = """
overrides: [model=toy, training.epochs=1, dataset.train=1000]
figure: validation_accuracy
space:
  model.lr: { low: 0.001, high: 1.0, log: true }
  training.batch_size: { choices: [50, 100] }
"""


def plan(words: list[str], folder: Path | None = None) -> Plan:
    with composer(str(folder) if folder else None) as compose:
        return parse(compose(words), words)


@pytest.mark.parametrize("name", choices("tune"))
def test_every_shipped_space_is_valid_at_both_ends_and_written_as_an_equal_configuration(
    name: str, tmp_path: Path
) -> None:
    space = load_space(name, [], tmp_path)
    for end in (0, 1):
        ends = {key: entry.get("choices") or [entry["low"], entry["high"]] for key, entry in space.space.items()}
        words = [*space.overrides, *(override_of(key, values[-end]) for key, values in ends.items())]
        write_experiment(tmp_path, "tuned", words, "comment")
        assert plan(["experiment=tuned"], tmp_path).config_hash == plan(words).config_hash


def test_there_is_a_search_space_for_each_of_six_models_and_two_controls() -> None:
    models = {"qrbm", "hxtorch_mlp", "slayer_snn", "eprop_rsnn", "hybrid_qcnn", "eventprop_snn"}
    assert set(choices("tune")) == {*models, "quantized_mlp", "random_features"}


def test_a_written_experiment_that_builds_on_another_gives_the_same_configuration(tmp_path: Path) -> None:
    words = ["experiment=lava_nmnist_best", "scale=quick", "model.hidden=[64]", "outputs=elsewhere", "seed=3"]
    write_experiment(tmp_path, "tuned", words, "comment")
    made = plan(["experiment=tuned"], tmp_path)
    assert made.config_hash == plan(words).config_hash
    assert (made.run.name, made.config["table"]) == ("tuned", None)
    assert "elsewhere" not in experiment_yaml("tuned", words, "")


def test_a_search_of_a_custom_space_ends_with_figures_an_experiment_and_commands(
    neurobench: Neurobench,  # noqa: F811
    tmp_path: Path,
) -> None:
    (tmp_path / "mine.yaml").write_text(SPACE)
    done = neurobench("tune", "mine.yaml", "--trials", "3")
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "outputs" / ".tune").glob("mine-*/")
    for figure in ("history", "parallel_coordinates", "importance"):
        assert (folder / f"{figure}.png").read_bytes().startswith(b"\x89PNG")
    lines = done.stdout.splitlines()
    commands = [line.partition(": neurobench ")[2] for line in lines if line.startswith("the best, as")]
    hashes = {plan(shlex.split(words)[1:]).config_hash for words in commands[1:]}
    words = shlex.split(commands[0])
    assert words[2] == "experiment=mine_tuned"
    hashes.add(plan(words[2:], Path(words[1].partition("=")[2])).config_hash)
    assert len(hashes) == 1
    assert neurobench(*words, "scale=smoke").returncode == 0
    assert list((tmp_path / "outputs" / "mine_tuned").glob("*/result.json"))
    (tmp_path / "slip.yaml").write_text(SPACE.replace("model=toy", "model=mlp").replace(", dataset.train=1000", ""))
    tested = ("dataset=mnist_01_400", "dataset.validation=0", "dataset.test_as_validation=true")
    refused = neurobench("tune", "slip.yaml", *tested)
    assert refused.returncode == 2
    assert "the best values would be chosen on the test set" in refused.stderr


def test_a_search_ends_with_its_best_values_as_a_command_if_no_file_can_express_them(
    neurobench: Neurobench,  # noqa: F811
    tmp_path: Path,
) -> None:
    (tmp_path / "mine.yaml").write_text(SPACE)
    done = neurobench("tune", "mine.yaml", "~model.pause", "--trials", "1")
    assert done.returncode == 0, done.stderr
    assert "~model.pause cannot be written into an experiment: take the command instead" in done.stdout
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("the best, as overrides")]
    assert "'~model.pause'" in line or "~model.pause" in line


def test_a_search_that_prints_json_also_leaves_its_best_experiment_and_figures(
    neurobench: Neurobench,  # noqa: F811
    tmp_path: Path,
) -> None:
    (tmp_path / "mine.yaml").write_text(SPACE.replace("[50, 100]", "[50]") + "  logger: { choices: [[]] }\n")
    done = neurobench("tune", "mine.yaml", "--trials", "2", "--json")
    assert [trial["params"]["logger"] for trial in json.loads(done.stdout)] == [[], []], "a list, not its text"
    (folder,) = (tmp_path / "outputs" / ".tune").glob("mine-*/")
    assert {"history.png", "experiment"} <= {path.name for path in folder.iterdir()}
    assert "the best, as an experiment: neurobench run" in done.stderr


def searched() -> tuple[optuna.Study, Space, dict[str, Figure]]:
    """A finished search whose value depends on model.lr alone."""
    space = Space(
        (),
        "validation_accuracy",
        None,
        {"model.lr": {"low": 0.001, "high": 1, "log": True}, "b": {"choices": ["x", "y"]}},
    )
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    for number in range(20):
        trial = study.ask()
        lr, _ = trial.suggest_float("model.lr", 0.001, 1, log=True), trial.suggest_categorical("b", ["x", "y"])
        if number == 5:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            study.tell(trial, 1 - abs(lr - 0.1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return study, space, figures_of(study, space, study.trials)


def test_figures_of_a_search_show_its_trials_the_best_one_and_importances() -> None:
    study, _, figures = searched()
    assert_readable(figures)
    (axes,) = figures["history"].axes
    trials, best, pruned = axes.lines
    assert len(trials.get_xdata()) == 19
    assert best.get_ydata()[-1] == study.best_value
    assert pruned.get_xdata().tolist() == [6], "trials are counted from 1"
    (axes,) = figures["importance"].axes
    shares = {
        label.get_text(): bar.get_width() for label, bar in zip(axes.get_yticklabels(), axes.patches, strict=True)
    }
    assert sum(shares.values()) == pytest.approx(100)
    assert shares["model.lr"] > 90, "the other key changes nothing"
    (axes,) = figures["parallel_coordinates"].axes
    drawn = [line for line in axes.lines if len(line.get_xdata()) == 3]
    assert len(drawn) == 19
    assert drawn[-1].get_ydata()[-1] == 1, "the best is drawn last, and ends at the top"


def test_a_search_whose_values_differ_by_rounding_only_has_no_importances_but_the_other_figures() -> None:
    space = Space((), "validation_loss", None, {"model.lr": {"low": 0.1, "high": 1.0}})
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for number in range(6):
        trial = study.ask()
        trial.suggest_float("model.lr", 0.1, 1.0)
        study.tell(trial, number * 1e-12)
    assert set(figures_of(study, space, study.trials)) == {"history", "parallel_coordinates"}


def test_a_search_whose_figures_cannot_be_drawn_ends_with_its_best_values(
    neurobench: Neurobench,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*arguments: object) -> None:
        raise ValueError("no font")

    monkeypatch.setattr(tune_figures, "figures_of", fail)
    (tmp_path / "mine.yaml").write_text(SPACE)
    done = neurobench("tune", "mine.yaml", "--trials", "1")
    assert done.returncode == 0, done.stderr
    assert "the figures could not be drawn (ValueError: no font)" in done.stdout
    assert "the best, as an experiment: neurobench run" in done.stdout


def test_no_figures_are_drawn_for_fewer_than_two_trials() -> None:
    study, space, _ = searched()
    assert figures_of(study, space, study.trials[:1]) == {}
