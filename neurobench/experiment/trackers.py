"""Experiment trackers that a configuration may switch on (logger=tensorboard, logger=[mlflow,wandb]): the specs.

The run folder stays the record; a tracker gets a copy. None of them is needed, and none is imported unless named.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from neurobench.config.errors import not_installed
from neurobench.config.spec import Spec
from neurobench.config.targets import is_installed, load


@dataclass(frozen=True)
class TrackerSpec(Spec):
    """A tracker as its YAML names it. `opens` names what is called with (spec, folder of all runs) and returns a
    `neurobench.experiment.callbacks.Callback`."""

    needs: ClassVar[str]  # the package that it drives, and the extra that brings it

    def extra_fault(self) -> str | None:
        """Why it cannot follow a run ("MLflow needs ..."), or None. To read a run that it followed takes no tracker."""
        return None if is_installed(self.needs) else not_installed(type(self).__name__, self.needs, self.needs)

    def start(self, outputs: str) -> Any:
        return load(self.opens)(self, Path(outputs))


@dataclass(frozen=True)
class TensorBoard(TrackerSpec):
    """Epochs as scalars, figures of merit as hyperparameter metrics."""

    opens: ClassVar[str] = "neurobench.experiment.callbacks.TensorBoardCallback"
    needs: ClassVar[str] = "tensorboard"

    folder: str | None  # null: .tensorboard among the runs


@dataclass(frozen=True)
class MLflow(TrackerSpec):
    """Parameters, epochs, figures of merit and the record's files."""

    opens: ClassVar[str] = "neurobench.experiment.callbacks.MLflowCallback"
    needs: ClassVar[str] = "mlflow"

    uri: str | None  # null: sqlite, .mlflow.db among the runs
    experiment: str


@dataclass(frozen=True)
class WandB(TrackerSpec):
    """The same for Weights & Biases, offline by default: nothing leaves the machine by itself."""

    opens: ClassVar[str] = "neurobench.experiment.callbacks.WandBCallback"
    needs: ClassVar[str] = "wandb"

    project: str
    mode: Literal["offline", "online"]
    folder: str | None  # null: .wandb among the runs
