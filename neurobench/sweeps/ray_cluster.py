"""The launcher `ray`: the cluster that RAY_ADDRESS names, else one that is started on this machine."""

from __future__ import annotations

import importlib
import math
import os
import platform
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from neurobench.config.errors import UserError, did_you_mean
from neurobench.config.targets import import_extra
from neurobench.storage.provenance import cores
from neurobench.sweeps.job import LOST, Report, Task, stop_file, take_up
from neurobench.sweeps.outcome import Batch, Outcome, awaited
from neurobench.sweeps.sbatch import travelling

OPTIONS = ("num_cpus", "num_gpus", "resources", "memory", "accelerator_type", "max_retries")
TRIES = 3  # attempts at a job whose worker was stopped, as when its node leaves
UNSEEN = "unseen"  # report of a node that cannot see the sweep's folder


def ray(tasks: Sequence[Task], batch: Batch) -> Iterator[Outcome]:
    """Run the tasks on a Ray cluster, as many at once as it has room for."""
    cluster = _Cluster(batch)
    tries: dict[int, int] = {}
    waiting = deque(tasks)
    running: dict[Any, Task] = {}
    while waiting or running:
        while waiting and len(running) < (batch.workers or len(tasks)):
            task = waiting.popleft()
            running[cluster.submit(task)] = task
        try:
            done, report = cluster.next(list(running))
        except KeyboardInterrupt:
            stop_file(tasks[0].sweep).touch()  # in a notebook, the submitted jobs outlive it
            raise
        task = running.pop(done)
        if report["status"] == UNSEEN:
            cluster.exclude(report)
            waiting.appendleft(task)
        elif report["status"] == "interrupted" and tries.setdefault(task.number, 1) < TRIES:
            tries[task.number] += 1
            waiting.append(task)
        elif report["status"] == "interrupted":
            yield task, {**report, "status": "half-done", "error": f"{report['error']} (interrupted {TRIES} times)"}
        else:
            yield task, awaited(report)


class _Cluster:
    """A Ray cluster and its nodes that can run the jobs."""

    def __init__(self, batch: Batch):
        self.ray, self.say = import_extra("ray", "ray", "this launcher"), batch.say
        if not self.ray.is_initialized():
            address = os.environ.get("RAY_ADDRESS")
            each = math.ceil(batch.options.get("num_cpus", batch.threads))
            size = {"address": address} if address else {"num_cpus": (batch.workers or 0) * each or cores()}
            try:
                self.ray.init(**size, include_dashboard=False, log_to_driver=False, logging_level="error")
            except (ConnectionError, ValueError) as error:
                raise UserError(f"launcher ray: {f'RAY_ADDRESS={address}: ' if address else ''}{error}") from None
        options = {"num_cpus": batch.threads, "num_gpus": int(batch.gpu), "max_retries": 3, **batch.options}
        self._refuse_what_no_node_has(options)
        environment = {"env_vars": travelling(batch.threads)}
        self.remote = self.ray.remote(runtime_env=environment, **options)(run_remotely)
        self.here = str(Path.cwd())
        self.excluded: dict[str, str] = {}  # node that cannot see the sweep's folder -> its host
        self.submitted = 0  # tasks submitted to the remaining nodes, in turn

    def submit(self, task: Task) -> Any:
        if not self.excluded:
            return self.remote.remote(task, self.here)
        self.submitted += 1
        nodes = sorted(self._alive() - set(self.excluded))
        strategies = importlib.import_module("ray.util.scheduling_strategies")
        one = strategies.NodeAffinitySchedulingStrategy(nodes[self.submitted % len(nodes)], soft=True)
        return self.remote.options(scheduling_strategy=one).remote(task, self.here)

    def next(self, running: list[Any]) -> tuple[Any, Report]:
        """Wait for one of these to end; return it and its report."""
        (done,), _ = self.ray.wait(running, num_returns=1)
        try:
            return done, self.ray.get(done)
        except self.ray.exceptions.RayError as error:
            cause = str(error).strip().splitlines()[-1].strip()
            return done, {"status": "lost", "error": f"{LOST}: {cause}"}

    def exclude(self, report: Report) -> None:
        """Exclude a report's node from the sweep. Raises UserError if no node is left."""
        if report["node"] not in self.excluded:
            self.say(f"{report['host']} gets none of the jobs: {report['error']}")
        self.excluded[report["node"]] = report["host"]
        if self._alive() <= set(self.excluded):
            raise UserError(f"launcher ray: no node of the cluster can run the jobs: {report['error']}")

    def _alive(self) -> set[str]:
        return {node["NodeID"] for node in self.ray.nodes() if node["Alive"]}

    def _refuse_what_no_node_has(self, options: Mapping[str, Any]) -> None:
        names = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}
        wanted = {names[key]: float(options[key]) for key in names if options.get(key)}
        wanted |= {str(key): float(value) for key, value in (options.get("resources") or {}).items()}
        if kind := options.get("accelerator_type"):
            wanted[f"accelerator_type:{kind}"] = 0.001  # as Ray itself requests it
        nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        if not any(all(node.get(key, 0) >= amount for key, amount in wanted.items()) for node in nodes):
            ask = ", ".join(f"{key} {amount:g}" for key, amount in wanted.items())
            shown = dict.fromkeys(["CPU", "GPU", *wanted])
            known = "; ".join(", ".join(f"{key} {node.get(key, 0):g}" for key in shown) for node in nodes)
            raise UserError(f"launcher ray: no node has {ask}; there is {known}")


def run_remotely(task: Task, here: str) -> Report:
    """Run a task on a node of the cluster, in the folder where the sweep was started."""
    node = import_extra("ray", "ray", "this launcher").get_runtime_context().get_node_id()
    place = {"host": platform.node(), "node": node}
    for folder in (task.sweep, here):
        if not Path(folder).is_dir():
            return {"status": UNSEEN, **place, "error": f"it cannot access {folder}; share it, or set outputs=FOLDER"}
    os.chdir(here)
    return take_up(task, **place)


def check(options: Mapping[str, Any]) -> None:
    """Check the options. Raises UserError if Ray is not installed or an option is unknown or invalid."""
    import_extra("ray", "ray", "this launcher")
    for key in options:
        if key not in OPTIONS:
            hint = did_you_mean(key, OPTIONS)
            raise UserError(f"--with {key}: Ray has no such option here.{hint} There is {', '.join(OPTIONS)}")
    resources = options.get("resources", {})
    if not isinstance(resources, Mapping):
        raise UserError(f"--with resources={resources}: write resources.NAME=NUMBER")
    numbers = {key: options[key] for key in ("num_cpus", "num_gpus", "memory") if key in options}
    for key, value in {**numbers, **{f"resources.{name}": value for name, value in resources.items()}}.items():
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
            raise UserError(f"--with {key}={value} is not a number at least 0")
    tries = options.get("max_retries", 0)
    if not isinstance(tries, int) or isinstance(tries, bool) or tries < -1:
        raise UserError(f"--with max_retries={tries} is not an integer; -1 means without limit")
