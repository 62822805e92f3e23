"""Promises of `runs`, `sweep` and `table`: all runs as one table, and sweeps planned as by the sweep command."""

import shutil
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest

import neurobench as nb
from neurobench.cli.main import main
from neurobench.report import published
from tests.report.test_table import OWN_TABLE


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs of one sweep."""
    folder = tmp_path_factory.mktemp("swept")
    with chdir(folder):
        nb.sweep("model=toy", {"model.lr": [0.1, 0.5]}, scale="smoke", seed=range(2), workers=1, progress=False)
    return folder


@pytest.fixture
def swept(place: Path, monkeypatch: pytest.MonkeyPatch) -> nb.Runs:
    """Repeat that sweep: all of its runs have finished."""
    monkeypatch.chdir(place)
    monkeypatch.delenv("NEUROBENCH_OUTPUTS", raising=False)
    return nb.sweep("model=toy", {"model.lr": [0.1, 0.5]}, scale="smoke", seed=range(2), workers=1, progress=False)


def test_a_sweep_runs_each_combination_once_in_the_order_of_the_command_line(
    swept: nb.Runs, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = swept.rows()
    assert [(row["seed"], row["model.lr"]) for row in rows] == [(0, 0.1), (1, 0.1), (0, 0.5), (1, 0.5)]
    capfd.readouterr()
    assert main(["sweep", "model=toy", "scale=smoke", "seed=0,1", "model.lr=0.1,0.5"]) == 0
    assert "(4 of them before)" in capfd.readouterr().out
    again = nb.sweep("model=toy", "scale=smoke", {"seed": np.arange(2), "model.lr": (0.1, 0.5)}, progress=False)
    assert [run.path for run in again] == [swept[k].path for k in (0, 2, 1, 3)]


def test_runs_of_one_configuration_under_several_names_are_all_returned(here: Path) -> None:
    runs = nb.sweep("model=toy", scale="smoke", name=["one", "two"], workers=1, progress=False)
    assert [run.path.parent.name for run in runs] == ["one", "two"]


def test_rows_contain_every_differing_key_and_every_metric(swept: nb.Runs) -> None:
    rows = swept.rows()
    differing = set(rows[0]) - {"run", "status", "model", "dataset", "backend", "encoder", "encoders", "scale", "seed"}
    assert differing - {"overrides"} - set(swept[0].metrics) == {"model.lr"}
    for run, row in zip(swept, rows, strict=True):
        assert {name: row[name] for name in run.metrics} == run.metrics


def test_a_swept_key_is_a_column_even_if_it_takes_a_single_value(swept: nb.Runs) -> None:
    for values in ([0.5], np.array([0.5])):
        runs = nb.sweep("model=toy", {"model.lr": values}, scale="smoke", seed=range(2), progress=False)
        assert [row["model.lr"] for row in runs[:].rows()] == [0.5, 0.5]
    runs = nb.sweep("model=toy", {"model.lr": 0.5, "training": [{"patience": None}]}, scale="smoke", progress=False)
    assert runs.rows()[0]["training.patience"] is None


def test_a_notebook_shows_runs_with_the_keys_that_differ(swept: nb.Runs) -> None:
    shown = swept._repr_html_()
    assert "<th>model.lr</th><th>test_accuracy</th>" in shown
    assert shown.count("<tr>") == 5
    assert nb.Runs([])._repr_html_().count("<tr>") == 1


def test_frame_is_a_pandas_data_frame_of_the_rows(swept: nb.Runs) -> None:
    pandas = pytest.importorskip("pandas")
    frame = swept.frame()
    assert isinstance(frame, pandas.DataFrame)
    means = frame.groupby("model.lr")["test_accuracy"].mean()
    for lr in (0.1, 0.5):
        chosen = [run.metrics["test_accuracy"] for run in swept if run.config["model"]["lr"] == lr]
        assert means[lr] == pytest.approx(np.mean(chosen))


def test_runs_are_selected_by_model_key_seed_and_status(swept: nb.Runs) -> None:
    assert len(nb.runs()) == len(nb.runs("outputs", model="toy")) == 4
    assert {run.config["seed"] for run in nb.runs(None, {"model.lr": 0.5}, seed=1)} == {1}
    assert len(nb.runs(seed=[0, 1], status="finished")) == 4
    assert not nb.runs(model="qrbm")
    with pytest.raises(nb.UserError, match=r"model.lrr: no run here has such a key. Did you mean model.lr\?"):
        nb.runs(None, {"model.lrr": 0.5})
    with pytest.raises(nb.UserError, match="there is no folder elsewhere"):
        nb.runs("elsewhere")


def test_runs_are_selected_by_the_whole_value_of_a_key_that_is_a_list_or_a_section(swept: nb.Runs) -> None:
    assert len(nb.runs(None, {"model": {"lr": 0.5}})) == 2
    encoders = swept[0].summary["encoders"]
    assert isinstance(encoders, list)
    assert len(nb.runs(encoders=encoders)) == 4
    assert not nb.runs(encoders=["Latency", "Flat"])


def test_a_folder_within_that_of_all_runs_is_refused_with_the_latter(swept: nb.Runs) -> None:
    with pytest.raises(
        nb.UserError, match="is the folder of one run, which nb.load opens. Give that of all: .*outputs$"
    ):
        nb.runs(swept[0].path)
    with pytest.raises(nb.UserError, match="contains the runs of one name only. Give the folder of all: .*outputs$"):
        nb.table("dynex", swept[0].path.parent)


def test_a_tilde_means_the_home_folder_as_in_the_keys_of_a_run(
    swept: nb.Runs, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(place))
    assert len(nb.runs("~/outputs")) >= len(swept)
    assert nb.load(f"~/{swept[0].path.relative_to(place)}").status == "finished"
    assert nb.load(swept[0].name, outputs="~/outputs").name == swept[0].name


def test_a_damaged_run_is_a_row_with_the_status_damaged(swept: nb.Runs, tmp_path: Path) -> None:
    shutil.copytree("outputs", tmp_path / "copied")
    next((tmp_path / "copied").glob("*/*/run.json")).write_text("{")
    rows = nb.runs(tmp_path / "copied").rows()
    assert sorted(row["status"].partition(":")[0] for row in rows) == ["damaged", *["finished"] * 3]


def test_a_run_whose_damage_hides_whether_it_matches_is_named_in_a_warning(swept: nb.Runs, tmp_path: Path) -> None:
    shutil.copytree("outputs", tmp_path / "copied")
    next((tmp_path / "copied").glob("*/*/run.json")).write_text("{")
    assert len(nb.runs(tmp_path / "copied")) == 4
    with pytest.warns(UserWarning, match="is left out, since it is damaged: run.json is cut at byte 1"):
        assert len(nb.runs(tmp_path / "copied", scale="smoke")) == 3


def test_a_damaged_run_displays_its_status_in_a_notebook(swept: nb.Runs, tmp_path: Path) -> None:
    """A traceback was once displayed instead."""
    shutil.copytree("outputs", tmp_path / "copied")
    finished, unfinished, *_ = (tmp_path / "copied").glob("*/*/run.json")
    finished.write_text("{")
    assert "test accuracy" in nb.load(finished.parent)._repr_html_()
    unfinished.write_text("{")
    unfinished.with_name("result.json").unlink()
    unfinished.with_name("metrics.jsonl").write_text('{"epoch')
    assert "damaged: run.json is cut at byte 1" in nb.load(unfinished.parent)._repr_html_()


def test_a_sweep_raises_for_faulty_settings_and_warns_of_failed_jobs(here: Path) -> None:
    with pytest.raises(nb.ConfigError, match="seed=-1 is not in"):
        nb.sweep("model=toy", seed=[-1])
    with pytest.raises(nb.UserError, match=r"model.lr=\[\] contains no value"):
        nb.sweep("model=toy", {"model.lr": []})
    with pytest.raises(nb.UserError, match="launcher cloud: there is no such launcher"):
        nb.sweep("model=toy", seed=[1], launcher="cloud")
    keys = {"model.explode_at": [1, None]}
    with pytest.warns(UserWarning, match="failed: model=toy model.explode_at=1 scale=smoke"):
        (failed, finished) = nb.sweep("model=toy", keys, scale="smoke", workers=1, progress=False)
    assert (failed.status, finished.status) == ("failed", "finished")
    with pytest.raises(nb.UserError, match="no run of the sweep finished"):
        nb.sweep("model=toy", {"model.explode_at": [1]}, scale="smoke", workers=1, progress=False)


def test_table_prints_the_same_as_the_command_line(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made = nb.table("dynex")
    capfd.readouterr()
    assert main(["table", "dynex", "--format", "md"]) == 0
    assert capfd.readouterr().out == f"{made!r}\n"
    assert made[0].row.what in made._repr_html_()
    with pytest.raises(nb.UserError, match="there is no table 'dynx'; .* Did you mean dynex?"):
        nb.table("dynx")


def test_table_refuses_a_folder_of_runs_that_does_not_exist(here: Path) -> None:
    """A typing mistake once showed a table of which nothing was run."""
    with pytest.raises(nb.UserError, match="there is no folder elsewhere"):
        nb.table("dynex", "elsewhere")


def test_a_custom_table_is_found_in_its_config_dir(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = {"scale": ["paper"], "experiment": ["mine"]}  # composing all of them takes seconds
    monkeypatch.setattr(published, "choices", lambda group, config_dir: few[group])
    monkeypatch.setenv("NEUROBENCH_CACHE", str(here / "cache"))
    (here / "own" / "experiment").mkdir(parents=True)
    (here / "own" / "experiment" / "mine.yaml").write_text(OWN_TABLE.replace("/model: mine", "/model: toy"))
    run = nb.run("experiment=mine", config_dir="own", progress=False)
    (row,) = nb.table("own", config_dir="own")
    assert row.mean == run.metrics["test_accuracy"]
    assert f"--config-dir={here}/own" in row.again
    with pytest.raises(nb.UserError, match="there is no table 'own'"):
        nb.table("own")
    with pytest.raises(nb.UserError, match="config_dir='owm': there is no such folder"):
        nb.table("own", config_dir="owm")
