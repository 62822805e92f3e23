"""The training that a plan asks for, of a learner on its splits: in a run, and of an estimator without one."""

from __future__ import annotations

import warnings
from dataclasses import replace

from neurobench.config.schema import Training
from neurobench.data.dataset import Splits
from neurobench.experiment.loop import Loop
from neurobench.experiment.plan import Plan
from neurobench.experiment.progress import Meter
from neurobench.metrics.costs import Ledger
from neurobench.models.learner import Initial, Learner
from neurobench.storage.folder import RunFolder


def training_loop(
    plan: Plan,
    learner: Learner,
    splits: Splits,
    meter: Meter,
    ledger: Ledger,
    folder: RunFolder | None = None,
    initial: Initial | None = None,
) -> Loop:
    """Not begun yet. Without a folder nothing is kept and there is nothing to resume."""
    return Loop(
        learner=learner,
        train=splits.train,
        validation=splits.validation,
        schedule=_schedule(plan, len(splits.train)),
        data_seed=plan.seeds.data,
        folder=folder,
        meter=meter,
        ledger=ledger,
        snapshots=plan.model.snapshots,
        initial=initial,
        test=splits.test if plan.training.test_by_epoch else None,
    )


def _schedule(plan: Plan, n_train: int) -> Training:
    """The training, its batches cut to the samples that exist."""
    training = plan.training
    if training.batch_size > n_train and plan.scale.train is None:
        fault = f"training.batch_size={training.batch_size} is more than the {n_train} training samples"
        warnings.warn(f"{fault}: an epoch is one update with all of them", stacklevel=3)
    return replace(training, batch_size=min(training.batch_size, n_train))
