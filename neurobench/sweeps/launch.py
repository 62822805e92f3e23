"""Running the jobs of a sweep: in worker processes of this machine, on a SLURM cluster, on a Ray cluster.

Each launcher takes tasks and yields (task, report) as they end, in any order. All share the sweep's folder with their
workers.
"""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from neurobench.config.errors import UserError
from neurobench.config.targets import ALLOW, PLUGIN_FILES, fingerprint, import_extra
from neurobench.experiment.progress import line_printer
from neurobench.phases import phase
from neurobench.storage.provenance import cores
from neurobench.sweeps.plan import Job
from neurobench.sweeps.progress import StatusTable, ended
from neurobench.sweeps.work import LOST, Report, Task, stop_file, warm, work, work_locally

Outcome = tuple[Task, Report]
Launcher = Callable[[Sequence[Task], int, int, Mapping[str, Any]], Iterator[Outcome]]
TO_RUN = ("new", "half-done", "failed")  # states of jobs
POOLS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


def local(tasks: Sequence[Task], workers: int, threads: int, options: Mapping[str, Any]) -> Iterator[Outcome]:
    """Warm processes of this machine (joblib's loky), their thread pools pinned before anything is loaded.

    A worker that dies takes the pool with it. Jobs that were under way are then tried once more, each alone: one
    that dies again is the culprit and lost; the rest go on in a new pool.
    """
    loky = importlib.import_module("joblib.externals.loky")
    waiting = list(tasks)
    while waiting:
        ended: set[int] = set()
        try:
            for task, report in _pool(loky, waiting, min(workers, len(waiting)), threads):
                ended.add(task.number)
                yield task, report
            return
        except loky.process_executor.TerminatedWorkerError:
            waiting = [task for task in waiting if task.number not in ended]
        suspects = [task for task in waiting if task.last_report().get("status") == "running"]
        for task in suspects or waiting[:1]:
            try:
                yield from _pool(loky, [task], 1, threads)
            except loky.process_executor.TerminatedWorkerError:
                yield task, {"status": "lost", "error": LOST}
            waiting.remove(task)


def _pool(loky: Any, tasks: Sequence[Task], workers: int, threads: int) -> Iterator[Outcome]:
    # A pool is kept for the next sweep where nothing of this differs: not where code was edited or allowed since.
    code = [fingerprint(module) for module in PLUGIN_FILES]
    env = {**{name: str(threads) for name in POOLS}, ALLOW: os.environ.get(ALLOW, "")}
    start = {"initializer": warm, "initargs": (os.getpid(), str(Path.cwd()), code), "env": env}
    executor = loky.get_reusable_executor(max_workers=workers, timeout=600, **start)
    futures = {executor.submit(work_locally, task): task for task in tasks}
    try:
        for future in as_completed(futures):
            yield futures[future], future.result()
    except (KeyboardInterrupt, GeneratorExit):
        for future in futures:
            future.cancel()
        executor.shutdown(wait=True, kill_workers=False)
        raise


def slurm(tasks: Sequence[Task], workers: int, threads: int, options: Mapping[str, Any]) -> Iterator[Outcome]:
    """One array of SLURM jobs through submitit. A job that runs out of time is queued again and resumes."""
    yield from _submitit("slurm", tasks, threads, {"slurm_array_parallelism": workers, **options})


def submitit_local(tasks: Sequence[Task], workers: int, threads: int, options: Mapping[str, Any]) -> Iterator[Outcome]:
    """The same through submitit's own processes on this machine, all at once: to try it without a cluster."""
    yield from _submitit("local", tasks, threads, options)


def _submitit(cluster: str, tasks: Sequence[Task], threads: int, options: Mapping[str, Any]) -> Iterator[Outcome]:
    submitit = import_extra("submitit", "slurm", "this launcher")
    executor = submitit.AutoExecutor(folder=f"{tasks[0].sweep}/submitit", cluster=cluster)
    try:
        executor.update_parameters(name="neurobench", cpus_per_task=threads, **{"timeout_min": 24 * 60, **options})
    except (NameError, TypeError, ValueError) as fault:
        raise UserError(f"--with: {fault}") from None
    jobs = executor.map_array(_Requeued(), tasks)
    of_job = {job.job_id: task for job, task in zip(jobs, tasks, strict=True)}
    for job in submitit.helpers.as_completed(jobs, poll_frequency=0.2 if cluster == "local" else 10):
        task = of_job[job.job_id]
        error = job.exception()
        yield task, {"status": "lost", "error": f"{LOST}: {error}"} if error else job.result()


class _Requeued:
    """What submitit calls: the job, and `checkpoint` once SLURM announces that its time runs out."""

    def __call__(self, task: Task) -> Report:
        return work(task)

    def checkpoint(self, task: Task) -> Any:
        return importlib.import_module("submitit.helpers").DelayedSubmission(self, task)


def ray(tasks: Sequence[Task], workers: int, threads: int, options: Mapping[str, Any]) -> Iterator[Outcome]:
    """A Ray cluster: the one that RAY_ADDRESS names, else one that is started on this machine."""
    ray = import_extra("ray", "ray", "this launcher")
    if not ray.is_initialized():
        address = os.environ.get("RAY_ADDRESS")
        size = {"address": address} if address else {"num_cpus": workers * threads}
        ray.init(**size, include_dashboard=False, log_to_driver=False, logging_level="error")
    remote = ray.remote(num_cpus=threads, max_retries=1, **options)(work)
    waiting = {remote.remote(task): task for task in tasks}
    while waiting:
        (done,), _ = ray.wait(list(waiting), num_returns=1)
        task = waiting.pop(done)
        try:
            yield task, ray.get(done)
        except ray.exceptions.RayError as error:
            yield task, {"status": "lost", "error": f"{LOST}: {str(error).splitlines()[0]}"}


LAUNCHERS: dict[str, Launcher] = {"local": local, "slurm": slurm, "submitit-local": submitit_local, "ray": ray}


@dataclass(frozen=True)
class Settings:
    """How the jobs of a sweep are run."""

    launcher: str = "local"
    workers: int | None = None  # jobs at once; None: as many as cores / threads
    fail_fast: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)  # of the launcher

    def __post_init__(self) -> None:
        """Raises UserError."""
        if self.launcher not in LAUNCHERS:
            raise UserError(f"launcher {self.launcher}: there is no such launcher; there is {', '.join(LAUNCHERS)}")
        if self.launcher == "slurm" and not shutil.which("srun"):
            raise UserError(
                "launcher slurm: this machine has no SLURM (there is no srun on the path). Log in to the cluster, or "
                "take the launcher local, submitit-local or ray."
            )
        if self.workers is not None and self.workers < 1:
            raise UserError(f"workers {self.workers}: give a number of jobs at once, at least 1")


def new_sweep_folder(outputs: Path) -> Path:
    """Where a sweep keeps its jobs' reports and logs; it is not made yet."""
    return outputs / ".sweeps" / f"{datetime.now():%Y%m%d-%H%M%S-%f}"


def run_jobs(jobs: Sequence[Job], settings: Settings, console: Console) -> StatusTable:
    """Run what is not done. Raises KeyboardInterrupt after Ctrl-C, once running jobs have left their checkpoints."""
    outputs = next((Path(job.plan.run.outputs) for job in jobs if job.plan is not None), Path())
    sweep = new_sweep_folder(outputs).absolute()
    to_run = [(job.number, job.plan) for job in jobs if job.plan is not None and job.state in TO_RUN]
    tasks = {
        number: Task(number, plan.config, plan.overrides, plan.setting_hash, str(sweep)) for number, plan in to_run
    }
    table = StatusTable(jobs, tasks)
    if not tasks:
        return table
    sweep.mkdir(parents=True)
    threads = max(int(task.config["threads"]) for task in tasks.values())
    workers = settings.workers or max(1, cores() // threads)
    by_number = {job.number: job for job in jobs}
    launch = LAUNCHERS[settings.launcher]
    show = None if console.is_terminal else line_printer(console)
    live = Live(table, console=console, refresh_per_second=2) if console.is_terminal else nullcontext()
    with phase("running jobs", len(tasks)) as progress, live:
        for task, report in launch(list(tasks.values()), workers, threads, settings.options):
            table.reports[task.number] = report
            progress.advance()
            if show is not None:
                show(ended(by_number[task.number], report, len(table.reports), len(tasks)))
            failed = report["status"] in ("failed", "refused", "lost")
            if report["status"] == "interrupted" or (failed and settings.fail_fast):
                stop_file(sweep).touch()
    return table
