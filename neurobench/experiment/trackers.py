"""Experiment trackers that a configuration may switch on (logger=tensorboard, logger=[mlflow,wandb]): the specs.

The run folder remains the record; a tracker gets a copy. No tracker is required, and none is imported unless named.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from neurobench.config.bounds import Fault
from neurobench.config.errors import not_installed
from neurobench.config.spec import Spec
from neurobench.config.targets import is_installed, load


@dataclass(frozen=True)
class TrackerSpec(Spec):
    """Spec of a tracker, as in its YAML. `opens` names the callable that takes (spec, folder of all runs) and returns a
    `neurobench.experiment.callbacks.Callback`."""

    needs: ClassVar[str] = ""  # the package that it uses, and the extra that installs it; "": none

    def absent_extras(self) -> list[Fault]:
        if not self.needs or is_installed(self.needs):
            return []
        return [("", f": {not_installed(type(self).__name__, self.needs, self.needs)}")]

    def start(self, outputs: str) -> Any:
        return load(self.opens)(self, Path(outputs))


@dataclass(frozen=True)
class TensorBoard(TrackerSpec):
    """Tracker for TensorBoard: epochs and figures of merit as scalars."""

    opens: ClassVar[str] = "neurobench.experiment.callbacks.TensorBoardCallback"
    needs: ClassVar[str] = "tensorboard"

    folder: str | None  # null: .tensorboard among the runs


@dataclass(frozen=True)
class MLflow(TrackerSpec):
    """Tracker for MLflow: parameters, epochs, figures of merit and the record's files."""

    opens: ClassVar[str] = "neurobench.experiment.callbacks.MLflowCallback"
    needs: ClassVar[str] = "mlflow"

    uri: str | None  # null: sqlite, .mlflow.db among the runs
    experiment: str


@dataclass(frozen=True)
class WandB(TrackerSpec):
    """Tracker for Weights & Biases: configuration, epochs and figures of merit, offline by default: nothing leaves the
    machine by itself."""

    opens: ClassVar[str] = "neurobench.experiment.callbacks.WandBCallback"
    needs: ClassVar[str] = "wandb"

    project: str
    mode: Literal["offline", "online"]
    folder: str | None  # null: .wandb among the runs
