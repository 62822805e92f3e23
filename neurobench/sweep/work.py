"""One job of a sweep, in whatever process a launcher gives it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurobench.runs.atomic import write_json

if TYPE_CHECKING:
    from neurobench.experiment.plan import Plan
    from neurobench.runs.folder import RunFolder

STOP = "stop"  # a file of this name in the sweep's folder: jobs that have not begun are left alone


@dataclass(frozen=True)
class Task:
    """What a worker is handed: plain values, so that any launcher can carry it."""

    number: int
    config: dict[str, Any]  # resolved
    setting_hash: str
    sweep: str  # folder of the sweep, which the worker shares with the one who waits

    @property
    def report(self) -> Path:
        return Path(self.sweep) / f"{self.number}.json"

    @property
    def log(self) -> Path:
        return Path(self.sweep) / f"{self.number}.log"


class Reporter:
    """Writes down how far a job is. See `neurobench.experiment.callbacks.Callback`."""

    def __init__(self, task: Task):
        self.task = task
        self.told: dict[str, Any] = {"status": "running", "pid": os.getpid(), "begun": time.time()}
        self.tell()

    def tell(self, **entries: Any) -> None:
        self.told |= entries
        write_json(self.task.report, self.told, durable=False)

    def begin(self, plan: Plan, folder: RunFolder) -> None:
        self.tell(folder=str(folder.path), epochs=plan.training.epochs)

    def epoch(self, row: Mapping[str, Any]) -> None:
        self.tell(epoch=row["epoch"])

    def end(self, folder: RunFolder) -> None:
        pass


def work(task: Task) -> dict[str, Any]:
    """Run one job, from its checkpoint where it has one. Returns its report and leaves it in the sweep's folder.

    Never raises for a run that failed: the report says so. Ctrl-C leaves a checkpoint and ends the sweep.
    """
    if (Path(task.sweep) / STOP).exists():
        return {"status": "left alone"}
    from omegaconf import OmegaConf
    from rich.console import Console

    from neurobench.config.errors import ConfigError, UserError
    from neurobench.experiment.execute import execute
    from neurobench.experiment.plan import parse

    reporter = Reporter(task)
    begun = time.perf_counter()
    try:
        plan = parse(OmegaConf.create(task.config), task.setting_hash).resumed()
        with task.log.open("a") as file:
            folder = execute(plan, Console(file=file, width=120), [reporter])
        result = folder.result()
        assert result is not None
        reporter.tell(status="finished", folder=str(folder.path), test_accuracy=result["metrics"].get("test_accuracy"))
    except UserError as error:
        kind = "refused" if isinstance(error, ConfigError) else "interrupted" if error.stops_sweep else "failed"
        reporter.tell(status=kind, error=str(error))
    reporter.tell(seconds=round(time.perf_counter() - begun, 3))
    return reporter.told


def work_here(task: Task) -> dict[str, Any]:
    """The same on the machine of the one who waits: a job that was stopped means that all are to stop."""
    report = work(task)
    if report["status"] == "interrupted":
        (Path(task.sweep) / STOP).touch()
    return report


def warm(parent: int) -> None:
    """What every job needs and takes seconds to import; a worker does it once.

    A worker whose parent was killed stops at the next batch and leaves a checkpoint, so that the sweep can be begun
    again at once.
    """
    threading.Thread(target=_stop_with, args=(parent,), daemon=True).start()
    try:
        import matplotlib.figure  # noqa: F401
        import numba
        import torch

        import neurobench.experiment.execute
        import neurobench.experiment.loop  # noqa: F401
    except KeyboardInterrupt:  # Ctrl-C reaches workers too: nothing has begun here, and the one who waits tells of it
        os._exit(130)
    torch.set_num_threads(1)
    numba.set_num_threads(1)


def _stop_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)  # a run that is under way notes it and ends after its batch
    time.sleep(30)
    os._exit(1)
