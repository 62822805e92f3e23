"""A task that runs out of time too often, or that SLURM does not requeue, is half-done and reports the reason."""

from pathlib import Path

import pytest

from neurobench.sweeps import slurm_task
from neurobench.sweeps.job import Task

REPORT = {"status": "interrupted", "job_id": "7_0"}


@pytest.mark.parametrize(
    ("timeouts", "answer", "status", "sentence"),
    [
        (3, "exit 0", "interrupted", ""),
        (3, "echo 'Requested operation not supported' >&2; exit 1", "half-done", "Requested operation not supported"),
        (4, "exit 0", "half-done", "out of time 4 times; --with max_num_timeout=N allows more"),
    ],
)
def test_a_task_out_of_time_is_requeued_or_half_done_with_the_reason(
    timeouts: int, answer: str, status: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here, `scontrol` is a script that answers as SLURM does."""
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f"#!/bin/sh\n{answer}\n")
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    task = Task(0, {}, (), "", str(tmp_path))
    assert slurm_task._queue_again(task, dict(REPORT), timeouts, limit=3) == 143
    report = task.last_report()
    assert (report["status"], report["timeouts"]) == (status, timeouts)
    assert sentence in report.get("error", "")


def test_jobs_after_one_that_is_out_of_time_are_reported_as_not_begun(tmp_path: Path) -> None:
    """With jobs_per_task=3; SLURM itself would only say that the process has failed."""
    first, *rest = (Task(number, {}, (), "", str(tmp_path)) for number in range(3))
    slurm_task._queue_again(first, dict(REPORT), 4, 3, rest)
    for task in rest:
        assert task.last_report()["status"] == "timed out"
        assert "not begun: the job before it in this task was out of time 4 times" in task.last_report()["error"]
