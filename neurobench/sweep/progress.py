"""What a person sees of a sweep: a live table on a terminal, a line for each job that ends elsewhere."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from neurobench.sweep.plan import Job
from neurobench.sweep.work import Task

COLOURS = {
    "finished": "green",
    "running": "bold blue",
    "half-done": "cyan",
    "failed": "bold red",
    "refused": "bold red",
    "lost": "bold red",
    "interrupted": "yellow",
    "left alone": "dim",
    "waiting": "dim",
    "running elsewhere": "yellow",
    "twice": "dim",
}
SHOWN = 30  # rows of the live table


def last_report(task: Task) -> dict[str, Any]:
    """What a job's worker last said of it; empty before it begins."""
    try:
        return json.loads(task.report.read_text())
    except FileNotFoundError:
        return {}


class Board:
    """All jobs of a sweep and what became of them."""

    def __init__(self, jobs: Sequence[Job], tasks: Mapping[int, Task]):
        self.jobs, self.tasks = jobs, tasks
        self.reports: dict[int, dict[str, Any]] = {}

    def ended(self, number: int, report: dict[str, Any]) -> None:
        self.reports[number] = report

    def report(self, job: Job) -> dict[str, Any]:
        """The newest word on a job: of the launcher, of its worker, of the plan."""
        if job.number in self.reports:
            return self.reports[job.number]
        if job.number in self.tasks:
            return last_report(self.tasks[job.number]) or {"status": "waiting"}
        return {"status": job.state, **({"folder": str(job.folder)} if job.folder else {})}

    def __rich__(self) -> Table:
        """Called at each refresh. Jobs under way come first, then the newest."""
        table = Table(box=box.SIMPLE, show_edge=False, padding=(0, 1))
        for column in ("job", "what", "state", "epoch", "time", "accuracy"):
            table.add_column(column, justify="right" if column in ("job", "epoch", "time", "accuracy") else "left")
        told = [(job, self.report(job)) for job in self.jobs]
        told.sort(key=lambda pair: (ORDER.get(pair[1]["status"], 1), pair[0].number))
        for job, report in told[:SHOWN]:
            table.add_row(*row(job, report))
        count: dict[str, int] = {}
        for _, report in told:
            count[report["status"]] = count.get(report["status"], 0) + 1
        more = f"  ({len(told) - SHOWN} more)" if len(told) > SHOWN else ""
        words = ", ".join(f"{n} {status}" for status, n in count.items())
        table.caption, table.caption_justify = Text(f"{words}{more}"), "left"
        return table


ORDER = {"running": 0, "failed": 1, "lost": 1, "refused": 1, "interrupted": 1, "waiting": 2, "half-done": 2, "new": 2}
ORDER |= {"finished": 3, "running elsewhere": 2, "twice": 4, "left alone": 4}


def row(job: Job, report: Mapping[str, Any]) -> tuple[str | Text, ...]:
    status = report["status"]
    epoch = f"{report.get('epoch', 0)}/{report['epochs']}" if report.get("epochs") else ""
    seconds = report.get("seconds") or (time.time() - report["begun"] if status == "running" else None)
    accuracy = report.get("test_accuracy")
    return (
        str(job.number),
        job.label,
        Text(status, style=COLOURS.get(status, "")),
        epoch,
        "" if seconds is None else f"{seconds:.0f} s",
        "" if accuracy is None else f"{accuracy:.2%}",
    )


def print_line(console: Console, job: Job, report: Mapping[str, Any], done: int, total: int) -> None:
    """Where nobody looks on."""
    accuracy = report.get("test_accuracy")
    figure = "" if accuracy is None else f"  test accuracy {accuracy:.2%}"
    took = f"  {report['seconds']:.1f} s" if "seconds" in report else ""
    console.print(f"[{done}/{total}] {report['status']}: {job.label}{figure}{took}", highlight=False, markup=False)
