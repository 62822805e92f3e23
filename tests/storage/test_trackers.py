"""Promises of the trackers: each records the run's epochs and metrics; their packages are not imported without one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import neurobench as nb
from neurobench.config.errors import BAD_USAGE, FINE
from neurobench.experiment import trackers
from tests.cli.conftest import Neurobench, command, environment, neurobench  # noqa: F401  (a fixture)
from tests.specs import CONF

TRACKERS = ["tensorboard", "mlflow", "wandb"]


def run(where: Path, *words: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Result and epochs of one run."""
    done = subprocess.run(
        command("run", "model=toy", *words), cwd=where, env={**environment(), "WANDB_MODE": "offline"},
        capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = where.glob("outputs/toy*/*")
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return json.loads((folder / "result.json").read_text()), rows


def test_tensorboard_records_every_epoch_and_the_metrics_of_the_result(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result, rows = run(tmp_path, "logger=tensorboard")
    (folder,) = (tmp_path / "outputs" / ".tensorboard").iterdir()
    events = EventAccumulator(str(folder)).Reload()
    told = [(event.step, event.value) for event in events.Scalars("validation/loss")]
    assert told == [(row["epoch"], pytest.approx(row["validation_loss"])) for row in rows]
    (accuracy,) = events.Scalars("result/test_accuracy")
    assert accuracy.value == pytest.approx(result["metrics"]["test_accuracy"])


def test_mlflow_records_parameters_epochs_and_metrics_in_sqlite(tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
    result, rows = run(tmp_path, "logger=mlflow")
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/outputs/.mlflow.db")
    (known,) = client.search_runs([client.get_experiment_by_name("neurobench").experiment_id])
    assert known.data.params["model.lr"] == "0.5"
    assert known.data.metrics["test_accuracy"] == result["metrics"]["test_accuracy"]
    told = client.get_metric_history(known.info.run_id, "validation_loss")
    assert [(entry.step, entry.value) for entry in told] == [(row["epoch"], row["validation_loss"]) for row in rows]
    assert known.info.status == "FINISHED"


def test_wandb_writes_an_offline_run(tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed")
    run(tmp_path, "logger=wandb")
    assert list((tmp_path / "outputs" / ".wandb").glob("wandb/offline-run-*/*.wandb"))


def test_an_unknown_tracker_is_refused_before_anything_runs(
    neurobench: Neurobench,  # noqa: F811
    tmp_path: Path,
) -> None:
    done = neurobench("run", "model=toy", "logger=tensorbord")
    assert done.returncode == 2
    assert "Did you mean tensorboard?" in done.stderr
    assert not (tmp_path / "outputs").exists()


@pytest.fixture
def logged(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run whose stored configuration has a tracker, on a machine without that tracker's package."""
    run = nb.run("model=toy", "scale=smoke", outputs=str(tmp_path / "outputs"), progress=False)
    section = yaml.safe_load((CONF / f"logger/{request.param}.yaml").read_text())
    (run.path / "config.yaml").write_text(yaml.safe_dump({**run.config, "logger": section}))
    monkeypatch.setattr(trackers, "is_installed", lambda module: False)
    return run.path


@pytest.mark.parametrize("logged", TRACKERS, indirect=True)
def test_a_run_can_be_read_if_its_tracker_is_not_installed(neurobench: Neurobench, logged: Path) -> None:  # noqa: F811
    run = nb.load(logged)
    assert run.plan.config_hash == run.result["config_hash"]
    assert len(run.predict(run.data().test.x[:3])) == 3
    for words in (["show", "--predict", "3"], ["export"]):
        done = neurobench(words[0], str(logged), *words[1:])
        assert done.returncode == FINE, done.stderr


@pytest.mark.parametrize("logged", TRACKERS, indirect=True)
def test_a_run_is_not_repeated_if_its_tracker_is_not_installed(
    neurobench: Neurobench,  # noqa: F811
    logged: Path,
    request: pytest.FixtureRequest,
) -> None:
    name = request.node.callspec.params["logged"]
    for words in (["rerun", str(logged)], ["validate", "model=toy", f"logger={name}"]):
        done = neurobench(*words)
        assert done.returncode == BAD_USAGE
        assert f"needs {name}, which is not installed" in done.stderr
    assert len(list(logged.parent.iterdir())) == 1


def test_importing_trackers_imports_neither_torch_nor_a_trackers_package() -> None:
    names = "{'torch', 'mlflow', 'wandb', 'tensorboard'}"
    script = f"import sys, neurobench.experiment.trackers; print({names} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=os.environ, check=True)
    assert done.stdout.strip() == "set()"
