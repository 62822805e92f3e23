"""Input and output of a launcher: its batch, and the current report of each job."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neurobench.sweeps.job import Report, Task

UNDER_WAY = ("pending", "running")  # statuses of reports that another one follows

Outcome = tuple[Task, Report]


@dataclass(frozen=True)
class Batch:
    """Settings with which a launcher runs its tasks."""

    workers: int | None  # jobs at once; None: as many as the machine or cluster has room for
    threads: int  # of each job
    say: Callable[[str], None]  # prints a line for the user
    options: Mapping[str, Any] = field(default_factory=dict)  # of the launcher
    detach: bool = False  # submit and do not wait
    gpu: bool = False  # whether a job says device=cuda


Launcher = Callable[[Sequence[Task], Batch], Iterator[Outcome]]


def ended(report: Report) -> bool:
    """Whether a worker's report is final. After "interrupted" the scheduler decides."""
    return bool(report) and report["status"] not in (*UNDER_WAY, "interrupted")


def is_visible(report: Report) -> bool:
    """Whether the result of a run reported as finished is visible from this machine."""
    if report["status"] != "finished":
        return True
    folder = Path(report["folder"])
    with contextlib.suppress(OSError):
        os.listdir(folder.parent)  # noqa: PTH208 - a network file system looks again
    return (folder / "result.json").is_file()


def out_of_sight(report: Report) -> Report:
    host = report.get("host", "another machine")
    error = f"finished, but this machine cannot access its result: {host} wrote {report['folder']}"
    return {**report, "status": "lost", "error": error}


def awaited(report: Report, seconds: float = 30) -> Report:
    """Wait until a report's result is visible from this machine; return the report, or "lost" if it never is."""
    deadline = time.monotonic() + seconds
    while not is_visible(report):
        if time.monotonic() > deadline:
            return out_of_sight(report)
        time.sleep(0.5)
    return report


class Visibility:
    """Final reports of workers, each once its result is visible from this machine."""

    def __init__(self, patience_s: float):
        self.patience_s = patience_s
        self.deadlines: dict[tuple[str, int], float] = {}  # of results that are not visible yet

    def checked(self, task: Task) -> Report | None:
        """Final report of a task; None if it has not ended or its result is not visible yet."""
        report = task.last_report()
        if not ended(report):
            return None
        if is_visible(report):
            return report
        deadline = self.deadlines.setdefault(task.key, time.monotonic() + self.patience_s)
        return out_of_sight(report) if time.monotonic() > deadline else None
