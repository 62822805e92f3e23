"""What `model.init_from` refers to: a file of the model's own format, or a run."""

from __future__ import annotations

from pathlib import Path

from neurobench.config.errors import UserError
from neurobench.experiment.plan import Plan
from neurobench.models.learner import Initial
from neurobench.runs.store import find_run


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
    run = find_run(Path(plan.run.outputs), reference, finished=True)
    checkpoint = run.load_checkpoint()
    if checkpoint is None:
        raise UserError(
            f"model.init_from={reference}: {run.path} has no checkpoint to start from. Run it to its end first, or "
            "name another run: neurobench list runs"
        )
    return Initial(reference, run.path, checkpoint["learner"])
