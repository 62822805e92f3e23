"""Execution of one job of a sweep, in the process that a launcher provides."""

from __future__ import annotations

import gc
import json
import os
import platform
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurobench.config.errors import ConfigError, UserError
from neurobench.config.targets import ALLOW
from neurobench.process import importing, outlive_readers, run_one_command
from neurobench.storage.atomic import make_folder, write_json
from neurobench.storage.folder import InUse
from neurobench.sweeps.gpus import VISIBLE, has_gpu, take_gpu
from neurobench.sweeps.sbatch import POOLS

if TYPE_CHECKING:
    from rich.console import Console

    from neurobench.experiment.callbacks import Callback
    from neurobench.experiment.plan import Plan
    from neurobench.storage.folder import RunFolder
    from neurobench.sweeps.record import Array

LOST = "the process ended without a message (killed, or out of memory)"
ORPHAN_S = 30  # in which a worker whose parent was killed must have ended its batch and written a checkpoint
Report = dict[str, Any]  # state of a job: status, folder, epoch, seconds, error, ...
_busy = threading.Lock()  # held by a worker while it runs a job


@dataclass(frozen=True)
class Task:
    """A job as passed to a worker: plain values, so that any launcher can transmit it."""

    number: int
    config: dict[str, Any]  # resolved
    overrides: tuple[str, ...]  # from which it was composed
    setting_hash: str
    sweep: str  # folder of the sweep, which the worker shares with the waiting process
    array: tuple[str, int] | None = None  # name of the SLURM array and index in it, once the task is queued
    job_id: str = ""  # SLURM's id of the task, once it is queued

    @property
    def key(self) -> tuple[str, int]:
        return self.sweep, self.number

    def queued_as(self, array: Array, index: int) -> Task:
        return replace(self, array=(array.name, index), job_id=f"{array.id}_{index}" if array.id else "")

    def write(self) -> None:
        """Write the task to the sweep's folder, for a worker that receives only the folder."""
        make_folder(Path(self.sweep) / "queue")
        write_json(Path(self.sweep) / "queue" / f"{self.number}.json", asdict(self), durable=False)

    @property
    def log(self) -> Path:
        return Path(self.sweep) / f"{self.number}.log"

    def write_report(self, report: Report) -> None:
        write_json(Path(self.sweep) / f"{self.number}.json", report, durable=False)

    def last_report(self) -> Report:
        """Latest report of the job's worker; empty before it begins, and if the file is damaged or cannot be read (as
        on NFS, while another machine replaces it): then the scheduler's state and the run folder decide."""
        try:
            report = json.loads((Path(self.sweep) / f"{self.number}.json").read_text())
        except (OSError, ValueError):
            return {}
        return report if isinstance(report, dict) and "status" in report else {}


def read_task(sweep: Path, number: int) -> Task:
    """Read a task. Raises UserError if this machine cannot see the sweep's folder or the file is damaged."""
    file = sweep / "queue" / f"{number}.json"
    try:
        values = json.loads(file.read_text())
        return Task(**{**values, "overrides": tuple(values["overrides"])})
    except OSError as error:
        raise UserError(f"{platform.node()} cannot access the sweep's folder {sweep}: {error.strerror}") from None
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{file} is damaged: {error}") from None


def stop_file(sweep: str | Path) -> Path:
    """File that, once it exists, keeps jobs from being started."""
    return Path(sweep) / "stop"


class Reporter:
    """Callback that reports the progress of a job. See `neurobench.experiment.callbacks.Callback`."""

    def __init__(self, task: Task, **entries: Any):
        self.task = task
        here = {"pid": os.getpid(), "host": platform.node()}
        self.report: Report = {"status": "running", **here, "begun": time.time(), **entries}
        self.update()

    def update(self, **entries: Any) -> None:
        self.report |= entries
        self.task.write_report(self.report)

    def begin(self, plan: Plan, folder: RunFolder) -> None:
        self.update(folder=str(folder.path), epochs=plan.training.epochs)

    def epoch(self, row: Mapping[str, Any]) -> None:
        self.update(epoch=row["epoch"])

    def end(self, folder: RunFolder) -> None:
        pass


def attempt(plan: Callable[[], Plan], console: Console, callbacks: Sequence[Callback] = ()) -> Report:
    """Make a plan, execute it and return the report: "finished" with run folder and test accuracy; or "refused",
    "failed", "interrupted", "queued", "running elsewhere" with the reason."""
    from neurobench.data.dataset import DataError
    from neurobench.devices.jobs import Queued
    from neurobench.experiment.execute import execute

    try:
        folder = execute(plan(), console, callbacks)
    except DataError as error:  # of data that are compared with those that the run has read before
        return {"status": "failed", "error": str(error)}
    except UserError as error:
        status = "interrupted" if error.stops_sweep else "failed"
        if isinstance(error, ConfigError | InUse):
            status = "refused" if isinstance(error, ConfigError) else "running elsewhere"
        if isinstance(error, Queued):
            status = "queued"
        return {"status": status, "error": str(error)}
    result = folder.result()
    assert result is not None
    return {"status": "finished", "folder": str(folder.path), "test_accuracy": result["metrics"].get("test_accuracy")}


def work(task: Task, **entries: Any) -> Report:
    """Run one job, from its checkpoint if it has one. Returns its report and stores it in the sweep's folder.
    `entries` are added to each of its reports.

    Never raises for a run that failed: the report says so. Ctrl-C leaves a checkpoint and ends the sweep.
    """
    # Written before the check, so that whoever stops the sweep sees it if the worker has not seen the stop file.
    reporter = Reporter(task, **entries)
    if stop_file(task.sweep).exists():
        reporter.update(status="left alone")
        return reporter.report
    from omegaconf import OmegaConf
    from rich.console import Console

    from neurobench.experiment.plan import parse

    begun = time.perf_counter()
    with task.log.open("a", encoding="utf-8", errors="backslashreplace") as file:
        console = Console(markup=False, emoji=False, file=file, width=120)
        config = OmegaConf.create(task.config)
        report = attempt(lambda: parse(config, task.overrides, task.setting_hash).resumed(), console, [reporter])
    reporter.update(**report, seconds=round(time.perf_counter() - begun, 3))
    return reporter.report


def take_up(task: Task, seconds: float = 60, **entries: Any) -> Report:
    """Run one job that a scheduler may have started elsewhere before: a worker that is shutting down holds the run's
    lock for a moment, so retry for up to `seconds`."""
    begun_before = bool(task.last_report())
    deadline = time.monotonic() + seconds
    while True:
        report = work(task, **entries)
        if report["status"] != "running elsewhere" or not begun_before or time.monotonic() > deadline:
            return report
        time.sleep(1)


def work_locally(task: Task, folder: str, environment: Mapping[str, str]) -> Report:
    """Run one job on the machine of the waiting process; an interrupted job stops the whole sweep.

    A worker outlives a sweep: the working directory and the environment are those of the waiting process, except for
    variables that are fixed for the worker's lifetime (`is_of_worker`).
    """
    of_worker = {name: os.environ[name] for name in os.environ if is_of_worker(name)}
    os.environ.clear()
    os.environ.update({**environment, **of_worker})
    os.chdir(folder)
    with _busy:
        report = work(task)
    if report["status"] == "interrupted":
        stop_file(task.sweep).touch()
    return report


def is_of_worker(name: str) -> bool:
    """Whether an environment variable is fixed for a worker: its threads, its GPU, the code that it may run."""
    return name in (*POOLS, ALLOW) or (name == VISIBLE and has_gpu())


def warm(parent: int, code: Sequence[Mapping[str, str]], named_in: str | None, gpus: Sequence[str] = ()) -> None:
    """Initialise a worker: import once what every job needs and takes seconds to load. `code`: digests of the
    user's code; `named_in`: folder of code that is allowed by name alone; `gpus`: the worker takes one of them. If any
    of these changes, a new pool is created, since workers outlive a sweep.

    A worker whose parent was killed stops after its batch and leaves a checkpoint, so that the sweep can be restarted
    at once.
    """

    def stop_with_parent() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        if not _busy.acquire(blocking=False):
            os.kill(os.getpid(), signal.SIGTERM)  # the run in progress notes it and ends after its batch
            _busy.acquire(timeout=ORPHAN_S)
        os._exit(1)

    take_gpu(parent, gpus)
    threading.Thread(target=stop_with_parent, daemon=True).start()
    run_one_command(as_worker=True)
    outlive_readers()
    try:
        with importing("torch"):
            import matplotlib.figure  # noqa: F401
            import numba
            import torch

            import neurobench.experiment.execute
            import neurobench.experiment.loop  # noqa: F401
    except KeyboardInterrupt:  # Ctrl-C reaches workers too: no job has begun here, and the parent reports it
        os._exit(130)
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    gc.freeze()  # the pool collects garbage every second and need not traverse the imported objects
