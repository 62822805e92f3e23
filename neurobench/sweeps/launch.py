"""Running the jobs of a sweep: in worker processes of this machine, on a SLURM cluster, on a Ray cluster.

Each launcher takes tasks and yields (task, report) as they progress and end, in any order. All share the sweep's
folder with their workers.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from neurobench.config.errors import UserError
from neurobench.experiment.plan import Plan
from neurobench.experiment.progress import line_printer
from neurobench.phases import phase
from neurobench.storage.atomic import writing
from neurobench.storage.locks import lock_fault
from neurobench.storage.provenance import command
from neurobench.sweeps import ray_cluster, slurm
from neurobench.sweeps.job import Task, stop_file
from neurobench.sweeps.local import check_submitit, local, submitit_local
from neurobench.sweeps.outcome import UNDER_WAY, Batch, Launcher
from neurobench.sweeps.plan import Job
from neurobench.sweeps.progress import StatusTable, ended
from neurobench.sweeps.record import Entry, SweepRecord, new_sweep_folder, remove_record

LAUNCHERS: dict[str, Launcher] = {
    "local": local, "slurm": slurm.slurm, "submitit-local": submitit_local, "ray": ray_cluster.ray,
}  # fmt: skip
CHECKS = {"slurm": slurm.check, "ray": ray_cluster.check, "submitit-local": check_submitit}
PROCESSORS = ("cpus_per_task", "slurm_cpus_per_task", "num_cpus")  # launcher options that set them
ONE_MACHINE = ("local", "submitit-local")
TO_RUN = ("new", "half-done", "failed")  # states of jobs to be run
BROKEN = ("failed", "refused", "lost", "timed out", "out of memory")


@dataclass(frozen=True)
class Settings:
    """How the jobs of a sweep are run. Created before they are planned, so that options that the cluster refuses are
    reported first."""

    launcher: str = "local"
    workers: int | None = None  # jobs at once; None: as many as the machine or the cluster has room for
    fail_fast: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)  # of the launcher
    detach: bool = False  # submit, and do not wait

    def __post_init__(self) -> None:
        """Check the settings. Raises UserError if one is invalid."""
        if self.launcher not in LAUNCHERS:
            raise UserError(f"launcher {self.launcher}: there is no such launcher; there is {', '.join(LAUNCHERS)}")
        if self.workers is not None and self.workers < 1:
            raise UserError(f"workers {self.workers}: give a number of jobs at once, at least 1")
        if self.detach and self.launcher != "slurm":
            raise UserError(f"detach: the launcher {self.launcher} ends with this command; slurm continues without it")
        if self.launcher == "local" and self.options:
            others = ", ".join(name for name in LAUNCHERS if name != "local")
            raise UserError(
                f"{', '.join(self.options)}: the launcher local has no options, so this would have no effect; choose "
                f"another launcher: {others}"
            )
        if self.launcher in CHECKS:
            CHECKS[self.launcher](self.options)


def run_jobs(jobs: Sequence[Job], settings: Settings, console: Console) -> StatusTable:
    """Run the jobs that are not done. Raises KeyboardInterrupt after Ctrl-C, once running jobs have left their
    checkpoints; UserError if the launcher refuses them."""
    _require_one_folder(jobs, settings)
    outputs = next((Path(job.plan.run.outputs) for job in jobs if job.plan is not None), Path())
    sweep = new_sweep_folder(outputs).absolute()
    tasks = {job.number: _task(job, sweep, settings) for job in jobs if _takes(job, settings)}
    table = StatusTable(jobs, tasks)
    if not tasks:
        return table
    if any(task.sweep == str(sweep) for task in tasks.values()):
        _record(jobs, tasks, sweep, settings)
    show = None if console.is_terminal else line_printer(console)
    threads = max(_threads(task.config["threads"]) for task in tasks.values())
    say = show or (lambda line: console.print(line, highlight=False, soft_wrap=True))
    gpu = any(task.config["device"] == "cuda" for task in tasks.values())
    batch = Batch(settings.workers, threads, say, settings.options, settings.detach, gpu)
    if settings.launcher not in ONE_MACHINE and sweep.is_dir() and (fault := lock_fault(sweep)):
        say(f"note: {outputs}: {fault}; do not start a sweep twice at the same time, or set outputs=FOLDER elsewhere")
    by_key = {task.key: job for job in jobs if (task := tasks.get(job.number))}
    live = Live(table, console=console, refresh_per_second=2) if console.is_terminal else nullcontext()
    try:
        with phase("running jobs", len(tasks)) as progress, live:
            for task, report in LAUNCHERS[settings.launcher](list(tasks.values()), batch):
                job = by_key[task.key]
                if report["status"] in UNDER_WAY:
                    table.under_way[job.number] = report
                    continue
                table.reports[job.number] = report
                progress.advance()
                if show is not None:
                    show(ended(job, report, len(table.reports), len(tasks)))
                if report["status"] == "interrupted" or (report["status"] in BROKEN and settings.fail_fast):
                    stop_file(task.sweep).touch()
    except UserError:
        if not (table.reports or table.under_way):
            remove_record(sweep)
        raise
    return table


def _require_one_folder(jobs: Sequence[Job], settings: Settings) -> None:
    """Check that jobs for SLURM have one folder of runs: queued tasks are recognised by what that folder records."""
    folders = dict.fromkeys(job.plan.run.outputs for job in jobs if job.plan is not None)
    if settings.launcher == "slurm" and len(folders) > 1:
        raise UserError(f"launcher slurm: outputs={','.join(folders)}: start a sweep for each folder")


def _takes(job: Job, settings: Settings) -> bool:
    """Whether a job is to be run, or to be followed since an earlier command has left it in SLURM's queue."""
    followed = settings.launcher == "slurm" and job.queued is not None
    return job.plan is not None and (job.state in TO_RUN or followed)


def _task(job: Job, sweep: Path, settings: Settings) -> Task:
    if job.queued is not None and settings.launcher == "slurm":
        return job.queued
    plan = job.plan
    assert plan is not None
    return Task(job.number, _config(plan, settings), plan.overrides, plan.setting_hash, str(sweep))


def _config(plan: Plan, settings: Settings) -> dict[str, Any]:
    """Configuration of a task. Another machine gets an absolute outputs folder, since a relative one would differ
    there. Threads follow the processors requested per task, unless their number is set."""
    if settings.launcher in ONE_MACHINE:
        return plan.config
    processors = [number for key in PROCESSORS if isinstance(number := settings.options.get(key), int) and number > 0]
    threads = {"threads": processors[0]} if processors and plan.run.threads == "auto" else {}
    return {**plan.config, **threads, "outputs": str(Path(plan.run.outputs).absolute())}


def _threads(given: int | str) -> int:
    """Threads that a job uses; one for "auto", since parallel jobs gain more than threads within a job."""
    return 1 if given == "auto" else int(given)


def _record(jobs: Sequence[Job], tasks: Mapping[int, Task], sweep: Path, settings: Settings) -> None:
    with writing(sweep, "set outputs=FOLDER"):
        sweep.mkdir(parents=True)
    entries = [
        Entry(job.number, job.overrides, job.plan.run.name, job.hash)
        for job in jobs
        if job.plan is not None and job.number in tasks and tasks[job.number].sweep == str(sweep)
    ]
    SweepRecord(sweep, settings.launcher, command(), platform.node(), os.getpid(), tuple(entries)).write()
