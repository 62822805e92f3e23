"""What a launcher is given, and what it gives back: the report of each job as it stands."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neurobench.sweeps.work import Report, Task

UNDER_WAY = ("pending", "running")  # statuses of reports after which another one follows

Outcome = tuple[Task, Report]


@dataclass(frozen=True)
class Batch:
    """How a launcher is to run its tasks."""

    workers: int | None  # jobs at once; None: as many as the place has room for
    threads: int  # of each job
    say: Callable[[str], None]  # a line to the person who waits
    options: Mapping[str, Any] = field(default_factory=dict)  # of the launcher
    detach: bool = False  # submit and wait for nothing
    gpu: bool = False  # whether a job says device=cuda


Launcher = Callable[[Sequence[Task], Batch], Iterator[Outcome]]


def ended(report: Report) -> bool:
    """Whether a worker's word is its last. After "interrupted" the scheduler decides."""
    return bool(report) and report["status"] not in (*UNDER_WAY, "interrupted")


def is_visible(report: Report) -> bool:
    """Whether a run that is said to have finished can be seen from here."""
    if report["status"] != "finished":
        return True
    folder = Path(report["folder"])
    with contextlib.suppress(OSError):
        os.listdir(folder.parent)  # noqa: PTH208 - a network file system looks again
    return (folder / "result.json").is_file()


def out_of_sight(report: Report) -> Report:
    host = report.get("host", "another machine")
    error = f"finished where this machine cannot see it: {host} says that it wrote {report['folder']}"
    return {**report, "status": "lost", "error": error}


def awaited(report: Report, seconds: float = 30) -> Report:
    """The report, once what it says can be seen from here; or that it cannot."""
    deadline = time.monotonic() + seconds
    while not is_visible(report):
        if time.monotonic() > deadline:
            return out_of_sight(report)
        time.sleep(0.5)
    return report


class Visibility:
    """Last words of workers, each once the result that it speaks of can be seen from here."""

    def __init__(self, patience_s: float):
        self.patience_s = patience_s
        self.deadlines: dict[tuple[str, int], float] = {}  # of results that are not seen yet

    def checked(self, task: Task) -> Report | None:
        """None: not ended, or not to be seen yet."""
        report = task.last_report()
        if not ended(report):
            return None
        if is_visible(report):
            return report
        deadline = self.deadlines.setdefault(task.key, time.monotonic() + self.patience_s)
        return out_of_sight(report) if time.monotonic() > deadline else None
