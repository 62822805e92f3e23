"""Tests of where a command writes and of what it prints: home folders, closed streams, folders of earlier sweeps."""

import argparse
import io
import json
import subprocess
from pathlib import Path

import platformdirs
import pytest
from rich.console import Console

from neurobench.cli.arguments import add_outputs
from neurobench.cli.main import main
from neurobench.config.compose import composer, read
from neurobench.config.resolve import resolved
from neurobench.data.files import cache_folder
from neurobench.experiment import callbacks, trackers
from neurobench.experiment.plan import parse
from neurobench.experiment.request import plan_of
from neurobench.report.screen import Screen
from neurobench.storage.store import default_outputs
from tests.cli.conftest import Neurobench, command, environment
from tests.specs import spec


def test_a_tilde_in_a_key_or_variable_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NEUROBENCH_OUTPUTS", "~/runs")
    words = ["model=qrbm", "model.init_from=~/net.json", "dataset.root=~/data", "logger=tensorboard"]
    with composer() as compose:
        plain = resolved(compose(read([*words, "logger.tensorboard.folder=~/board"])))
        other = resolved(compose(read(["outputs=~nobody-here/x"])))
    named = (plain["outputs"], plain["model"]["init_from"], plain["dataset"]["root"])
    assert named == (f"{tmp_path}/runs", f"{tmp_path}/net.json", f"{tmp_path}/data")
    assert plain["logger"]["tensorboard"]["folder"] == f"{tmp_path}/board"
    assert other["outputs"] == "~nobody-here/x"
    assert default_outputs() == tmp_path / "runs"


@pytest.mark.parametrize("typed", ["~", "~/", "~/runs", "~root", "~root/runs", "runs"])
def test_a_run_is_written_to_the_folder_that_other_commands_read(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    """It had been written to a folder named `~`, which `rm -r ~` does not delete."""
    monkeypatch.setenv("NEUROBENCH_OUTPUTS", typed)
    with composer() as compose:
        assert Path(resolved(compose(read([])))["outputs"]) == default_outputs() == Path(typed).expanduser()


def test_data_have_the_same_path_in_whatever_folder_a_command_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    for folder, root, path in ((".", "data", "data"), ("sub", "../data", "data"), (".", "link", "link")):
        monkeypatch.chdir(tmp_path / folder)
        with composer() as compose:
            plain = resolved(compose(read(["model=qrbm", f"dataset.root={root}"])))
        assert plain["dataset"]["root"] == str(tmp_path / path)


def test_a_camera_and_an_initial_network_have_the_same_path_in_whatever_folder_a_command_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in ("camera.json", "net.json", "latest"):
        (tmp_path / file).touch()
    (tmp_path / "a_run.2").mkdir()
    monkeypatch.chdir(tmp_path)
    words = ["dataset=nmnist_emulated", "dataset.camera=camera.json"]
    for initial, stored in (("net.json", str(tmp_path / "net.json")), ("latest", "latest"), ("a_run.2", "a_run.2")):
        with composer() as compose:
            plan = parse(compose(read(["model=qrbm", *words, f"model.init_from={initial}"])))
        assert (plan.start_from, plan.config["dataset"]["camera"]) == (stored, str(tmp_path / "camera.json"))
        assert plan.root == str(tmp_path / "camera.json"), "a run does not count if that file has changed"


def test_a_tilde_in_the_option_for_all_runs_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`tune` creates the folder; other commands require it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for may_be_new in (False, True):
        parser = argparse.ArgumentParser()
        add_outputs(parser, may_be_new)
        assert parser.parse_args(["--outputs=~/"]).outputs == tmp_path


def test_a_multirun_reports_its_jobs_if_its_folder_is_named_after_the_date(
    neurobench: Neurobench, tmp_path: Path
) -> None:
    done = neurobench("run", "-m", "model=toy", "model.lr=-1", "hydra.sweep.dir=jobs/${now:%Y}/${model.name}")
    assert (done.returncode, "lost" in done.stdout) == (2, False), done.stdout
    assert len(list(tmp_path.glob("jobs/2*/toy/0/job.json"))) == 1
    assert "hydra.job.id" in neurobench("run", "-m", "model=toy", "hydra.sweep.dir=x/${hydra.job.id}").stderr


def test_a_multirun_is_written_to_the_home_folder_that_a_tilde_names(
    neurobench: Neurobench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert neurobench("run", "-m", "model=toy", "model.lr=-1", "outputs=~/runs").returncode == 2
    assert len(list(tmp_path.glob("home/runs/.sweeps/*/0/job.json"))) == 1
    assert neurobench("run", "-m", "model=toy", "model.lr=-1", "hydra.sweep.dir=~/jobs").returncode == 2
    assert (tmp_path / "home/jobs/0/job.json").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


@pytest.mark.parametrize("verb", ["validate", "run"])
@pytest.mark.parametrize(
    ("value", "sentence"),
    [("", "outputs='' names no folder"), ("/tmp/\udcff", "is not text in UTF-8")],
)
def test_outputs_that_name_no_folder_or_cannot_be_recorded_are_refused(
    verb: str, value: str, sentence: str, neurobench: Neurobench, tmp_path: Path
) -> None:
    done = neurobench(verb, "model=toy", f"outputs={value}")
    assert (done.returncode, sentence in done.stderr) == (2, True), done.stderr
    assert not any(tmp_path.iterdir())


def test_validate_refuses_overrides_that_run_refuses_since_they_would_be_ignored(neurobench: Neurobench) -> None:
    for verb in ("run", "validate"):
        assert "hydra.launcher=joblib would be ignored" in neurobench(verb, "hydra.launcher=joblib").stderr


def test_a_dry_run_of_several_runs_is_refused_with_the_command_that_lists_them(neurobench: Neurobench) -> None:
    done = neurobench("run", "-m", "--dry-run", "seed=0,1")
    assert (done.returncode, "neurobench sweep ... --dry-run" in done.stderr) == (2, True)


def test_a_multirun_whose_runs_would_start_from_each_other_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "-m", "model=qrbm", "model.init_from=latest", "seed=0,1", f"outputs={tmp_path}"]
    assert main(words) == 2
    assert "model.init_from=latest means the run of another job as soon as that has ended" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_multirun_reports_its_own_jobs_not_those_of_an_earlier_one_in_its_folder(
    neurobench: Neurobench, tmp_path: Path
) -> None:
    for name in ("0", "1", "other"):
        (tmp_path / "sweep" / name).mkdir(parents=True)
        (tmp_path / "sweep" / name / "job.json").write_text(json.dumps({"overrides": ["seed=7"], "status": "failed"}))
    done = neurobench("run", "-m", "model=toy", "scale=smoke", "hydra.sweep.dir=sweep")
    assert done.returncode == 0, done.stdout
    assert "1 of 1 runs finished" in done.stdout
    assert (tmp_path / "sweep/other/job.json").is_file()


def test_a_command_whose_output_streams_are_closed_ends_as_usual(tmp_path: Path) -> None:
    words = " ".join(f"'{word}'" for word in command("version"))
    for closed in (">&-", "2>&-", "<&- >&- 2>&-"):
        done = subprocess.run(
            ["sh", "-c", f"{words} {closed}"], cwd=tmp_path, env=environment(), capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, b""), closed


def test_a_folder_that_has_been_deleted_is_named_as_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    code = main(["run", "model=toy", "scale=smoke"])
    monkeypatch.chdir(tmp_path)
    assert (code, "the folder in which you are has been deleted" in capfd.readouterr().err) == (2, True)


def test_a_user_without_a_home_folder_has_no_cache_and_needs_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def no_home(name: str) -> str:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr(platformdirs, "user_cache_dir", no_home)
    monkeypatch.delenv("NEUROBENCH_DATA", raising=False)
    with pytest.raises(OSError, match="Not a directory"):
        cache_folder().mkdir(parents=True)
    assert len(spec("dataset/mnist").load(0).test) == 10_000


def test_a_credential_of_a_variable_on_the_command_line_is_in_no_file_of_the_run(
    neurobench: Neurobench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKER_PASSWORD", "correct-horse")
    monkeypatch.setattr(trackers, "is_installed", lambda name: True)
    words = ("model=toy", "scale=smoke", "logger=mlflow", "logger.mlflow.uri=http://me:correct-horse@nowhere.invalid")
    monkeypatch.setattr(callbacks.MLflowCallback, "begin", lambda *_: (_ for _ in ()).throw(OSError("unreachable")))
    assert neurobench("run", *words).returncode == 1
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"config.yaml", "run.json", "run.log"} <= {path.name for path in files}
    assert not [path.name for path in files if b"correct-horse" in path.read_bytes()]
    assert "http://me:***@nowhere.invalid" in next(tmp_path.rglob("config.yaml")).read_text()


def test_a_tracker_whose_credential_is_not_in_the_run_folder_does_not_follow_a_repeated_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`rerun` and `poll` had written to a folder named ***, or had failed at the server."""
    monkeypatch.setattr(trackers, "is_installed", lambda name: True)
    words = ["model=mlp", "logger=[tensorboard,mlflow]", "logger.mlflow.uri=http://me:***@nowhere.invalid"]
    plan, said = plan_of(words)[0], io.StringIO()
    followers = callbacks.started(plan, Console(file=said, width=200))
    assert [type(follower) for follower in followers] == [callbacks.TensorBoardCallback]
    assert said.getvalue().startswith("note: MLflow does not follow this run: config.yaml has *** in place of a cred")


def test_words_between_colons_are_printed_as_they_are() -> None:
    file = io.StringIO()
    Screen(file=file).print("outputs/a:100:b :cat:")
    assert file.getvalue() == "outputs/a:100:b :cat:\n"


def test_a_run_of_another_version_is_shown_without_the_figures_that_it_lacks(
    neurobench: Neurobench, tmp_path: Path
) -> None:
    assert neurobench("run", "model=toy", "scale=smoke").returncode == 0
    (folder,) = tmp_path.glob("outputs/*/2*")
    record, result = (json.loads((folder / name).read_text()) for name in ("run.json", "result.json"))
    (folder / "run.json").write_text(json.dumps({**record, "seeds": {}, "data": {"sha256": "0" * 64}}))
    bare = {key: value for key, value in result.items() if key not in ("peak_rss_mb", "samples_per_s", "warnings")}
    (folder / "result.json").write_text(json.dumps({**bare, "baselines": {"nearest": 0.25}}))
    shown = neurobench("show", "latest")
    assert (shown.returncode, "nearest 25.00 %" in shown.stdout) == (0, True), shown.stderr
    odd = (
        {"baselines": 7}, {"baselines": {"majority_class": "x"}}, {"warnings": 3}, {"samples_per_s": {"train": "x"}},
        {"device_costs": {"a": 1}}, {"device_costs": {"a": {"reads": "x"}}}, {"machines": {"a": 1}},
        {"best_epoch": "x"}, {"energy_source": []}, {"overrides": [1]},
    )  # fmt: skip
    for part in odd:
        (folder / "result.json").write_text(json.dumps({**result, **part}))
        shown = neurobench("show", folder.name)
        assert f"damaged: result.json has a{'n' * ('overrides' in part)} " in shown.stdout, (part, shown.stderr)
