"""A finished run's model, alive again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from omegaconf import DictConfig, OmegaConf

from neurobench.config.errors import UserError
from neurobench.data.dataset import Splits
from neurobench.experiment.build import build_dataset, build_learner, load_splits
from neurobench.experiment.machine import pick_device
from neurobench.experiment.plan import require
from neurobench.experiment.seeds import spawn
from neurobench.models.learner import Learner
from neurobench.runs.folder import RunFolder


@dataclass(frozen=True)
class Loaded:
    """A settled learner and the data that it was trained and tested on."""

    learner: Learner
    splits: Splits
    config: DictConfig


def load_run(folder: RunFolder, device: str = "cpu") -> Loaded:
    """Rebuild a finished run from its folder, data and all: predict with `.learner.predict(x)`.

    Raises UserError where the run did not finish, DataError where its data cannot be read.
    """
    learner, config = load_learner(folder, device)
    return Loaded(learner, load_splits(config, build_dataset(config), spawn(config.seed).data), config)


def load_learner(folder: RunFolder, device: str = "cpu") -> tuple[Learner, DictConfig]:
    """The settled learner of a finished run, without its data, and the run's configuration.

    The stored configuration is checked like any other: a folder from elsewhere cannot name foreign code, and its
    checkpoint is read with `weights_only=True`. Raises UserError where the run did not finish.
    """
    config = cast(DictConfig, OmegaConf.load(folder.path / "config.yaml"))
    require(config)
    checkpoint = folder.load_checkpoint()
    if checkpoint is None or not folder.has("result.json"):
        status = folder.record()["status"]
        raise UserError(f"{folder.path} is '{status}' and has no settled model. Go on with it: same command, --resume.")
    learner = build_learner(config, build_dataset(config), spawn(config.seed), pick_device(device))
    learner.load_state_dict(checkpoint["learner"])
    return learner, config
