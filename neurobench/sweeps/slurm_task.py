"""Program of a task of a SLURM array: `python -m neurobench.sweeps.slurm_task SWEEP PART MAX_NUM_TIMEOUT`.

A run that is interrupted leaves a checkpoint and no final report: the scheduler decides about the task. It may be
queued again (preemption, `scontrol requeue`, a node that failed), and the run then resumes; or it is cancelled. If
SLURM announces the end of the time limit (SIGUSR2), the task itself requests to be queued again.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from neurobench.config.errors import FINE, UserError
from neurobench.process import run_one_command
from neurobench.sweeps.job import Task, read_task, take_up
from neurobench.sweeps.outcome import ended
from neurobench.sweeps.record import read_array
from neurobench.sweeps.scheduler import ask, own_words

TERMINATED = 128 + signal.SIGTERM  # exit code as shells report it


class _Signals:
    """Signal handlers: SIGTERM ends the run as Ctrl-C does; SIGUSR2 does too, and is recorded."""

    def __init__(self) -> None:
        self.out_of_time = False
        signal.signal(signal.SIGTERM, self.interrupt)
        signal.signal(signal.SIGUSR2, self.announce)

    def interrupt(self, number: int, frame: object) -> None:
        raise KeyboardInterrupt

    def announce(self, number: int, frame: object) -> None:
        self.out_of_time = True
        os.kill(os.getpid(), signal.SIGTERM)  # during training the loop handles it, and notes it


def main(words: Sequence[str]) -> int:
    signals = _Signals()
    sweep, part, limit = Path(words[0]), int(words[1]), int(words[2])
    index = int(os.environ["SLURM_ARRAY_TASK_ID"])
    job_id = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{index}"
    numbers = read_array(sweep, part).groups[index]
    for place, number in enumerate(numbers, 1):
        task = read_task(sweep, number)
        if ended(task.last_report()):  # it ended before this task was queued again
            continue
        timeouts = int(task.last_report().get("timeouts", 0))
        try:
            report = take_up(task, job_id=job_id, timeouts=timeouts)
        except KeyboardInterrupt:  # before the run has begun
            report = {"status": "interrupted", "job_id": job_id}
        if report["status"] == "interrupted":
            if signals.out_of_time:
                rest = [replace(task, number=later) for later in numbers[place:]]
                return _queue_again(task, report, timeouts + 1, limit, rest)
            return TERMINATED
    return FINE


def _queue_again(task: Task, report: dict[str, Any], timeouts: int, limit: int, rest: Sequence[Task] = ()) -> int:
    """Queue the task again; return the exit code. The report is written first: once requeued, SLURM ends this
    process. `rest`: jobs that would have been run after this one; only their reports are accessed."""
    task.write_report({**report, "timeouts": timeouts})
    if timeouts > limit:
        fault = f"out of time {timeouts} times; --with max_num_timeout=N allows more"
    else:
        fault = _requeue(report["job_id"])
    if fault:
        error = f"{fault}. The same command resumes it."
        task.write_report({**report, "status": "half-done", "timeouts": timeouts, "error": error})
        for other in rest:
            error = f"not begun: the job before it in this task was {fault}. The same command submits it again."
            other.write_report({"status": "timed out", "job_id": report["job_id"], "error": error})
    return TERMINATED


def _requeue(job_id: str) -> str:
    """Ask SLURM to queue the task again; return the reason if it does not, else ""."""
    try:
        answer = ask(["scontrol", "requeue", job_id])
    except UserError as error:
        return f"out of time, and not queued again: {error}"
    return f"out of time, and not queued again: {own_words(answer)}" if answer.returncode else ""


if __name__ == "__main__":
    run_one_command(as_worker=True)
    try:
        sys.exit(main(sys.argv[1:]))
    except UserError as fault:
        sys.exit(str(fault))
