"""Progress display of a sweep: a live table on a terminal, elsewhere a line for each job that ends; then the
outcome."""

from __future__ import annotations

import textwrap
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from neurobench.config.errors import BAD_USAGE, FAILED, FINE, QUEUED
from neurobench.sweeps.job import Report, Task

if TYPE_CHECKING:
    from neurobench.sweeps.plan import Job  # which imports Hydra

# Status -> its style, and its rank in the live table.
STYLES = {
    "running": ("bold blue", 0),
    "failed": ("bold red", 1),
    "refused": ("bold red", 1),
    "lost": ("bold red", 1),
    "timed out": ("bold red", 1),
    "out of memory": ("bold red", 1),
    "preempted": ("yellow", 1),
    "cancelled": ("yellow", 1),
    "interrupted": ("yellow", 1),
    "queued": ("yellow", 2),  # the run has jobs at a device that answers later
    "half-done": ("cyan", 2),
    "new": ("", 2),
    "waiting": ("dim", 2),
    "pending": ("dim", 2),
    "queued elsewhere": ("yellow", 2),
    "running elsewhere": ("yellow", 2),
    "finished": ("green", 3),
    "left alone": ("dim", 4),
    "twice": ("dim", 4),
}
ROWS = 30  # shown in the live table
COLUMNS = ("job", "what", "state", "epoch", "time", "accuracy")
RIGHT = ("job", "epoch", "time", "accuracy")


def styled(status: str) -> Text:
    return Text(status, style=STYLES[status][0])


def counts(statuses: Iterable[str]) -> str:
    """Number of jobs with each status: "2 finished, 1 new"."""
    return ", ".join(f"{n} {status}" for status, n in Counter(statuses).items())


class StatusTable:
    """All jobs of a sweep and their states."""

    def __init__(self, jobs: Sequence[Job], tasks: Mapping[int, Task]):
        self.jobs, self.tasks = jobs, tasks
        self.reports: dict[int, Report] = {}  # of jobs that have ended
        self.under_way: dict[int, Report] = {}  # of jobs that a scheduler has queued or runs

    def report(self, job: Job) -> Report:
        """Latest report on a job: from the launcher, else from its worker, else from the plan."""
        if job.number in self.reports:
            return self.reports[job.number]
        if job.number in self.under_way:
            return {**self.under_way[job.number], **self._live(job)}
        if job.number in self.tasks:
            return self.tasks[job.number].last_report() or {"status": "waiting"}
        folder = {"folder": str(job.folder)} if job.folder else {}
        faults = {"error": "\n".join(job.faults)} if job.faults else {}
        return {"status": job.state, **folder, **faults}

    def _live(self, job: Job) -> Report:
        """Progress of a job that is running according to its scheduler; empty for any other."""
        if self.under_way[job.number]["status"] != "running":
            return {}
        report = self.tasks[job.number].last_report()
        return report if report.get("status") == "running" else {}

    def __rich__(self) -> Table:
        """Render the table; called at each refresh."""
        rows = [(job.number, job.label, self.report(job)) for job in self.jobs]
        return board(rows, next((task.sweep for task in self.tasks.values()), ""))


def board(rows: Iterable[tuple[int, str, Report]], sweep: str) -> Table:
    """Table of the number, overrides and report of each job, running ones first; on a cluster also its id and host.
    `sweep`: folder of the logs."""
    ordered = sorted(rows, key=lambda row: (STYLES[row[2]["status"]][1], row[0]))
    elsewhere = any(report.get("job_id") or report.get("node") for *_, report in ordered)
    table = Table(box=box.SIMPLE, show_edge=False, padding=(0, 1))
    for column in (*COLUMNS, *(("id", "host") if elsewhere else ())):
        table.add_column(column, justify="right" if column in RIGHT else "left", overflow="fold")
    for number, label, report in ordered[:ROWS]:
        place = (str(report.get("job_id", "")), str(report.get("host", ""))) if elsewhere else ()
        table.add_row(*_row(number, label, report), *place)
    more = f"  ({len(ordered) - ROWS} more)" if len(ordered) > ROWS else ""
    logs = f"; log of job N: {sweep}/N.log" if elsewhere and sweep else ""
    table.caption = Text(counts(report["status"] for *_, report in ordered) + more + logs)
    table.caption_justify = "left"
    return table


def _row(number: int, label: str, report: Report) -> tuple[str | Text, ...]:
    epoch = f"{report.get('epoch', 0)}/{report['epochs']}" if report.get("epochs") else ""
    seconds = report.get("seconds") or (time.time() - report["begun"] if report["status"] == "running" else None)
    accuracy = report.get("test_accuracy")
    return (
        str(number),
        label,
        styled(report["status"]) + (f" ({report['reason']})" if report.get("reason", "None") != "None" else ""),
        epoch,
        "" if seconds is None else f"{seconds:.0f} s",
        "" if accuracy is None else f"{accuracy:.2%}",
    )


def ended(job: Job, report: Report, done: int, total: int) -> str:
    """One-line summary of a job that has ended."""
    accuracy = report.get("test_accuracy")
    figure = "" if accuracy is None else f"  test accuracy {accuracy:.2%}"
    seconds = f"  {report['seconds']:.1f} s" if "seconds" in report else ""
    return f"[{done}/{total}] {report['status']}: {job.label}{figure}{seconds}"


def print_outcome(console: Console, outcome: Sequence[tuple[str, Report]], noun: str, note: str = "") -> None:
    """Print how many jobs finished, and why each other one did not. `outcome`: overrides and report of each job."""
    statuses = [report["status"] for _, report in outcome]
    total = len(statuses) - statuses.count("twice")
    console.print(f"\n{statuses.count('finished')} of {total} {noun} finished{note}", highlight=False)
    for label, report in outcome:
        if report["status"] not in ("finished", "twice"):
            console.print(f"\n{report['status']}: {label}", highlight=False, soft_wrap=True)
            text = textwrap.indent(report.get("error", ""), "  ")
            console.print(text, highlight=False, soft_wrap=True, end="\n" if text else "")
    if same := [label for label, report in outcome if report["status"] == "twice"]:
        why = "it computes the same as an earlier job" if len(same) == 1 else "they compute the same as earlier jobs"
        console.print(f"\nleft out, as {why} (another name=NAME would run both):", highlight=False, soft_wrap=True)
        for label in same:
            console.print(f"  {label}", highlight=False, soft_wrap=True)


def exit_code(statuses: Sequence[str]) -> int:
    """Exit code of a sweep: FINE if all jobs finished or are computed by another process, QUEUED if some of these
    wait for a device, BAD_USAGE if all were refused, otherwise FAILED."""
    if set(statuses) == {"refused"}:
        return BAD_USAGE
    if not set(statuses) <= {"finished", "twice", "running elsewhere", "queued elsewhere", "queued"}:
        return FAILED
    return QUEUED if "queued" in statuses else FINE
