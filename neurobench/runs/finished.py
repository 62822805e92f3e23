"""The run that a model can start from."""

from __future__ import annotations

import os
from pathlib import Path

from neurobench.config.errors import UserError
from neurobench.runs.folder import RunFolder
from neurobench.runs.store import all_runs, find_run


def find_finished(reference: str) -> RunFolder:
    """A name and `latest` mean the newest run that finished: the run that asks may bear the same name.

    Raises UserError where no run is meant, or one that has nothing to start from.
    """
    outputs = Path(os.environ.get("NEUROBENCH_OUTPUTS", "outputs"))
    run = find_run(outputs, reference)
    if run.has("result.json"):
        return run
    finished = [other for other in all_runs(outputs) if other.has("result.json")]
    meant = [other for other in finished if reference in ("latest", other.path.parent.name)]
    run = max(meant, key=lambda other: other.path.name, default=run)
    if not run.has("checkpoint.pt"):
        raise UserError(
            f"nothing to start from: {run.path} has no checkpoint yet, and no finished run below {outputs} is named "
            f"'{reference}'. Run that first, or name another: neurobench list runs"
        )
    return run
