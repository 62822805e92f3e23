"""A finished run's model, alive again."""

from __future__ import annotations

from dataclasses import dataclass

from omegaconf import OmegaConf

from neurobench.config.errors import ConfigError, UserError
from neurobench.data.dataset import Splits
from neurobench.experiment.build import build_learner, load_splits
from neurobench.experiment.loop import fitting, unpacked
from neurobench.experiment.machine import pick_device
from neurobench.experiment.plan import Plan, parse
from neurobench.metrics.costs import Ledger
from neurobench.models.learner import Learner, TrainingRecord
from neurobench.runs.folder import SCHEMA, RunFolder


@dataclass(frozen=True)
class Loaded:
    """A finalized learner, what was recorded of its training, and the plan that it was trained by."""

    learner: Learner
    record: TrainingRecord
    plan: Plan

    def splits(self) -> Splits:
        """The data that it was trained and tested on. Raises DataError where they cannot be read."""
        return load_splits(self.plan)


def stored_plan(folder: RunFolder) -> Plan:
    """The plan that a run was made by, checked like any other: a folder from elsewhere cannot name foreign code.

    Raises ConfigError, and UserError for a run of an earlier version.
    """
    config = OmegaConf.create(folder.config())
    record = folder.record()
    try:
        return parse(config, record.get("setting_hash"))
    except ConfigError:
        if record.get("schema", 0) >= SCHEMA:
            raise
        raise UserError(
            f"{folder.path} was recorded by neurobench {record.get('neurobench', '?')}, whose configurations this "
            f"version cannot read: repeat it with the code of commit {record.get('commit') or 'unknown'}, or run its "
            "experiment anew."
        ) from None


def load_learner(folder: RunFolder, device: str = "cpu") -> Loaded:
    """The finalized learner of a finished run, without its data; its checkpoint is read with `weights_only=True`.

    Raises UserError where the run did not finish.
    """
    plan = stored_plan(folder)
    checkpoint = folder.load_checkpoint()
    if checkpoint is None or folder.result() is None:
        raise UserError(
            f"{folder.path} is '{folder.status}' and has no trained model. Go on with it: same command, --resume."
        )
    learner = build_learner(plan, pick_device(device), Ledger())
    with fitting(folder):
        learner.load_state_dict(checkpoint["learner"])
        return Loaded(learner, unpacked(checkpoint["record"]), plan)
