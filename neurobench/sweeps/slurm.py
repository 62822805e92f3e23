"""The launcher `slurm`: arrays of SLURM, tracked by the reports of their tasks and by the scheduler's states.

Nothing is lost if the waiting process ends: the same command, typed again, finds the tasks in the queue and follows
them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from neurobench.config.errors import UserError
from neurobench.sweeps.job import LOST, Report, Task
from neurobench.sweeps.outcome import Batch, Outcome, Visibility, ended
from neurobench.sweeps.record import control_command, new_array, remove_array, write_array
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

POLL_S = 1.0  # between readings of the reports
GRACE_S = 3  # for the final report of a task that has ended according to SLURM
PATIENCE_S = 30  # for a report that lags behind the scheduler's state, as on NFS


def slurm(tasks: Sequence[Task], batch: Batch) -> Iterator[Outcome]:
    """Submit one array of SLURM, or several if MaxArraySize is smaller, and follow all tasks, also those already
    queued."""
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
        status, end = (control_command(Path(submitted[0].sweep), word) for word in ("--status", "--cancel"))
        batch.say(f"the jobs continue in SLURM: {status} shows them, {end} ends them")
        raise


def submit(tasks: Sequence[Task], request: Request, batch: Batch) -> list[Task]:
    """Submit all tasks or none. Raises UserError if one cannot be submitted."""
    cores = request.cpus_per_task
    if cores is not None and batch.threads > cores:
        raise UserError(
            f"threads={batch.threads} on cpus_per_task={cores}: threads would wait for each other; give as many cores"
        )
    request.check(batch.threads)
    sweep, chunks = Path(tasks[0].sweep), _chunks(tasks, request.jobs_per_task)
    at_once = batch.workers or request.array_parallelism
    lanes = min(at_once or len(chunks), len(chunks))  # arrays at once; each further one waits for one before it
    ids: list[str] = []
    submitted: list[Task] = []
    for part, chunk in enumerate(chunks):
        array = new_array(sweep, part, [[task.number for task in group] for group in chunk])
        write_array(sweep, array)
        try:
            share = at_once // lanes + (part % lanes < at_once % lanes) if at_once else None
            after = ids[part - lanes] if part >= lanes else None
            ids.append(request.submit(sweep, array, batch.threads, share, after))
        except UserError:
            remove_array(sweep, array)
            if ids:
                cancel(ids)
            raise
        array = replace(array, id=ids[-1])
        write_array(sweep, array)
        submitted += [task.queued_as(array, index) for index, group in enumerate(chunk) for task in group]
    arrays = f"array{'s' if len(ids) > 1 else ''} {', '.join(ids)}"
    batch.say(f"{len(tasks)} jobs submitted to SLURM as {arrays}; to cancel: scancel {' '.join(ids)}")
    return submitted


def _chunks(tasks: Sequence[Task], each: int) -> list[list[Sequence[Task]]]:
    """Split the tasks into groups of `each` jobs, and these into arrays of the size that SLURM allows; write the files
    that workers read."""
    for task in tasks:
        task.write()
    size = max_array_size()
    groups = [tasks[start : start + each] for start in range(0, len(tasks), each)]
    return [groups[start : start + size] for start in range(0, len(groups), size)]


def follow(tasks: Sequence[Task]) -> Iterator[Outcome]:
    """Yield each task's report as it ends, and before that its state in the queue at each query of SLURM."""
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
            states = task_states({task.array[0] for task in waiting.values() if task.array})
            # Often at first, while the user watches; a sweep of a day queries every half minute.
            next_question = now + min(30.0, max(2.0, (now - began) / 20))
            for key, task in list(waiting.items()):
                if states is None:  # SLURM does not answer at the moment
                    break
                if ended(task.last_report()):  # its result will soon be visible
                    continue
                report = silent.report(task, states)
                if report["status"] not in ("pending", "running"):
                    del waiting[key]
                yield task, report
        if waiting:
            time.sleep(POLL_S)


def standing(task: Task, states: Mapping[tuple[str, int], TaskState]) -> Report:
    """Current status of a task, for a single query: its final report, or its state in the queue."""
    last = task.last_report()
    if ended(last):
        return last
    state = states.get(task.array) if task.array else None
    job_id = state.job_id if state else last.get("job_id") or task.job_id
    place = {"job_id": job_id, **({"host": state.host} if state and state.host else {})}
    if state is not None and state.is_active:
        return {**_progress(last, state), **place}
    word = state.state if state else forgotten_state(job_id) if job_id else ""
    if not word and last.get("status") == "interrupted":
        error = f"SLURM job {job_id}: stopped; the scheduler no longer knows why. The same command resumes it."
        return {**last, **place, "status": "half-done", "error": error}
    return {**last, **place, **_verdict(word, job_id, task)}


class _Silent:
    """Reports on tasks whose worker has not written a final report."""

    def __init__(self) -> None:
        self.since: dict[tuple[str, int], float] = {}  # when a task was first seen to have ended

    def report(self, task: Task, states: Mapping[tuple[str, int], TaskState]) -> Report:
        state = states.get(task.array) if task.array else None
        if state is not None and state.is_active:
            self.since.pop(task.key, None)
            return standing(task, states)
        begun = self.since.setdefault(task.key, time.monotonic())
        # A report may still be delayed, as on NFS; one that a task has certainly written is awaited for longer.
        patience = GRACE_S if state and state.state != "COMPLETED" else PATIENCE_S
        if time.monotonic() - begun < patience:
            return {**task.last_report(), "status": "running"}
        return standing(task, states)


def _progress(last: Report, state: TaskState) -> Report:
    if state.state == "PENDING" or not last:
        return {**last, "status": "pending", "reason": state.reason}
    return {**last, "status": "running"}


def _verdict(word: str, job_id: str, task: Task) -> Report:
    """Report on a task that ended without a final report of its worker, from the scheduler's state."""
    where = f"SLURM job {job_id}: " if job_id else ""
    if word in ENDS:
        status, sentence = ENDS[word]
        return {"status": status, "error": f"{where}{sentence}. The same command resumes it."}
    if word == "COMPLETED":
        return {
            "status": "lost",
            "error": f"{where}ended, and this machine cannot read its report in {task.sweep}",
        }
    if not word:
        # SLURM forgets tasks at once that are cancelled before they begin.
        guess = "" if task.last_report() else ": perhaps it was cancelled before it began. The same command submits it"
        return {"status": "lost", "error": f"{where}is no longer known to the scheduler, and left no report{guess}"}
    how = exit_of(job_id) if job_id else ""
    printed = _last_line(task, job_id)
    error = f"{where}{LOST}" + (f": {how}" if how else "") + (f": {printed}" if printed else "")
    return {"status": "lost", "error": error}


def _last_line(task: Task, job_id: str) -> str:
    try:
        text = (Path(task.sweep) / "queue" / f"{job_id}.out").read_text(errors="replace")
    except OSError:
        return "its log cannot be read: perhaps the node cannot access this folder"
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""


def check(options: Mapping[str, Any]) -> None:
    """Check that SLURM would accept such jobs, before anything is planned. Raises UserError with its message."""
    request = read_request(options)
    max_array_size()
    request.check()
