"""Training of a learner on its splits as a plan specifies: in a run, and for an estimator without a run."""

from __future__ import annotations

import warnings
from dataclasses import replace

from neurobench.config.schema import Training
from neurobench.data.dataset import Splits
from neurobench.experiment.build import unapplied_motion
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
    """Build the training loop without starting it. Without a folder nothing is stored and nothing can be resumed."""
    if still := unapplied_motion(plan):
        keys = ", ".join(f"model.{name}" for name in still)
        reason = "a shift would exchange the values of an encoded vector"
        warnings.warn(f"training samples are not moved ({keys}): {reason}", stacklevel=2)
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
    """The plan's training, with the batch size limited to the number of samples."""
    training = plan.training
    if training.batch_size > n_train and plan.scale.train is None:
        fault = f"training.batch_size={training.batch_size} is more than the {n_train} training samples"
        warnings.warn(f"{fault}: an epoch is one update with all of them", stacklevel=3)
    return replace(training, batch_size=min(training.batch_size, n_train))
