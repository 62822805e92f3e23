"""Reuse of earlier runs: models to predict with, plans to repeat, initial weights (`model.init_from`)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from omegaconf import OmegaConf

from neurobench.config.errors import ConfigError, UserError
from neurobench.data.dataset import DataError, Splits
from neurobench.experiment.build import build_learner, load_splits
from neurobench.experiment.loop import fitting, unpacked
from neurobench.experiment.plan import Plan, parse
from neurobench.metrics.costs import Ledger
from neurobench.models.learner import Initial, Learner, TrainingRecord
from neurobench.storage.folder import SCHEMA, RunFolder
from neurobench.storage.store import find_run

MOVED = "if the data have moved, give their location: --data PATH of show, rerun and export; data=PATH of nb.load"


@dataclass(frozen=True)
class Loaded:
    """A finalized learner, its training record, and the plan with which it was trained."""

    learner: Learner
    record: TrainingRecord
    plan: Plan
    sha256: str  # of the data

    def splits(self) -> Splits:
        """Load the data that it was trained and tested on. Raises DataError if they cannot be read, and UserError if
        they have changed since."""
        try:
            with warnings.catch_warnings(action="ignore", category=UserWarning):  # on the data: the run has given them
                splits = load_splits(self.plan)
        except DataError as error:
            if self.plan.config["dataset"].get("root") is None:
                raise
            raise UserError(f"{error}\n{MOVED}") from None
        if splits.sha256 != self.sha256:
            raise UserError(
                f"the run read data of sha256 {self.sha256:.12}, but {splits.source} now has {splits.sha256:.12}: "
                f"these are different samples. Restore them, or {MOVED}"
            )
        return splits


def stored_plan(folder: RunFolder, root: str | None = None, to_run: bool = True) -> Plan:
    """Plan of a stored run, checked like any other: a folder from elsewhere cannot name foreign code. It starts from
    the run that the stored one started from, whatever `model.init_from=latest` means now.
    `root`: current path of its data, if they have moved. `to_run`: False only to read its results.

    Raises ConfigError, and UserError for a run of an earlier version.
    """
    plain = folder.config()
    before = plain["dataset"].get("root")
    if root is not None:
        plain["dataset"]["root"] = root
    config = OmegaConf.create(plain)
    record = folder.record()
    try:
        plan = parse(config, record.get("overrides", ()), record.get("setting_hash"), to_run)
        if "initial_run" not in record:
            return plan
        initial = folder.path.parent.parent / record["initial_run"]  # wherever the plan is to be run
        return replace(plan, model=replace(plan.model, init_from=str(initial)))  # type: ignore[call-arg]
    except ConfigError as error:
        if record.get("schema", 0) >= SCHEMA:
            if root is None and before is not None and not Path(before).exists():
                raise ConfigError(error.faults, MOVED) from None
            raise
        raise UserError(
            f"{folder.path} was recorded by neurobench {record.get('neurobench', '?')}, whose configurations this "
            f"version cannot read: repeat it with the code of commit {record.get('commit') or 'unknown'}, or run its "
            "experiment again."
        ) from None


def changed_code(folder: RunFolder, plan: Plan) -> str | None:
    """Note for the user if their own code has changed since the run was made; or None."""
    before = folder.record().get("own_code", {})
    changed = [module for module, digest in plan.own_code.items() if before.get(module) not in (None, digest)]
    verb = "has" if len(changed) == 1 else "have"
    return f"{', '.join(changed)} {verb} changed since {folder.path} was made" if changed else None


def load_learner(folder: RunFolder, root: str | None = None) -> Loaded:
    """Load the learner of a finished run on the CPU, without its data; its checkpoint with `weights_only=True`.
    Devices are opened when the learner first uses them.

    Raises UserError if the run did not finish.
    """
    plan = stored_plan(folder, root, to_run=False)
    checkpoint = folder.load_checkpoint()
    result = folder.result()
    if checkpoint is None or result is None:
        raise UserError(
            f"{folder.path} is '{folder.status}' and has no trained model. Resume it: same command with --resume, "
            "in Python with resume=True."
        )
    _require_the_same_task(folder, plan)
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # on training: the run has given them
        learner = build_learner(plan, torch.device("cpu"), Ledger(), opens_devices=False)
    with fitting(folder):
        learner.load_state_dict(checkpoint["learner"])
        return Loaded(learner, unpacked(checkpoint["record"]), plan, result["data"]["sha256"])


def _require_the_same_task(folder: RunFolder, plan: Plan) -> None:
    """Check that the files at the data's root have samples of the shape, and as many classes, as when the run read
    them: encoders and model depend on both. Raises UserError."""
    read, now = folder.record().get("data", {}), plan.dataset
    if plan.root is None:
        return
    shape, n_classes = tuple(read.get("shape", now.shape)), len(read.get("classes", ())) or now.n_classes
    if (shape, n_classes) != (now.shape, now.n_classes):
        raise UserError(
            f"the run read samples of {shape} in {n_classes} classes, but {plan.root} now has {now.shape} in "
            f"{now.n_classes}: these are different samples. Restore them, or {MOVED}"
        )


def find_initial(plan: Plan) -> Initial | None:
    """Initial state of a plan; None if training starts from scratch. Raises UserError if its file or run does not exist
    or has nothing to start from."""
    reference = plan.start_from
    if reference is None:
        return None
    if reference.endswith(plan.model.initial_files):
        if not Path(reference).is_file():
            raise UserError(f"model.init_from={reference}: there is no such file.")
        return Initial(reference, Path(reference), None)
    run = find_run(Path(plan.run.outputs), reference, finished=True)
    checkpoint = run.load_checkpoint()
    if checkpoint is None:
        raise UserError(
            f"model.init_from={reference}: {run.path} has no checkpoint to start from. Finish it first, or "
            "name another run: neurobench list runs"
        )
    return Initial(reference, run.path, checkpoint["learner"])
