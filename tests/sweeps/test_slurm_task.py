"""A task that is out of time once too often, or whose SLURM does not queue it again, is half-done and says why."""

from pathlib import Path

import pytest

from neurobench.sweeps import slurm_task
from neurobench.sweeps.work import Task

REPORT = {"status": "interrupted", "job_id": "7_0"}


@pytest.mark.parametrize(
    ("timeouts", "answer", "status", "sentence"),
    [
        (3, "exit 0", "interrupted", ""),
        (3, "echo 'Requested operation not supported' >&2; exit 1", "half-done", "Requested operation not supported"),
        (4, "exit 0", "half-done", "out of time 4 times; --with max_num_timeout=N allows more"),
    ],
)
def test_out_of_time(
    timeouts: int, answer: str, status: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`scontrol` is a script here that answers as SLURM does."""
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f"#!/bin/sh\n{answer}\n")
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    task = Task(0, {}, (), "", str(tmp_path))
    assert slurm_task._queue_again(task, dict(REPORT), timeouts, limit=3) == 143
    report = task.last_report()
    assert (report["status"], report["timeouts"]) == (status, timeouts)
    assert sentence in report.get("error", "")
