"""The cores that a job of a sweep takes of its machine, and the number of threads in its configuration."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from neurobench.sweeps import launch
from neurobench.sweeps.job import Task
from neurobench.sweeps.launch import Settings, run_jobs
from neurobench.sweeps.outcome import Batch, Outcome
from neurobench.sweeps.plan import jobs_of


@pytest.mark.parametrize(
    ("words", "launcher", "options", "told", "taken"),
    [
        ((), "local", {}, "auto", 1),
        (("threads=auto",), "local", {}, "auto", 1),
        (("threads=3",), "local", {}, 3, 3),
        ((), "slurm", {}, "auto", 1),
        ((), "slurm", {"cpus_per_task": 4}, 4, 4),
        (("threads=auto",), "slurm", {"cpus_per_task": 4}, 4, 4),
        (("threads=2",), "slurm", {"cpus_per_task": 4}, 2, 2),
        ((), "ray", {"num_cpus": 4}, 4, 4),
        ((), "ray", {"num_cpus": 0}, "auto", 1),
    ],
)
def test_threads_of_a_job_follow_the_given_number_or_else_the_processors_of_a_task(
    words: Sequence[str],
    launcher: str,
    options: dict[str, Any],
    told: int | str,
    taken: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[Any, int]] = []

    def launched(tasks: Sequence[Task], batch: Batch) -> Iterator[Outcome]:
        for task in tasks:
            seen.append((task.config["threads"], batch.threads))
            yield task, {"status": "refused", "error": "not here"}

    monkeypatch.setitem(launch.LAUNCHERS, launcher, launched)
    monkeypatch.setattr(launch, "CHECKS", {})
    jobs = jobs_of(["model=qrbm", "seed=0,1", *words, f"outputs={tmp_path}"])
    run_jobs(jobs, Settings(launcher, options=options), Console(quiet=True))
    assert seen == [(told, taken)] * 2
