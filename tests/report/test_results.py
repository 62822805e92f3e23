"""Tests of `results`: one row per setting, over its seeds; the best chosen by validation; formats that read back."""

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from matplotlib.figure import Figure
from scipy import stats

from neurobench.cli.main import main
from neurobench.config.errors import UserError
from neurobench.config.schema import RUNTIME_KEYS
from neurobench.metrics.catalog import printed
from neurobench.report.results import Results, results_of, settings_of, swept_keys
from neurobench.report.results_plot import drawn, plot
from neurobench.report.results_table import as_csv, as_markdown, cells, remarks
from neurobench.storage.atomic import write_json
from neurobench.storage.store import read_index
from tests.figures.readable import assert_readable, in_style
from tests.storage.sound import sound_result

OF_RESULT = ("backend", "dataset", "intervals", "scale", "setting_hash")


def finished(outputs: Path, lr: float, seed: int, test: float, validation: float | None, **more: Any) -> None:
    """Write a run of the setting given by lr and `more`: keys of the model, or of the result if in `OF_RESULT`."""
    of_result = {key: more.pop(key) for key in OF_RESULT if key in more}
    model = {"name": "toy", "lr": lr, **more}
    setting = "".join(f"{key}{value}" for key, value in model.items())
    folder = outputs / "toy" / f"{setting}-{seed}"
    folder.mkdir(parents=True)
    words = [f"model.{key}={value}" for key, value in model.items() if key != "name"]
    plain = {"setting_hash": setting, "seed": seed, "overrides": [*words, f"seed={seed}"]}
    result = sound_result(test, **{**plain, **of_result})
    write_json(folder / "run.json", {"status": "finished", "overrides": result["overrides"], "seeds": {"root": seed}})
    write_json(folder / "result.json", result)
    (folder / "config.yaml").write_text(yaml.safe_dump({"seed": seed, "model": model, "dataset": {"name": "d"}}))
    row = {"epoch": 1, **({} if validation is None else {"validation_accuracy": validation})}
    (folder / "metrics.jsonl").write_text(json.dumps(row) + "\n")


def results(outputs: Path, *by: str, metric: str = "test_accuracy", judge: str | None = None) -> Results:
    settings, keys = settings_of(read_index(outputs), outputs, by)
    return results_of(settings, keys, by, metric, judge)


@pytest.fixture
def swept(tmp_path: Path) -> Path:
    """Two settings of three seeds: the one that is better on the test set is worse on held-out samples."""
    for seed, (test, validation) in enumerate([(0.90, 0.80), (0.91, 0.82), (0.95, 0.81)]):
        finished(tmp_path, 0.1, seed, test, validation)
        finished(tmp_path, 0.02, seed, test - 0.05, validation + 0.05)
    return tmp_path


def test_a_row_is_a_setting_with_mean_deviation_and_students_interval(swept: Path) -> None:
    made = results(swept)
    assert made.keys == ("model.lr",)
    assert [each.values["model.lr"] for each in made.settings] == [0.02, 0.1], "in the order of the values"
    spread = made.settings[1].spread("test_accuracy")
    assert spread is not None
    values = [0.90, 0.91, 0.95]
    assert (spread.mean, spread.n) == (pytest.approx(0.92), 3)
    assert spread.sd == pytest.approx(stats.tstd(values))
    assert spread.interval == pytest.approx(stats.t.interval(0.95, 2, 0.92, stats.sem(values)))


def test_two_seeds_have_students_interval_and_a_single_seed_the_one_over_its_test_samples(tmp_path: Path) -> None:
    finished(tmp_path, 0.1, 0, 0.9, 0.7, intervals={"test_accuracy": [0.87, 0.92]})
    for seed, test in enumerate((0.85, 0.86)):
        finished(tmp_path, 0.4, seed, test, 0.7)
    settings = results(tmp_path).settings
    one, two = (each.spread("test_accuracy") for each in settings)
    assert one == (0.9, None, (0.87, 0.92), 1)
    assert settings[0].spread("validation_accuracy") == (0.7, None, None, 1), "nobody stored one"
    student = stats.t.interval(0.95, 1, 0.855, stats.sem([0.85, 0.86]))
    assert two == (pytest.approx(0.855), pytest.approx(stats.tstd([0.85, 0.86])), pytest.approx(student), 2)


def test_keys_of_rows_are_those_overridden_with_several_values_or_those_requested(tmp_path: Path) -> None:
    """All such keys are shown, though one alone would distinguish the settings."""
    for lr, hidden in ((0.1, 16), (0.2, 8)):
        finished(tmp_path, lr, 0, 0.9, None, hidden=hidden, depth=3)
    assert [each.values for each in results(tmp_path).settings] == [
        {"model.lr": 0.1, "model.hidden": 16}, {"model.lr": 0.2, "model.hidden": 8},
    ]  # fmt: skip
    assert [each.values for each in results(tmp_path, "model.hidden").settings] == [
        {"model.hidden": 8}, {"model.hidden": 16},
    ]  # fmt: skip


def test_a_section_given_as_a_whole_is_shown_by_its_keys_however_it_was_written(tmp_path: Path) -> None:
    """The overrides state the same section in several ways, or a key of it alone: `+model.arguments.width=3`."""
    for width in (2, 3):
        finished(tmp_path, 0.1, 0, 0.9, None, arguments={"width": width, "act": "relu"})
    finished(tmp_path, 0.1, 0, 0.9, None, arguments=None)
    for by in ((), ("model.arguments",)):
        made = results(tmp_path, *by)
        values = [each.values["model.arguments.width"] for each in made.settings]
        assert (values, "model.arguments" in made.keys) == ([None, 2, 3], False)
    assert made.added == ()


@pytest.mark.parametrize("key", ["seed", *RUNTIME_KEYS, "logger.tensorboard.name"])
def test_seed_and_runtime_keys_are_refused_as_keys_of_rows_and_are_never_swept_keys(swept: Path, key: str) -> None:
    """A row combines runs with several of their values: none of these is the value of the row."""
    with pytest.raises(UserError, match=f"^--by {key}: .* form one setting"):
        results(swept, key)
    assert swept_keys([[f"{key}=0", "model.lr=1"], [f"{key}=1", "model.lr=2"]]) == ["model.lr"]


@pytest.fixture
def folds(tmp_path: Path) -> Path:
    """Two settings of three seeds; in one of them the fold follows the seed, in the other it is 7."""
    for seed in range(3):
        finished(tmp_path, 0.1, seed, 0.9, 0.7, fold=seed, setting_hash="following")
        finished(tmp_path, 0.2, seed, 0.8, 0.6, fold=7, setting_hash="fixed")
    return tmp_path


def test_a_key_that_follows_the_seed_is_shown_as_varies(folds: Path) -> None:
    """The value of the newest run was once shown instead."""
    made = results(folds, "model.fold")
    assert [each.values for each in made.settings] == [{"model.fold": 7}, {"model.fold": "varies"}]
    assert "varies: the runs of the row have different values" in "; ".join(remarks(made))
    assert "varies" not in "; ".join(remarks(results(folds, "model.lr")))


def test_a_key_that_varies_within_every_row_is_refused_as_a_key_of_rows(folds: Path) -> None:
    """The seed itself is refused likewise."""
    chosen = [entry for entry in read_index(folds) if entry.result and entry.result["setting_hash"] == "following"]
    with pytest.raises(UserError, match=r"^--by model\.fold: runs of one setting have different .* Leave"):
        settings_of(chosen, folds, ["model.fold"])
    (setting,), _ = settings_of(chosen[:1], folds, ["model.fold"])
    assert setting.values == {"model.fold": 0}, "of one run it is known"


def test_a_run_replaced_by_a_newer_one_of_its_seed_does_not_affect_the_values_of_its_row(tmp_path: Path) -> None:
    """The newer of two runs of a seed counts."""
    finished(tmp_path, 0.1, 0, 0.9, 0.7, fold=7, setting_hash="a")
    finished(tmp_path, 0.2, 0, 0.9, 0.7, fold=7, setting_hash="b")
    finished(tmp_path, 0.1, 0, 0.9, 0.7, fold=8, setting_hash="a")
    for fold, day in ((7, 1), (8, 2)):
        file = tmp_path / "toy" / f"nametoylr0.1fold{fold}-0" / "run.json"
        write_json(file, {**json.loads(file.read_text()), "created": f"2026-01-0{day}T00:00:00+00:00"})
    made = results(tmp_path, "model.fold")
    assert [each.values for each in made.settings] == [{"model.fold": 7}, {"model.fold": 8}]


def test_a_setting_that_was_run_on_several_backends_shows_its_backend_as_varies(tmp_path: Path) -> None:
    for seed, backend in enumerate(("sim", "mock")):
        finished(tmp_path, 0.1, seed, 0.9, 0.7, backend=backend, setting_hash="a")
        finished(tmp_path, 0.2, seed, 0.9, 0.7, backend="sim", setting_hash="b")
    assert [each.values["backend"] for each in results(tmp_path, "backend").settings] == ["sim", "varies"]


def test_runs_are_filtered_by_their_own_value_of_a_key(folds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The value of one run of each setting once decided for all."""
    assert main(["results", "model.fold=1", "--format", "json", "--outputs", str(folds)]) == 0
    (setting,) = json.loads(capsys.readouterr().out)["settings"]
    assert [run["seed"] for run in setting["runs"]] == [1]


def test_settings_that_no_key_distinguishes_are_distinguished_by_their_hash(tmp_path: Path) -> None:
    for seed, setting in enumerate(("abcdefgh", "stuvwxyz")):
        finished(tmp_path, 0.1, seed, 0.9, None, setting_hash=setting)
    assert [each.values for each in results(tmp_path).settings] == [{"setting": "abcdef"}, {"setting": "stuvwx"}]


@pytest.mark.parametrize(("judge", "best"), [("validation_loss", 0.1), ("validation_accuracy", 0.2)])
def test_the_best_setting_has_the_smallest_loss_or_the_largest_accuracy(
    tmp_path: Path, judge: str, best: float
) -> None:
    finished(tmp_path, 0.1, 0, 0.9, 0.7)
    finished(tmp_path, 0.2, 0, 0.9, 0.8)
    for lr, loss in ((0.1, 1.5), (0.2, 2.5)):
        file = tmp_path / "toy" / f"nametoylr{lr}-0" / "metrics.jsonl"
        file.write_text(json.dumps({**json.loads(file.read_text()), "validation_loss": loss}) + "\n")
    made = results(tmp_path, judge=judge)
    assert made.best is not None
    assert made.best.values["model.lr"] == best


def test_the_best_setting_is_chosen_by_validation_even_if_another_is_best_on_the_test_set(swept: Path) -> None:
    made = results(swept)
    assert made.judge == "validation_accuracy"
    assert made.best is not None
    assert made.best.values["model.lr"] == 0.02
    with pytest.raises(UserError, match="a figure of held-out samples; available: validation_accuracy"):
        results(swept, judge="test_accuracy")


def test_without_held_out_samples_no_best_setting_is_marked(tmp_path: Path) -> None:
    for lr in (0.1, 0.2):
        finished(tmp_path, lr, 0, 0.9, None)
    made = results(tmp_path)
    assert made.best is None
    assert "no best is marked" in made.note


def test_models_with_a_readout_and_others_are_compared_by_accuracy_never_by_their_losses(tmp_path: Path) -> None:
    """The loss of a model whose readout had not been fitted yet was once compared with that of a trained one."""
    finished(tmp_path, 0.1, 0, 0.9, None)
    finished(tmp_path, 0.2, 0, 0.8, 0.7)
    for lr, model, loss, readout in (
        (0.1, "readout", 1.1, {"readout_validation_accuracy": 0.75}),
        (0.2, "other", 0.4, {}),
    ):
        folder = tmp_path / "toy" / f"nametoylr{lr}-0"
        result, row = (json.loads((folder / name).read_text()) for name in ("result.json", "metrics.jsonl"))
        write_json(folder / "result.json", {**result, "model": model, "metrics": {**result["metrics"], **readout}})
        (folder / "metrics.jsonl").write_text(json.dumps({**row, "validation_loss": loss}) + "\n")
    made = results(tmp_path)
    assert made.best is not None
    assert (made.judge, made.best.values["model.lr"]) == ("validation_accuracy", 0.1)
    assert [cells(made, each)[2] for each in made.settings] == ["75.00 *", "70.00"]
    finished(tmp_path, 0.3, 0, 0.8, None)
    assert "the settings have no accuracy on held-out samples in common" in results(tmp_path).note


def test_settings_of_one_model_without_a_validation_accuracy_are_compared_by_their_loss(tmp_path: Path) -> None:
    for lr in (0.1, 0.2):
        finished(tmp_path, lr, 0, 0.9, None)
    assert "the settings have no figure of held-out samples in common" in results(tmp_path).note
    for lr, loss in ((0.1, 0.4), (0.2, 0.3)):
        (tmp_path / "toy" / f"nametoylr{lr}-0" / "metrics.jsonl").write_text(
            json.dumps({"epoch": 1, "validation_loss": loss}) + "\n"
        )
    made = results(tmp_path)
    assert made.best is not None
    assert (made.judge, made.best.values["model.lr"]) == ("validation_loss", 0.2)


def test_a_figure_of_unknown_direction_chooses_no_best_setting(swept: Path) -> None:
    """Such as one of a user's own model: the setting with the smallest F1 score was once the best."""
    for file in swept.glob("toy/*/metrics.jsonl"):
        file.write_text(json.dumps({**json.loads(file.read_text()), "validation_f1": 0.5}) + "\n")
    with pytest.raises(UserError, match="whether a larger or a smaller validation_f1 is better is not known"):
        results(swept, judge="validation_f1")


def test_a_row_states_how_many_of_its_runs_have_the_metric(swept: Path) -> None:
    for seed in range(2):
        file = swept / "toy" / f"nametoylr0.1-{seed}" / "result.json"
        result = json.loads(file.read_text())
        write_json(file, {**result, "metrics": {**result["metrics"], "test_loss": 1.5}})
    made = results(swept, metric="test_loss")
    assert [cells(made, each)[1] for each in made.settings] == ["0 of 3", "2 of 3"]
    assert [cells(results(swept), each)[1] for each in made.settings] == ["3", "3"]


@pytest.mark.parametrize("other", [{"dataset": "another"}, {"scale": "smoke"}])
def test_no_best_setting_is_marked_across_several_data_sets_or_scales(tmp_path: Path, other: dict[str, str]) -> None:
    finished(tmp_path, 0.1, 0, 0.9, 0.9)
    finished(tmp_path, 0.2, 0, 0.9, 0.8, **other)
    made = results(tmp_path)
    assert made.best is None
    assert made.judge == "validation_accuracy", "it is shown"
    assert "differ in data set or scale" in "; ".join(remarks(made))


def test_validation_samples_that_are_test_samples_choose_no_best_setting(swept: Path) -> None:
    for file in swept.glob("toy/*/config.yaml"):
        config = yaml.safe_load(file.read_text())
        file.write_text(yaml.safe_dump({**config, "dataset": {"name": "d", "test_as_validation": True}}))
    assert results(swept).best is None


def test_settings_that_are_as_good_as_the_best_are_counted(swept: Path) -> None:
    """With few held-out samples several often are; rounding of the mean once decided between them."""
    assert results(swept).note == ""
    for seed, validation in enumerate((0.87, 0.86, 0.85)):
        finished(swept, 0.01, seed, 0.9, validation)
    made = results(swept)
    assert made.best is not None
    assert (made.best.values["model.lr"], made.note) == (0.01, "2 settings are equally good; the first is marked")
    assert made.note in remarks(made)


def test_runs_of_different_settings_are_never_averaged(swept: Path) -> None:
    finished(swept, 0.1, 0, 0.5, 0.5, hidden=7)
    made = results(swept, "model.lr")
    assert made.keys == ("model.lr", "model.hidden")
    assert made.added == ("model.hidden",)
    assert [len(each.runs) for each in made.settings] == [3, 3, 1]


def test_added_keys_that_a_further_added_key_implies_are_left_out(tmp_path: Path) -> None:
    """Four settings are distinguished by depth and shape; six are by hidden alone, which implies both."""
    for depth, shape, hidden in [(1, "a", 5), (1, "b", 6), (2, "a", 7), (2, "b", 8)]:
        finished(tmp_path, 0.1, 0, 0.5, 0.5, depth=depth, shape=shape, hidden=hidden)
    assert results(tmp_path, "model.lr").keys == ("model.lr", "model.depth", "model.shape")
    assert results(tmp_path, "model.hidden").keys == ("model.hidden",)
    for hidden in (9, 10):
        finished(tmp_path, 0.1, 0, 0.5, 0.5, depth=2, shape="b", hidden=hidden)
    assert results(tmp_path, "model.lr").keys == ("model.lr", "model.hidden")


def test_the_newest_run_of_a_seed_counts(swept: Path) -> None:
    newest = swept / "toy" / "again"
    newest.mkdir()
    for file in (swept / "toy" / "nametoylr0.1-0").iterdir():
        (newest / file.name).write_text(file.read_text())
    result = json.loads((newest / "result.json").read_text())
    write_json(newest / "result.json", {**result, "metrics": {"test_accuracy": 0.2}})
    record = json.loads((newest / "run.json").read_text())
    write_json(newest / "run.json", {**record, "created": "2026-01-01T00:00:00+00:00"})
    runs = results(swept).settings[1].runs
    assert [run.metrics["test_accuracy"] for run in runs] == [0.2, 0.91, 0.95]


def test_the_newest_run_of_a_seed_counts_even_if_an_older_one_has_a_later_name(tmp_path: Path) -> None:
    """Runs are listed by their names, which are no part of a setting: the last one listed once counted."""
    for name, test, day in (("a", 0.9, 2), ("b", 0.2, 1)):
        finished(tmp_path, 0.1, 0, test, 0.8)
        (tmp_path / "toy").rename(tmp_path / name)
        (file,) = tmp_path.glob(f"{name}/*/run.json")
        write_json(file, {**json.loads(file.read_text()), "created": f"2026-01-0{day}T00:00:00+00:00"})
    (setting,) = results(tmp_path).settings
    assert [run.metrics["test_accuracy"] for run in setting.runs] == [0.9]


def test_a_mean_over_runs_that_read_different_data_is_marked(swept: Path) -> None:
    """As after an edit of a table of one's own, whose path remains the same."""
    assert "different data" not in "; ".join(remarks(results(swept)))
    file = swept / "toy" / "nametoylr0.1-2" / "result.json"
    result = json.loads(file.read_text())
    write_json(file, {**result, "data": {**result["data"], "sha256": "1" * 64}})
    assert "a row is a mean over runs that read different data (sha256)" in "; ".join(remarks(results(swept)))
    assert results(swept).best is not None, "data that are selected or generated differ by what the settings say"
    write_json(file, {**result, "data": {**result["data"], "bytes": 9}})
    assert results(swept).best is not None
    write_json(file, {**result, "data": {**result["data"], "sha256": "1" * 64, "bytes": 9}})
    assert results(swept).best is None, "its row would be compared with one on the file as it was"
    assert "no best is marked: the settings read different data (sha256)" in remarks(results(swept))


def test_no_best_is_chosen_among_settings_that_read_different_files_of_ones_own(swept: Path) -> None:
    """All tables of one's own are called csv: the better one on the easier table was once the best."""
    assert results(swept).best is not None
    for file in swept.glob("toy/nametoylr0.1-*/result.json"):
        result = json.loads(file.read_text())
        write_json(file, {**result, "data": {**result["data"], "source": "b.csv"}})
    assert results(swept).best is not None, "the same bytes in another place"
    for file in swept.glob("toy/nametoylr0.1-*/result.json"):
        result = json.loads(file.read_text())
        write_json(file, {**result, "data": {**result["data"], "sha256": "1" * 64}})
    made = results(swept)
    assert made.best is None
    assert "no best is marked: the settings differ in data set or scale" in remarks(made)


def test_csv_and_json_contain_the_numbers_of_every_setting(swept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(results(swept)))))
    assert [(row["model.lr"], row["best"], row["seeds"]) for row in rows] == [
        ("0.02", "1", "0 1 2"),
        ("0.1", "0", "0 1 2"),
    ]
    assert float(rows[1]["test_accuracy_mean"]) == pytest.approx(0.92)
    assert main(["results", "model.lr=0.1", "--format", "json", "--outputs", str(swept)]) == 0
    (setting,) = json.loads(capsys.readouterr().out)["settings"]
    assert setting["figures"]["validation_accuracy"]["mean"] == pytest.approx(0.81)
    assert len(setting["runs"]) == 3


CLOSE = (0.00012345, 0.00012346)


def test_settings_that_differ_in_a_late_digit_are_shown_with_different_values(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Such settings are also drawn as two points; measured figures keep their format."""
    for lr, test in zip(CLOSE, (0.87654321, 0.9), strict=True):
        finished(tmp_path, lr, 0, test, 0.7, shape=[lr, 3.0])
    made = results(tmp_path, "model.lr", "model.shape")
    assert [cells(made, each)[:2] for each in made.settings] == [[f"{lr}", f"[{lr}, 3.0]"] for lr in CLOSE]
    assert "| 87.65 |" in as_markdown(made)
    assert main(["results", "--by", "model.lr", "--outputs", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert all(f" {lr} " in shown for lr in CLOSE)
    ((line, *_),) = (axes.lines for axes in plot(results(tmp_path, "model.lr")).axes)
    assert [x for x, _ in line.get_xydata().tolist()] == [*CLOSE]


def test_markdown_and_screen_show_mean_deviation_interval_and_how_the_best_was_chosen(
    swept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = results(swept)
    assert cells(made, made.settings[0])[2].endswith(" *")
    assert "| 0.1 | 3 | 81.00 ± 1.00 | 92.00 ± 2.65 | 85.43 to 98.57 |" in as_markdown(made)
    assert printed("test_accuracy", 0.92, 0.0265) == "92.00 ± 2.65 %", "the heading has the unit"
    assert main(["results", "toy", "--outputs", str(swept)]) == 0
    shown = capsys.readouterr().out
    assert "best by validation accuracy, never by a test figure" in shown


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nobody"], "is named nobody"),
        (["model.lrr=1"], "Did you mean model.lr?"),
        (["model.lr=7"], "no finished run"),
        (["model=nobody", "model.lr=0.1"], "no finished run below"),
        (["model.lr=0.1", "model.lr=0.02"], "model.lr is given twice. Write all of its values in one filter: "),
        (["--by", "model.lrr"], "Did you mean model.lr?"),
        (["--by", "model.lrr", "--by", "model.lr"], "Did you mean model.lr?"),
        (["--by", "seeds"], "--by seeds: no run here has such a key.\n"),
        (["--by", "seed"], "one setting, whose row is the mean over its seeds. Leave seed out (runs of one seed:"),
        (["--by", "model.lr,figures"], "runs that differ only in figures form one setting"),
        (["--metric", "test_acuracy"], "Did you mean test_accuracy?"),
        (["model.lr=0.1", "--plot", "x.png"], "there is only one setting"),
    ],
)
def test_unknown_names_keys_and_metrics_and_unusable_keys_are_refused_with_a_hint(
    swept: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    assert main(["results", *words, "--outputs", str(swept)]) == 2
    assert sentence in capsys.readouterr().err


def test_the_plot_shows_means_bands_and_the_best(swept: Path) -> None:
    figure = plot(results(swept))
    assert_readable({"lines": figure})
    (axes,) = figure.axes
    line, ring = axes.lines
    assert line.get_xydata().tolist() == [[0.02, pytest.approx(0.87)], [0.1, pytest.approx(0.92)]]
    assert ring.get_xydata().tolist() == [[0.02, pytest.approx(0.87)]]
    (band,) = axes.collections
    low, high = stats.t.interval(0.95, 2, 0.92, stats.sem([0.90, 0.91, 0.95]))
    at_end = [y for x, y in band.get_paths()[0].vertices if x == 0.1]
    assert (min(at_end), max(at_end)) == (pytest.approx(low), pytest.approx(high))


def test_text_in_a_plot_is_neither_a_number_nor_a_formula(tmp_path: Path) -> None:
    """A hash 12e345 was once an infinite position, and a value with two dollar signs a formula with a fault."""
    for number, word in enumerate(("12e345", "nan", "100")):
        finished(tmp_path, 0.1, 0, 0.9, None, **{"$\\x$": word, "b": f"$\\frac$ {number}"})
    made = results(tmp_path, "model.$\\x$", "model.b")
    assert drawn(made, "svg")
    (axes, _) = plot(made).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["100", "12e345", "nan"]
    (axes,) = plot(results(tmp_path, "model.$\\x$")).axes
    assert axes.lines[0].get_xdata().tolist() == [0, 1, 2]


def test_long_names_are_drawn_whole_and_points_of_several_lines_beside_each_other(tmp_path: Path) -> None:
    """Names below the axis were once cut at the edge of the figure, as was the title of the axis."""
    files = [f"measurements of March 2026, experiment 17, session {number}, all sensors.csv" for number in range(3)]
    for file in files:
        for kind in ("a", "b"):
            finished(tmp_path, 0.1, 0, 0.9, None, file=file, kind=kind)
    keys = ("model.file", "model.kind")
    by_file, by_kind = (
        in_style(lambda made: {"": plot(made)}, results(tmp_path, *by))[""] for by in (keys, keys[::-1])
    )
    assert isinstance(by_file, Figure)
    assert_readable({"axis": by_file, "legend": by_kind})
    first, second = (line.get_xdata().tolist() for line in by_file.axes[0].lines if line.get_marker() == "o")
    assert not {*first} & {*second}


def test_two_keys_make_a_heat_map_with_gaps(tmp_path: Path) -> None:
    for i, lr in enumerate((0.1, 0.2, 0.4)):
        for j, hidden in enumerate((8, 16, 128)):
            if (i, j) != (2, 2):
                finished(tmp_path, lr, 0, 0.5 + 0.1 * i + 0.01 * j, 0.1 * j - 0.01 * i, hidden=hidden)
    figure = plot(results(tmp_path, "model.lr", "model.hidden"))
    assert_readable({"heat map": figure})
    axes = figure.axes[0]
    image = axes.images[0].get_array()
    assert image[1, 2] == pytest.approx(71.0), "row: the second key, 16; column: the first, 0.4"
    assert image.mask[2, 2]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["8", "16", "128"], "by size, not by letters"


def test_plots_are_written_in_the_format_of_their_file_suffix(swept: Path, tmp_path: Path) -> None:
    for kind, begin in (("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")):
        file = tmp_path / f"lr.{kind}"
        assert main(["results", "--by", "model.lr", "--plot", str(file), "--outputs", str(swept)]) == 0
        assert file.read_bytes().startswith(begin)


def test_figures_at_a_smaller_scale_are_marked_as_never_a_result(
    swept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in swept.glob("toy/nametoylr0.1-*/result.json"):
        write_json(file, {**json.loads(file.read_text()), "scale": "smoke"})
    assert main(["results", "--outputs", str(swept)]) == 0
    assert "scale smoke: never a result" in capsys.readouterr().out


def test_settings_that_were_not_run_with_the_same_seeds_are_compared_with_a_remark(swept: Path) -> None:
    """As after a sweep of which some jobs failed: the setting of the luckier seeds was called the best."""
    remark = "the settings were not run with the same seeds, by which their means differ too"
    assert remark not in list(remarks(results(swept)))
    shutil.rmtree(swept / "toy" / "nametoylr0.1-2")
    made = results(swept)
    assert made.best is not None
    assert remark in list(remarks(made))
    shutil.rmtree(swept / "toy" / "nametoylr0.02-1")
    assert remark in list(remarks(results(swept))), "as many seeds, but others"


def test_a_damaged_run_that_is_left_out_of_a_mean_is_named(swept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (swept / "toy" / "nametoylr0.1-2" / "result.json").write_text("{")
    assert main(["results", "model.lr=0.1", "--format", "csv", "--outputs", str(swept)]) == 0
    shown, notes = capsys.readouterr()
    assert notes == "note: toy/nametoylr0.1-2 is left out, since it is damaged: result.json is cut at byte 1\n"
    assert shown.splitlines()[1].startswith("0 1,0,0.905,")


def test_a_run_whose_damage_hides_whether_it_belongs_to_a_mean_is_named(
    swept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (swept / "toy" / "nametoylr0.1-2" / "config.yaml").unlink()
    (swept / "toy" / "nametoylr0.1-1" / "run.json").write_text("{")
    assert main(["results", "model.lr=0.1", "model=toy", "--format", "csv", "--outputs", str(swept)]) == 0
    shown, notes = capsys.readouterr()
    assert sorted(notes.splitlines()) == [
        "note: toy/nametoylr0.1-1 is left out, since it is damaged: run.json is cut at byte 1",
        "note: toy/nametoylr0.1-2 is left out, since it is damaged: config.yaml is missing",
    ]
    assert shown.splitlines()[1].startswith("0,0,")


def test_the_values_of_a_row_are_known_from_its_other_runs_if_the_configuration_of_one_is_damaged(swept: Path) -> None:
    """What was typed, the text "0.1", once differed from the number in the others' configurations."""
    (swept / "toy" / "nametoylr0.1-2" / "config.yaml").write_text("model: [")
    assert [each.values for each in results(swept).settings] == [{"model.lr": 0.02}, {"model.lr": 0.1}]


def test_a_run_with_damaged_epoch_metrics_stays_in_its_row_but_no_best_setting_is_marked(swept: Path) -> None:
    next(swept.glob("toy/nametoylr0.02-0/metrics.jsonl")).write_text("{")
    made = results(swept)
    assert [len(each.runs) for each in made.settings] == [3, 3]
    assert made.best is None
