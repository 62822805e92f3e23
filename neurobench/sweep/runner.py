"""Jobs go to a launcher, and what becomes of each is noted and shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from neurobench.sweep.launch import LAUNCHERS
from neurobench.sweep.plan import Job
from neurobench.sweep.progress import StatusTable, print_line
from neurobench.sweep.work import Task, stop_file

TO_RUN = ("new", "half-done", "failed")


@dataclass(frozen=True)
class Settings:
    """How the jobs of a sweep are run."""

    launcher: str = "local"
    workers: int = 1
    fail_fast: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)  # of the launcher


def new_sweep_folder(outputs: Path) -> Path:
    """Where a sweep keeps its jobs' reports and logs; it is not made yet."""
    return outputs / ".sweeps" / f"{datetime.now():%Y%m%d-%H%M%S-%f}"


def run_jobs(jobs: Sequence[Job], settings: Settings, outputs: Path, console: Console) -> StatusTable:
    """Run what is not done. Raises KeyboardInterrupt after Ctrl-C, once running jobs have left their checkpoints."""
    sweep = new_sweep_folder(outputs).absolute()
    tasks = {
        job.number: Task(job.number, job.plan.config, job.plan.setting_hash, str(sweep))
        for job in jobs
        if job.plan is not None and job.state in TO_RUN
    }
    table = StatusTable(jobs, tasks)
    if not tasks:
        return table
    sweep.mkdir(parents=True)
    threads = max(int(task.config["threads"]) for task in tasks.values())
    by_number = {job.number: job for job in jobs}
    launch = LAUNCHERS[settings.launcher]
    with Live(table, console=console, refresh_per_second=2) if console.is_terminal else nullcontext():
        for task, report in launch(list(tasks.values()), settings.workers, threads, settings.options):
            table.reports[task.number] = report
            if not console.is_terminal:
                print_line(console, by_number[task.number], report, len(table.reports), len(tasks))
            failed = report["status"] in ("failed", "refused", "lost")
            if report["status"] == "interrupted" or (failed and settings.fail_fast):
                stop_file(sweep).touch()
    return table
