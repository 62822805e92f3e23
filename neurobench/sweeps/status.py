"""Status of the jobs of a sweep, also for users who did not start it or have logged out since, and cancellation."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
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
    states, places = _slurm_states(), _places(record)
    return [standing(_task(record.folder, entry.number, places), states) for entry in record.entries]


def cancel_sweep(record: SweepRecord) -> str:
    """Cancel waiting jobs and, on SLURM, running ones; return a summary. Raises UserError with SLURM's message."""
    if record.launcher != "slurm":
        stop_file(record.folder).touch()
        return "jobs that have not started will not start; Ctrl-C in the sweep's own terminal ends the others"
    states = _slurm_states()
    active = [state.job_id for key, state in states.items() if key in set(_places(record).values()) and state.is_active]
    if active:
        cancel(active)
    return f"{len(active)} jobs cancelled" if active else "none of its jobs is in the queue any more"


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


def _slurm_states() -> dict[tuple[str, int], TaskState]:
    states = task_states()
    if states is None:
        raise UserError("SLURM does not answer: squeue failed or is not on the path. Try again on the login node.")
    return states


def _places(record: SweepRecord) -> dict[int, tuple[str, int]]:
    """Job -> name of its array and index in it."""
    return {
        number: (array.name, index)
        for array in record.arrays()
        for index, group in enumerate(array.groups)
        for number in group
    }


def _task(sweep: Path, number: int, places: Mapping[int, tuple[str, int]] | None = None) -> Task:
    """Task with only the fields that locate its reports."""
    return Task(number, {}, (), "", str(sweep), (places or {}).get(number))


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
