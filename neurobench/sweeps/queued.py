"""Which jobs earlier sweeps have left in SLURM's queue, so that they are not submitted a second time."""

from __future__ import annotations

from pathlib import Path

from neurobench.config.errors import UserError
from neurobench.sweeps.record import PREFIX, array_of_name, read_sweep
from neurobench.sweeps.scheduler import task_states
from neurobench.sweeps.work import Task, read_task


def queued_tasks(outputs: Path) -> dict[tuple[str, str], Task]:
    """Name and configuration hash of each run that waits or runs in SLURM -> its task. Empty where no sweep below
    `outputs` has ever used SLURM: then it is not asked."""
    if not any((outputs / ".sweeps").glob("*/queue/array-*.json")):
        return {}
    tasks: dict[tuple[str, str], Task] = {}
    for (name, index), state in (task_states() or {}).items():
        if not state.is_active or not name.startswith(PREFIX):
            continue
        try:
            task = _task(outputs.absolute(), name, index)
        except UserError:  # a record that is damaged plans nothing; the lock of a run still holds
            continue
        if task is not None:
            tasks[task[0]] = task[1]
    return tasks


def _task(outputs: Path, name: str, index: int) -> tuple[tuple[str, str], Task] | None:
    match = array_of_name(outputs, name)
    if match is None:
        return None
    sweep, array = match
    number = array.numbers[index]
    entry = next(entry for entry in read_sweep(sweep).entries if entry.number == number)
    return (entry.name, entry.config_hash), read_task(sweep, number).queued_as(name, index)
