"""Experiment trackers at work. Each is a `neurobench.experiment.callbacks.Watcher`.

A run that goes on after a kill is told to the tracker as one run of the same name: rows of earlier sittings first.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from neurobench.experiment.identity import science
from neurobench.runs.differences import flat
from neurobench.runs.folder import RunFolder


def run_name(folder: RunFolder) -> str:
    return f"{folder.path.parent.name}-{folder.path.name}"


def scalars(row: Mapping[str, Any]) -> dict[str, float]:
    return {key: float(value) for key, value in row.items() if key != "epoch" and isinstance(value, int | float)}


def merits(folder: RunFolder) -> dict[str, float]:
    """Figures of merit; empty where the run did not finish."""
    result = folder.result()
    return scalars(result["metrics"]) if result else {}


class TensorBoardWatcher:
    def __init__(self, folder: Path):
        self.folder = folder

    def begin(self, config: DictConfig, folder: RunFolder) -> None:
        from torch.utils.tensorboard import SummaryWriter

        rows = folder.metrics()
        self.writer = SummaryWriter(str(self.folder / run_name(folder)), purge_step=len(rows) + 1)
        if not rows:
            self.writer.add_text("config", f"```yaml\n{OmegaConf.to_yaml(config)}```")

    def epoch(self, row: Mapping[str, Any]) -> None:
        for key, value in scalars(row).items():
            self.writer.add_scalar(key.replace("_", "/", 1), value, row["epoch"])
        self.writer.flush()

    def end(self, folder: RunFolder) -> None:
        for key, value in merits(folder).items():
            self.writer.add_scalar(f"result/{key}", value, 0)
        self.writer.close()


class MLflowWatcher:
    def __init__(self, uri: str, experiment: str, artifacts: Path):
        self.uri, self.experiment, self.artifacts = uri, experiment, artifacts

    def begin(self, config: DictConfig, folder: RunFolder) -> None:
        import mlflow

        self.client = mlflow.MlflowClient(self.uri)
        known = self.client.get_experiment_by_name(self.experiment)
        place = known.experiment_id if known else self.client.create_experiment(self.experiment, str(self.artifacts))
        name = run_name(folder)
        earlier = self.client.search_runs([place], f"attributes.run_name = '{name}'")
        if earlier:
            self.id = earlier[0].info.run_id
            self.client.update_run(self.id, "RUNNING")
            return
        self.id = self.client.create_run(place, run_name=name).info.run_id
        for key, value in flat(science(config)).items():
            self.client.log_param(self.id, key, value)

    def epoch(self, row: Mapping[str, Any]) -> None:
        for key, value in scalars(row).items():
            self.client.log_metric(self.id, key, value, step=row["epoch"])

    def end(self, folder: RunFolder) -> None:
        found = merits(folder)
        for key, value in found.items():
            self.client.log_metric(self.id, key, value)
        for name in ("config.yaml", "result.json"):
            if folder.has(name):
                self.client.log_artifact(self.id, str(folder.path / name))
        self.client.set_terminated(self.id, "FINISHED" if found else "FAILED")


class WandBWatcher:
    def __init__(self, project: str, mode: str, folder: Path):
        self.project, self.mode, self.folder = project, mode, folder

    def begin(self, config: DictConfig, folder: RunFolder) -> None:
        import wandb

        self.folder.mkdir(parents=True, exist_ok=True)
        name = run_name(folder)
        options: dict[str, Any] = {"mode": self.mode, "name": name}
        if self.mode == "online":
            options |= {"id": name, "resume": "allow"}
        self.run = wandb.init(
            project=self.project,
            dir=str(self.folder),
            config=science(config),
            settings=wandb.Settings(silent=True),
            **options,
        )
        if self.mode == "offline":  # an offline run cannot be gone on with: the new one tells all
            for row in folder.metrics():
                self.epoch(row)

    def epoch(self, row: Mapping[str, Any]) -> None:
        self.run.log(scalars(row), step=row["epoch"])

    def end(self, folder: RunFolder) -> None:
        found = merits(folder)
        self.run.summary.update(found)
        self.run.finish(exit_code=0 if found else 1)
