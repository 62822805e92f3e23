"""Callbacks that follow a run: a sweep's table, a tuner that stops hopeless trials, experiment trackers.

A run that is resumed after a kill is one run of the same name to a tracker: rows of earlier sessions first.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import yaml
from rich.console import Console

from neurobench.config.errors import UserError
from neurobench.config.schema import RUNTIME_KEYS
from neurobench.config.secrets import HIDDEN, scrubbed
from neurobench.experiment.plan import Plan
from neurobench.experiment.progress import Meter
from neurobench.experiment.trackers import MLflow, TensorBoard, WandB
from neurobench.storage.differences import flat
from neurobench.storage.folder import RunFolder


class Pruned(Exception):
    """Error: a callback requested that the run be abandoned. Its folder keeps the checkpoint."""


class Callback(Protocol):
    """Observer, called in the process of a run while it is computed; not for a run that was already finished."""

    def begin(self, plan: Plan, folder: RunFolder) -> None: ...

    def epoch(self, row: Mapping[str, Any]) -> None: ...  # a row of metrics.jsonl; Pruned or UserError end the run

    def end(self, folder: RunFolder) -> None: ...  # however the run ended: a finished one has its result.json


class ObservedMeter:
    """A meter that also passes epochs to callbacks, as long as they can follow: a server that is gone ends no run."""

    def __init__(self, meter: Meter, callbacks: Sequence[Callback]):
        self.meter, self.callbacks = meter, list(callbacks)
        self.begin, self.batch, self.close = meter.begin, meter.batch, meter.close

    def epoch(self, row: Mapping[str, Any]) -> None:
        self.meter.epoch(row)
        for callback in tuple(self.callbacks):
            try:
                callback.epoch(row)
            except (Pruned, UserError):
                raise
            except Exception as error:  # third-party code may raise anything
                self.callbacks.remove(callback)
                reason = f"{type(callback).__name__} failed at epoch {row['epoch']} ({type(error).__name__}: {error})"
                warnings.warn(f"{reason}; it follows this run no further, which continues", stacklevel=2)


def started(plan: Plan, console: Console) -> list[Callback]:
    """Callbacks of a plan's trackers. One of a stored run whose address contained a credential is left out, with a
    note: it would write to another place, or be refused by its server."""
    callbacks = []
    for tracker in plan.trackers:
        if HIDDEN in str(vars(tracker)):
            reason = f"config.yaml has {HIDDEN} in place of a credential in its settings"
            console.print(f"note: {type(tracker).__name__} does not follow this run: {reason}", soft_wrap=True)
        else:
            callbacks.append(tracker.start(plan.run.outputs))
    return callbacks


def end_all(callbacks: Sequence[Callback], folder: RunFolder, console: Console) -> None:
    """Tell callbacks that the run has ended. One that fails affects neither the others nor the run: its folder is the
    record, and a tracker has a copy."""
    for callback in callbacks:
        try:
            callback.end(folder)
        except (Exception, SystemExit) as error:
            with suppress(OSError):  # a full disk
                folder.log(error)
            reason = f"{type(callback).__name__} failed at the end of the run ({type(error).__name__}: {error})"
            line = scrubbed(f"warning: {reason}; {folder.path} is not affected. See its run.log")
            console.print(line, highlight=False, soft_wrap=True, markup=False)


def computed(plan: Plan) -> dict[str, Any]:
    """The configuration without the keys for where and how it is computed."""
    return {key: value for key, value in plan.config.items() if key not in RUNTIME_KEYS}


def scalars(row: Mapping[str, Any]) -> dict[str, float]:
    return {key: float(value) for key, value in row.items() if key != "epoch" and isinstance(value, int | float)}


def merits(folder: RunFolder) -> dict[str, float]:
    """Figures of merit of a run; empty if it did not finish."""
    result = folder.result()
    return scalars(result["metrics"]) if result else {}


class TensorBoardCallback:
    def __init__(self, spec: TensorBoard, outputs: Path):
        self.folder = Path(spec.folder) if spec.folder else outputs / ".tensorboard"

    def begin(self, plan: Plan, folder: RunFolder) -> None:
        from torch.utils.tensorboard import SummaryWriter

        rows = folder.metrics()
        self.writer = SummaryWriter(str(self.folder / folder.label.replace("/", "-")), purge_step=len(rows) + 1)
        if not rows:
            self.writer.add_text("config", scrubbed(f"```yaml\n{yaml.safe_dump(plan.config, sort_keys=False)}```"))

    def epoch(self, row: Mapping[str, Any]) -> None:
        for key, value in scalars(row).items():
            self.writer.add_scalar(key.replace("_", "/", 1), value, row["epoch"])
        self.writer.flush()

    def end(self, folder: RunFolder) -> None:
        for key, value in merits(folder).items():
            self.writer.add_scalar(f"result/{key}", value, 0)
        self.writer.close()


class MLflowCallback:
    def __init__(self, spec: MLflow, outputs: Path):
        outputs = outputs.absolute()
        self.uri, self.name = spec.uri or f"sqlite:///{outputs}/.mlflow.db", spec.experiment
        self.artifacts = outputs / ".mlflow"

    def begin(self, plan: Plan, folder: RunFolder) -> None:
        import mlflow

        self.client = mlflow.MlflowClient(self.uri)
        known = self.client.get_experiment_by_name(self.name)
        experiment = known.experiment_id if known else self.client.create_experiment(self.name, str(self.artifacts))
        name = folder.label.replace("/", "-").replace('"', "'")  # the filter below uses double quotes
        earlier = self.client.search_runs([experiment], f'attributes.run_name = "{name}"')
        if earlier:
            self.id = earlier[0].info.run_id
            self.client.update_run(self.id, "RUNNING")
            return
        self.id = self.client.create_run(experiment, run_name=name).info.run_id
        for key, value in flat(computed(plan)).items():
            self.client.log_param(self.id, key, value)

    def epoch(self, row: Mapping[str, Any]) -> None:
        for key, value in scalars(row).items():
            self.client.log_metric(self.id, key, value, step=row["epoch"])

    def end(self, folder: RunFolder) -> None:
        figures = merits(folder)
        for key, value in figures.items():
            self.client.log_metric(self.id, key, value)
        for name in ("config.yaml", "result.json"):
            if folder.has(name):
                self.client.log_artifact(self.id, str(folder.path / name))
        self.client.set_terminated(self.id, "FINISHED" if figures else "FAILED")


class WandBCallback:
    def __init__(self, spec: WandB, outputs: Path):
        self.project, self.mode = spec.project, spec.mode
        self.folder = Path(spec.folder) if spec.folder else outputs / ".wandb"

    def begin(self, plan: Plan, folder: RunFolder) -> None:
        import wandb

        self.folder.mkdir(parents=True, exist_ok=True)
        name = folder.label.replace("/", "-")
        options: dict[str, Any] = {"mode": self.mode, "name": name}
        if self.mode == "online":
            options |= {"id": name, "resume": "allow"}
        options |= {"config": computed(plan), "settings": wandb.Settings(silent=True)}
        self.run = wandb.init(project=self.project, dir=str(self.folder), **options)
        if self.mode == "offline":  # an offline run cannot be continued: the new one contains all rows
            for row in folder.metrics():
                self.epoch(row)

    def epoch(self, row: Mapping[str, Any]) -> None:
        self.run.log(scalars(row), step=row["epoch"])

    def end(self, folder: RunFolder) -> None:
        figures = merits(folder)
        self.run.summary.update(figures)
        self.run.finish(exit_code=0 if figures else 1)
