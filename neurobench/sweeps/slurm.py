"""The launcher `slurm`: arrays of SLURM, followed by the reports of their tasks and by what the scheduler says.

Nothing is lost with the process that waits: whoever gives the same command again finds the tasks in the queue and
follows them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from neurobench.config.errors import UserError
from neurobench.sweeps.outcome import Batch, Outcome, Visibility, ended
from neurobench.sweeps.record import new_array, remove_array, write_array
from neurobench.sweeps.sbatch import Request, read_request
from neurobench.sweeps.scheduler import (
    ENDS,
    TaskState,
    cancel,
    exit_of,
    forgotten_state,
    max_array_size,
    task_states,
)
from neurobench.sweeps.work import LOST, Report, Task

POLL_S = 1.0  # between looks at the reports
GRACE_S = 3  # for the last word of a task that SLURM says has ended
PATIENCE_S = 30  # for a report that lags behind the scheduler's word, as on NFS


def slurm(tasks: Sequence[Task], batch: Batch) -> Iterator[Outcome]:
    """One array of SLURM, or several where MaxArraySize is smaller; those in the queue already are followed."""
    new = [task for task in tasks if task.array is None]
    submitted = [task for task in tasks if task.array is not None]
    if new:
        request = read_request(batch.options)
        submitted += submit(new, request.with_gpu() if batch.gpu else request, batch)
    if batch.detach:
        return
    try:
        yield from follow(submitted)
    except KeyboardInterrupt:
        batch.say("the jobs go on in SLURM: neurobench sweep --status shows them, neurobench sweep --cancel ends them")
        raise


def submit(tasks: Sequence[Task], request: Request, batch: Batch) -> list[Task]:
    """All or none of them. Raises UserError."""
    cores = request.cpus_per_task
    if cores is not None and batch.threads > cores:
        raise UserError(f"threads={batch.threads} on cpus_per_task={cores}: a run would wait for itself; give as many")
    sweep, chunks = Path(tasks[0].sweep), _chunks(tasks, request.jobs_per_task)
    at_once = batch.workers or request.array_parallelism
    throttle = max(1, at_once // len(chunks)) if at_once else None
    ids: list[str] = []
    submitted: list[Task] = []
    for part, chunk in enumerate(chunks):
        array = new_array(sweep, part, [[task.number for task in group] for group in chunk])
        write_array(sweep, array)
        try:
            ids.append(request.submit(sweep, array, batch.threads, throttle))
        except UserError:
            remove_array(sweep, array)
            if ids:
                cancel(ids)
            raise
        write_array(sweep, replace(array, id=ids[-1]))
        submitted += [task.queued_as(array.name, index) for index, group in enumerate(chunk) for task in group]
    arrays = f"array{'s' if len(ids) > 1 else ''} {', '.join(ids)}"
    batch.say(f"{len(tasks)} jobs submitted to SLURM as {arrays}; to cancel: scancel {' '.join(ids)}")
    return submitted


def _chunks(tasks: Sequence[Task], each: int) -> list[list[Sequence[Task]]]:
    """Arrays of as many tasks as SLURM allows, of groups of `each` jobs; what a group's worker reads is written."""
    for task in tasks:
        task.write()
    size = max_array_size()
    groups = [tasks[start : start + each] for start in range(0, len(tasks), each)]
    return [groups[start : start + size] for start in range(0, len(groups), size)]


def follow(tasks: Sequence[Task]) -> Iterator[Outcome]:
    """Each task's report as it ends; before that, where it stands in the queue, whenever SLURM has been asked."""
    waiting = {task.key: task for task in tasks}
    visibility, silent = Visibility(PATIENCE_S), _Silent()
    began = time.monotonic()
    next_question = began
    while waiting:
        for key, task in list(waiting.items()):
            report = visibility.checked(task)
            if report is not None:
                del waiting[key]
                yield task, report
        now = time.monotonic()
        if waiting and now >= next_question:
            states = task_states()
            # Often at first, when people watch; a sweep of a day asks every half minute.
            next_question = now + min(30.0, max(2.0, (now - began) / 20))
            for key, task in list(waiting.items()):
                if states is None:  # SLURM does not answer just now
                    break
                if ended(task.last_report()):  # its result is on its way
                    continue
                report = silent.report(task, states)
                if report["status"] not in ("pending", "running"):
                    del waiting[key]
                yield task, report
        if waiting:
            time.sleep(POLL_S)


def standing(task: Task, states: Mapping[tuple[str, int], TaskState]) -> Report:
    """How a task stands just now, for a glance: its last word, or where it is in the queue."""
    last = task.last_report()
    if ended(last):
        return last
    state = states.get(task.array) if task.array else None
    job_id = state.job_id if state else last.get("job_id", "")
    place = {"job_id": job_id, **({"host": state.host} if state and state.host else {})}
    if state is not None and state.is_active:
        return {**_progress(last, state), **place}
    word = state.state if state else forgotten_state(job_id) if job_id else ""
    return {**last, **place, **_verdict(word, job_id, task)}


class _Silent:
    """What is to be said of tasks whose worker has said nothing final."""

    def __init__(self) -> None:
        self.since: dict[tuple[str, int], float] = {}  # when a task was first seen to have ended

    def report(self, task: Task, states: Mapping[tuple[str, int], TaskState]) -> Report:
        state = states.get(task.array) if task.array else None
        if state is not None and state.is_active:
            self.since.pop(task.key, None)
            return standing(task, states)
        begun = self.since.setdefault(task.key, time.monotonic())
        # A report may be on its way still, as on NFS.
        if time.monotonic() - begun < (GRACE_S if state else PATIENCE_S):
            return {**task.last_report(), "status": "running"}
        return standing(task, states)


def _progress(last: Report, state: TaskState) -> Report:
    if state.state == "PENDING" or not last:
        return {**last, "status": "pending", "reason": state.reason}
    return {**last, "status": "running"}


def _verdict(word: str, job_id: str, task: Task) -> Report:
    """How a task ended without its worker's word, as the scheduler says it."""
    where = f"SLURM job {job_id}: " if job_id else ""
    if word in ENDS:
        status, sentence = ENDS[word]
        return {"status": status, "error": f"{where}{sentence}. The same command goes on."}
    if word == "COMPLETED":
        return {
            "status": "lost",
            "error": f"{where}ended, and this machine cannot see what it reported in {task.sweep}",
        }
    if not word:
        return {"status": "lost", "error": f"{where}is no longer known to the scheduler, and left no report"}
    how = exit_of(job_id) if job_id else ""
    printed = _last_line(task, job_id)
    error = f"{where}{LOST}" + (f": {how}" if how else "") + (f": {printed}" if printed else "")
    return {"status": "lost", "error": error}


def _last_line(task: Task, job_id: str) -> str:
    try:
        text = (Path(task.sweep) / "queue" / f"{job_id}.out").read_text(errors="replace")
    except OSError:
        return "its log cannot be read: perhaps the node does not see this folder"
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""


def check(options: Mapping[str, Any]) -> None:
    """Whether SLURM would take such jobs. Raises UserError with its own words, before anything is planned."""
    request = read_request(options)
    max_array_size()
    request.check()
