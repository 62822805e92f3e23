"""The run that a model can start from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neurobench.config.errors import UserError
from neurobench.runs.folder import RunFolder
from neurobench.runs.store import all_runs, find_run


def learned(reference: str) -> tuple[RunFolder, Mapping[str, Any]]:
    """A run, and what its learner kept. `reference` as in `neurobench show`.

    Raises UserError where no run is meant, or one that has nothing to start from.
    """
    run = _meant(Path(os.environ.get("NEUROBENCH_OUTPUTS", "outputs")), reference)
    checkpoint = run.load_checkpoint()
    if checkpoint is None:
        raise UserError(
            f"model.init_from={reference}: {run.path} has no checkpoint to start from. Run it to its end first, or "
            "name another run: neurobench list runs"
        )
    return run, checkpoint["learner"]


def _meant(outputs: Path, reference: str) -> RunFolder:
    """A name and `latest` mean the newest run that finished: the run that asks may bear the same name."""
    run = find_run(outputs, reference)
    if run.has("result.json"):
        return run
    finished = [other for other in all_runs(outputs) if other.has("result.json")]
    meant = [other for other in finished if reference in ("latest", other.path.parent.name)]
    return max(meant, key=lambda other: other.path.name, default=run)
