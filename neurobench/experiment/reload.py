"""What earlier runs left: models to predict with, plans to repeat, initial weights (`model.init_from`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from omegaconf import OmegaConf

from neurobench.config.errors import ConfigError, UserError
from neurobench.data.dataset import Splits
from neurobench.experiment.build import build_learner, load_splits, pick_device
from neurobench.experiment.loop import require_format, unpacked
from neurobench.experiment.plan import Plan, parse
from neurobench.metrics.costs import Ledger
from neurobench.models.learner import Initial, Learner, TrainingRecord
from neurobench.runs.folder import SCHEMA, RunFolder
from neurobench.runs.store import all_runs, find_run


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
    if checkpoint is None or not folder.has("result.json"):
        status = folder.record()["status"]
        raise UserError(f"{folder.path} is '{status}' and has no trained model. Go on with it: same command, --resume.")
    require_format(checkpoint, str(folder.path))
    learner = build_learner(plan, pick_device(device), Ledger())
    learner.load_state_dict(checkpoint["learner"])
    return Loaded(learner, unpacked(checkpoint["record"]), plan)


def find_initial(plan: Plan) -> Initial | None:
    """None where training starts from scratch. Raises UserError where there is no such file or run, or one that has
    nothing to start from."""
    reference = plan.start_from
    if reference is None:
        return None
    if reference.endswith(plan.model.initial_files):
        if not Path(reference).is_file():
            raise UserError(f"model.init_from={reference}: there is no such file.")
        return Initial(reference, Path(reference), None)
    run = _newest_finished(Path(plan.run.outputs), reference)
    checkpoint = run.load_checkpoint()
    if checkpoint is None:
        raise UserError(
            f"model.init_from={reference}: {run.path} has no checkpoint to start from. Run it to its end first, or "
            "name another run: neurobench list runs"
        )
    require_format(checkpoint, str(run.path))
    return Initial(reference, run.path, checkpoint["learner"])


def _newest_finished(outputs: Path, reference: str) -> RunFolder:
    """A name and `latest` mean the newest run that finished: the run that asks may bear the same name."""
    run = find_run(outputs, reference)
    if run.has("result.json"):
        return run
    finished = [other for other in all_runs(outputs) if other.has("result.json")]
    matching = [other for other in finished if reference in ("latest", other.path.parent.name)]
    return max(matching, key=lambda other: other.path.name, default=run)
