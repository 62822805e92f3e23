"""The launcher `ray`: the cluster that RAY_ADDRESS names, else one that is started on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from neurobench.config.targets import import_extra
from neurobench.storage.provenance import cores
from neurobench.sweeps.outcome import Batch, Outcome
from neurobench.sweeps.work import LOST, Task, work


def ray(tasks: Sequence[Task], batch: Batch) -> Iterator[Outcome]:
    """As many at once as the cluster has processors for."""
    ray = import_extra("ray", "ray", "this launcher")
    if not ray.is_initialized():
        address = os.environ.get("RAY_ADDRESS")
        size = {"address": address} if address else {"num_cpus": (batch.workers or 0) * batch.threads or cores()}
        ray.init(**size, include_dashboard=False, log_to_driver=False, logging_level="error")
    remote = ray.remote(num_cpus=batch.threads, max_retries=1, **batch.options)(work)
    waiting = {remote.remote(task): task for task in tasks}
    while waiting:
        (done,), _ = ray.wait(list(waiting), num_returns=1)
        task = waiting.pop(done)
        try:
            yield task, ray.get(done)
        except ray.exceptions.RayError as error:
            yield task, {"status": "lost", "error": f"{LOST}: {str(error).splitlines()[0]}"}
