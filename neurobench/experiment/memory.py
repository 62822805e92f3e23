"""Check that a run fits into this machine's memory, by its plan, before anything is allocated."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from neurobench.data.dataset import DatasetSpec
from neurobench.models.learner import ModelSpec, Task

WEIGHT = 16  # bytes: float32, its gradient, and the two moments of Adam
CONTROL_GROUPS = Path("/sys/fs/cgroup")
OF_THIS_PROCESS = Path("/proc/self/cgroup")  # lines NUMBER:CONTROLLERS:/PATH; version 2 names no controllers


def machine_memory() -> int:
    """Bytes of memory that this process may use: the machine's, or the limit of its container or cluster job."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in _limiting_files():
        with contextlib.suppress(OSError, ValueError):  # absent, or "max"
            limits.append(int(path.read_text()))
    return min(limits)


def _limiting_files() -> list[Path]:
    """Limit files of this process's control group and of each one above it: the smallest limit applies."""
    files = [CONTROL_GROUPS / "memory.max", CONTROL_GROUPS / "memory/memory.limit_in_bytes"]
    with contextlib.suppress(OSError):  # not Linux
        for line in OF_THIS_PROCESS.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and "memory" not in controllers.split(","):
                continue
            top, name = files[1 if controllers else 0].parent, files[1 if controllers else 0].name
            group = top / path.strip("/")
            files += [folder / name for folder in (group, *group.parents) if folder.is_relative_to(top)]
    return files


def memory_fault(name: str, model: ModelSpec, dataset: DatasetSpec, task: Task, samples: int = 0) -> str | None:
    """Reason why a run does not fit, with the keys that need most; or None. A lower bound: only what a key makes large
    without bound is counted. `name`: of the model. `samples`: to train on; 0 before the data are read."""
    demand = model.demand(task)
    requested = {f"dataset.{key}": n for key, n in dataset.memory().items()}
    requested |= {f"model.{key}": n for key, n in model.memory(task, samples).items()}
    if demand.layers:
        layers = " x ".join(f"{n:,}" for n in demand.layers)
        requested[f"model={name} with layers of {layers} units"] = WEIGHT * demand.synapses
    available = machine_memory()
    if sum(requested.values()) <= available:
        return None
    largest = sorted(((n, key) for key, n in requested.items() if n > available / 10), reverse=True)
    needs = "; ".join(f"{key} takes {n / 2**30:,.1f} GiB" for n, key in largest)
    return f"{needs}: this machine has {available / 2**30:.1f} GiB. Make it smaller, or use a larger machine."
