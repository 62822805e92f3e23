"""Jobs that earlier sweeps have left in SLURM's queue, so that they are not submitted a second time."""

from __future__ import annotations

import contextlib
from pathlib import Path

from neurobench.config.errors import UserError
from neurobench.sweeps.job import Task, read_task
from neurobench.sweeps.outcome import ended
from neurobench.sweeps.record import PREFIX, array_of_name, read_sweep
from neurobench.sweeps.scheduler import task_states


def queued_tasks(outputs: Path) -> dict[tuple[str, str], Task]:
    """Name and configuration hash of each run that waits or runs in SLURM -> its task. Empty, without a query, if no
    sweep below `outputs` has ever used SLURM."""
    if not any((outputs / ".sweeps").glob("*/queue/array-*.json")):
        return {}
    tasks: dict[tuple[str, str], Task] = {}
    for (name, index), state in (task_states() or {}).items():
        if state.is_active and name.startswith(PREFIX):
            with contextlib.suppress(UserError):  # a damaged record is ignored; the run's lock still holds
                tasks |= _tasks(outputs.absolute(), name, index)
    return tasks


def _tasks(outputs: Path, name: str, index: int) -> dict[tuple[str, str], Task]:
    """Tasks at one index of an array that have not ended."""
    match = array_of_name(outputs, name)
    if match is None:
        return {}
    sweep, array = match
    entries = {entry.number: entry for entry in read_sweep(sweep).entries}
    tasks = [read_task(sweep, number).queued_as(array, index) for number in array.groups[index]]
    return {
        (entries[task.number].name, entries[task.number].config_hash): task
        for task in tasks
        if not ended(task.last_report())
    }
