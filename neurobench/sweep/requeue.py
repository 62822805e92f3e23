"""A job on a cluster whose time runs out: it goes back into the queue and on from its checkpoint."""

from __future__ import annotations

from typing import Any

from submitit.helpers import DelayedSubmission

from neurobench.sweep.work import Task, work


class Requeued:
    """What submitit calls: the job itself, and `checkpoint` once SLURM announces its end."""

    def __call__(self, task: Task) -> dict[str, Any]:
        return work(task)

    def checkpoint(self, task: Task) -> DelayedSubmission:
        return DelayedSubmission(self, task)
