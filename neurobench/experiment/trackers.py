"""Experiment trackers that a configuration may switch on (logger=tensorboard, logger=[mlflow,wandb]): the recipes.

The run folder stays the record; a tracker is told of it. None of them is needed, and none is imported unless named.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from neurobench.config.bounds import BoundsError, enforce
from neurobench.config.errors import not_installed
from neurobench.config.targets import is_installed

if TYPE_CHECKING:
    from neurobench.experiment.callbacks import Watcher


def _needs(owner: str, module: str) -> None:
    if not is_installed(module):
        raise BoundsError(owner, [("_target_", not_installed(f"={owner}", module, module))])


@dataclass(frozen=True)
class TensorBoard:
    """Epochs as scalars, figures of merit as hyperparameter metrics."""

    folder: str | None = None  # null: .tensorboard among the runs

    def __post_init__(self) -> None:
        enforce(self)
        _needs("TensorBoard", "tensorboard")

    def open(self, outputs: Path) -> Watcher:
        from neurobench.experiment.tracking import TensorBoardWatcher

        return TensorBoardWatcher(Path(self.folder) if self.folder else outputs / ".tensorboard")


@dataclass(frozen=True)
class MLflow:
    """Parameters, epochs, figures of merit and the record's files."""

    uri: str | None = None  # null: sqlite, .mlflow.db among the runs
    experiment: str = "neurobench"

    def __post_init__(self) -> None:
        enforce(self)
        _needs("MLflow", "mlflow")

    def open(self, outputs: Path) -> Watcher:
        from neurobench.experiment.tracking import MLflowWatcher

        outputs = outputs.absolute()
        return MLflowWatcher(self.uri or f"sqlite:///{outputs}/.mlflow.db", self.experiment, outputs / ".mlflow")


@dataclass(frozen=True)
class WandB:
    """The same for Weights & Biases, offline unless told otherwise: nothing leaves the machine by itself."""

    project: str = "neurobench"
    mode: Literal["offline", "online"] = "offline"
    folder: str | None = None  # null: .wandb among the runs

    def __post_init__(self) -> None:
        enforce(self)
        _needs("WandB", "wandb")

    def open(self, outputs: Path) -> Watcher:
        from neurobench.experiment.tracking import WandBWatcher

        return WandBWatcher(self.project, self.mode, Path(self.folder) if self.folder else outputs / ".wandb")
