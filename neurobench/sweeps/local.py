"""The launchers for one machine: `local`, warm worker processes, and `submitit-local`, processes of submitit."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import as_completed, wait
from pathlib import Path
from typing import Any

from neurobench.config import targets
from neurobench.config.errors import UserError
from neurobench.config.own_code import digests
from neurobench.config.targets import ALLOW, import_extra
from neurobench.process import run_one_command
from neurobench.storage.provenance import cores
from neurobench.sweeps.gpus import visible_gpus
from neurobench.sweeps.job import LOST, Report, Task, stop_file, warm, work, work_locally
from neurobench.sweeps.outcome import Batch, Outcome
from neurobench.sweeps.sbatch import POOLS

SUBMITIT_OPTIONS = ("timeout_min", "gpus_per_node", "setup")
GRACE_S = 2.0  # for jobs that end without a signal from this process


def local(tasks: Sequence[Task], batch: Batch) -> Iterator[Outcome]:
    """Run the tasks in warm processes of this machine (joblib's loky), with thread pools limited before any import.

    A worker that dies breaks the pool. Jobs that were running are then tried once more, each alone: one that dies
    again is the cause and reported as lost; the rest continue in a new pool.
    """
    loky = importlib.import_module("joblib.externals.loky")
    waiting, threads = list(tasks), batch.threads
    gpus = visible_gpus() if any(task.config["device"] != "cpu" for task in tasks) else ()
    workers = min(batch.workers or max(1, cores() // threads), len(gpus) or len(tasks))  # one run per GPU
    while waiting:
        ended: set[int] = set()
        try:
            for task, report in _pool(loky, waiting, min(workers, len(waiting)), threads, gpus):
                ended.add(task.number)
                yield task, report
            return
        except loky.process_executor.TerminatedWorkerError:
            waiting = [task for task in waiting if task.number not in ended]
        suspects = [task for task in waiting if task.last_report().get("status") == "running"]
        for task in suspects or waiting[:1]:
            try:
                yield from _pool(loky, [task], 1, threads, gpus)
            except loky.process_executor.TerminatedWorkerError:
                yield task, {"status": "lost", "error": LOST}
            waiting.remove(task)


def _pool(loky: Any, tasks: Sequence[Task], workers: int, threads: int, gpus: tuple[str, ...]) -> Iterator[Outcome]:
    # A pool is reused by the next sweep if none of this has changed, such as code that was edited or allowed since.
    code = [digests(module) for module in targets.PLUGIN_FILES]
    env = {**{name: str(threads) for name in POOLS}, ALLOW: os.environ.get(ALLOW, "")}
    here = str(Path.cwd())
    start = {"initializer": warm, "initargs": (os.getpid(), code, here if env[ALLOW] else None, gpus), "env": env}
    with _tidying_in_silence():
        executor = loky.get_reusable_executor(max_workers=workers, timeout=600, **start)
    futures = {executor.submit(work_locally, task, here, dict(os.environ)): task for task in tasks}
    try:
        for future in as_completed(futures):
            yield futures[future], future.result()
    except (KeyboardInterrupt, GeneratorExit) as stop:
        for future, task in futures.items():
            future.cancel()
            stop_file(task.sweep).touch()
        if stop.args:  # a `kill` of this process alone; Ctrl-C reaches the workers too
            # Not at once, since they may have got the signal too: a second one stops them within an update.
            wait([future for future in futures if not future.done()], timeout=GRACE_S)
            _interrupt([task for future, task in futures.items() if not future.done()])
        executor.shutdown(wait=True, kill_workers=False)
        raise


def _interrupt(tasks: Sequence[Task]) -> None:
    """Tell the processes that run these tasks to stop; they leave their checkpoints."""
    reports = [task.last_report() for task in tasks]
    for pid in {report["pid"] for report in reports if report.get("status") == "running"}:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


@contextlib.contextmanager
def _tidying_in_silence() -> Iterator[None]:
    """Context manager: a process started within it removes the pool's semaphores without a warning if this process
    is killed."""
    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, (before, "ignore:resource_tracker:UserWarning")))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = before


def check_submitit(options: Mapping[str, Any]) -> None:
    """Check the options. Raises UserError if submitit is not installed, or would ignore one."""
    import_extra("submitit", "slurm", "this launcher")
    for key in options:
        if key not in SUBMITIT_OPTIONS:
            known = ", ".join(SUBMITIT_OPTIONS)
            raise UserError(f"--with {key}: this has no effect on one machine; submitit-local takes {known}")


def submitit_local(tasks: Sequence[Task], batch: Batch) -> Iterator[Outcome]:
    """Run the tasks in submitit's processes on this machine, each in a separate interpreter."""
    submitit = import_extra("submitit", "slurm", "this launcher")
    executor = submitit.AutoExecutor(folder=f"{tasks[0].sweep}/submitit", cluster="local")
    try:
        options = {"timeout_min": 24 * 60, "gpus_per_node": int(batch.gpu), **batch.options}  # it hides all others
        if "setup" in options:
            setup = options.pop("setup")
            options["local_setup"] = [setup] if isinstance(setup, str) else setup
        executor.update_parameters(name="neurobench", cpus_per_task=batch.threads, **options)
    except (AssertionError, NameError, TypeError, ValueError) as fault:
        raise UserError(f"--with: {fault}") from None
    waiting, running = deque(tasks), dict[str, tuple[Any, Task]]()
    try:
        while waiting or running:
            while waiting and len(running) < (batch.workers or max(1, cores() // batch.threads)):
                task = waiting.popleft()
                job = executor.submit(_Requeued(batch.threads), task)
                running[job.job_id] = job, task
            if not (ended := [number for number, (job, _) in running.items() if job.done()]):
                time.sleep(0.2)
            for number in ended:
                job, task = running.pop(number)
                error = job.exception()
                yield task, {"status": "lost", "error": f"{LOST}: {error}"} if error else job.result()
    except KeyboardInterrupt as stop:
        stop_file(tasks[0].sweep).touch()  # for jobs whose interpreter is still starting
        if stop.args:  # a `kill` of this process alone
            _interrupt([task for _, task in running.values()])
        raise


class _Requeued:
    """Callable for submitit: it runs the job; `checkpoint` queues it again when its time runs out."""

    def __init__(self, threads: int):
        self.threads = threads

    def __call__(self, task: Task) -> Report:
        run_one_command(as_worker=True)
        os.environ.update({name: str(self.threads) for name in POOLS})
        queue_again = signal.getsignal(signal.SIGUSR2)  # submitit's: it ends the process at once
        announced = []

        def announce(*signal_and_frame: Any) -> None:
            announced.append(signal_and_frame)
            os.kill(os.getpid(), signal.SIGTERM)  # during training the loop handles it, and notes it

        signal.signal(signal.SIGUSR2, announce)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # submitit would ignore it
        try:
            report = work(task)
        except KeyboardInterrupt:  # before the run has begun
            report = {"status": "interrupted"}
        if announced and report["status"] == "interrupted" and callable(queue_again):
            queue_again(*announced[0])
        return report

    def checkpoint(self, task: Task) -> Any:
        return importlib.import_module("submitit.helpers").DelayedSubmission(self, task)
