"""A plan is carried out: jobs go to a launcher, the board is kept, and at the end it is said what became of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from neurobench.sweep.launch import LAUNCHERS
from neurobench.sweep.plan import Job
from neurobench.sweep.progress import Board, print_line
from neurobench.sweep.work import STOP, Task

TO_RUN = ("new", "half-done", "failed")


@dataclass(frozen=True)
class Way:
    """How a sweep is carried out."""

    launcher: str = "local"
    workers: int = 1
    fail_fast: bool = False
    options: Mapping[str, Any] | None = None  # of the launcher


def drive(jobs: Sequence[Job], way: Way, outputs: Path, console: Console) -> Board:
    """Run what is not done. Raises KeyboardInterrupt after Ctrl-C, once running jobs have left their checkpoints."""
    sweep = (outputs / ".sweeps" / f"{datetime.now():%Y%m%d-%H%M%S-%f}").absolute()
    tasks = {
        job.number: Task(job.number, job.plan.config, job.plan.setting_hash, str(sweep))
        for job in jobs
        if job.plan is not None and job.state in TO_RUN
    }
    board = Board(jobs, tasks)
    if not tasks:
        return board
    sweep.mkdir(parents=True)
    threads = max(int(task.config["threads"]) for task in tasks.values())
    by_number = {job.number: job for job in jobs}
    live = Live(board, console=console, refresh_per_second=2) if console.is_terminal else nullcontext()
    with live:
        for task, report in LAUNCHERS[way.launcher](list(tasks.values()), way.workers, threads, way.options or {}):
            board.ended(task.number, report)
            if not console.is_terminal:
                print_line(console, by_number[task.number], report, len(board.reports), len(tasks))
            if way.fail_fast and report["status"] in ("failed", "refused", "lost"):
                (sweep / STOP).touch()
            if report["status"] == "interrupted":
                (sweep / STOP).touch()
    return board
