"""Status of the jobs of a sweep, also for users who did not start it or have logged out since, and cancellation."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from neurobench.config.errors import UserError
from neurobench.sweeps.job import Report, Task, stop_file
from neurobench.sweeps.outcome import ended
from neurobench.sweeps.record import SweepRecord
from neurobench.sweeps.scheduler import TaskState, cancel, task_states
from neurobench.sweeps.slurm import standing


def standings(record: SweepRecord) -> list[Report]:
    """Current report for each entry of the record. Raises UserError if SLURM does not answer."""
    if record.launcher != "slurm":
        gone = _is_gone(record)
        return [_of_process(_task(record.folder, entry.number), gone) for entry in record.entries]
    places = _places(record)
    tasks = [places.get(entry.number) or _task(record.folder, entry.number) for entry in record.entries]
    states = {} if all(ended(task.last_report()) for task in tasks) else _slurm_states(record)
    return [standing(task, states) for task in tasks]


def cancel_sweep(record: SweepRecord) -> str:
    """Cancel waiting jobs and, on SLURM, running ones; return a summary. Raises UserError with SLURM's message."""
    if record.launcher != "slurm":
        if _is_gone(record):
            return "none of its jobs is running: the command that ran it has ended"
        stop_file(record.folder).touch()
        return "jobs that have not started will not start; Ctrl-C in the sweep's own terminal ends the others"
    states = _slurm_states(record)
    active = [
        (task, state)
        for task in _places(record).values()
        if task.array and (state := states.get(task.array)) and state.is_active
    ]
    if not active:
        return "none of its jobs is in the queue any more"
    cancel(list(dict.fromkeys(state.job_id for _, state in active)))
    cancelled = [(task, state) for task, state in active if not ended(task.last_report())]
    for task, state in cancelled:
        if task.array and state.state == "PENDING":  # no worker will report it, and SLURM forgets it in minutes
            task.write_report(standing(task, {task.array: state._replace(state="CANCELLED")}))
    return f"{len(cancelled)} job{'' if len(cancelled) == 1 else 's'} cancelled"


def log_of(record: SweepRecord, number: int) -> str:
    """Output of a job, the scheduler's lines first. Raises UserError if there is none."""
    known = [entry.number for entry in record.entries]
    if number not in known:
        raise UserError(f"sweep {record.label} has no job {number}: it has {known[0]} to {known[-1]}")
    task = _task(record.folder, number)
    job_id = str(task.last_report().get("job_id", ""))
    files = [*([record.folder / "queue" / f"{job_id}.out"] if job_id else []), task.log]
    texts = [file.read_text(errors="replace") for file in files if file.is_file()]
    if not any(texts):
        raise UserError(f"job {number} of sweep {record.label} has printed nothing yet")
    return "".join(texts)


def _slurm_states(record: SweepRecord) -> dict[tuple[str, int], TaskState]:
    """States of a sweep's tasks. Raises UserError if SLURM does not answer."""
    names = {array.name for array in record.arrays()}
    states = task_states(names) if names else {}
    if states is None:
        raise UserError("SLURM does not answer: squeue failed or is not on the path. Try again on the login node.")
    return states


def _places(record: SweepRecord) -> dict[int, Task]:
    """Job -> its task, with its array and the index in it."""
    return {
        number: _task(record.folder, number).queued_as(array, index)
        for array in record.arrays()
        for index, group in enumerate(array.groups)
        for number in group
    }


def _task(sweep: Path, number: int) -> Task:
    """Task with only the fields that locate its reports."""
    return Task(number, {}, (), "", str(sweep))


def _is_gone(record: SweepRecord) -> bool:
    """Whether the process that ran the sweep has ended, as far as this machine can tell."""
    if record.host != platform.node():
        return False
    try:
        os.kill(record.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _of_process(task: Task, gone: bool) -> Report:
    last = task.last_report()
    if gone and not ended(last):
        return {**last, "status": "interrupted"}
    return last or {"status": "waiting"}
