"""Promises of the trackers: each holds the run's epochs and figures; without one nothing of them is imported."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Neurobench, command, environment, neurobench  # noqa: F401  (a fixture)


def run(where: Path, *words: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The result and the epochs of one run."""
    done = subprocess.run(
        command("run", "model=toy", *words), cwd=where, env={**environment(), "WANDB_MODE": "offline"},
        capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = where.glob("outputs/toy*/*")
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return json.loads((folder / "result.json").read_text()), rows


def test_tensorboard_holds_every_epoch_and_the_figures(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result, rows = run(tmp_path, "logger=tensorboard")
    (folder,) = (tmp_path / "outputs" / ".tensorboard").iterdir()
    events = EventAccumulator(str(folder)).Reload()
    told = [(event.step, event.value) for event in events.Scalars("validation/loss")]
    assert told == [(row["epoch"], pytest.approx(row["validation_loss"])) for row in rows]
    (accuracy,) = events.Scalars("result/test_accuracy")
    assert accuracy.value == pytest.approx(result["metrics"]["test_accuracy"])


def test_mlflow_holds_parameters_epochs_and_figures_in_sqlite(tmp_path: Path) -> None:
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


def test_a_tracker_that_is_not_there_or_not_known_is_said_before_anything_runs(
    neurobench: Neurobench,  # noqa: F811
    tmp_path: Path,
) -> None:
    done = neurobench("run", "model=toy", "logger=tensorbord")
    assert done.returncode == 2
    assert "Did you mean tensorboard?" in done.stderr
    assert not (tmp_path / "outputs").exists()


def test_the_recipes_import_none_of_them() -> None:
    names = "{'torch', 'mlflow', 'wandb', 'tensorboard'}"
    script = f"import sys, neurobench.experiment.trackers; print({names} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=os.environ, check=True)
    assert done.stdout.strip() == "set()"
