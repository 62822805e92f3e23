"""States of the tasks of SLURM arrays. They come from `squeue`, which needs no accounting; those that it has
forgotten (MinJobAge, usually five minutes) from `sacct` if the cluster keeps accounts."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Collection, Sequence
from typing import NamedTuple

from neurobench.config.errors import UserError

# States of a task that has not ended (squeue, "JOB STATE CODES"); every other one is final.
ACTIVE = (
    "PENDING", "RUNNING", "SUSPENDED", "COMPLETING", "CONFIGURING", "STOPPED", "RESIZING", "SIGNALING", "STAGE_OUT",
    "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD",
)  # fmt: skip
FORMAT = "%F|%K|%T|%r|%N|%j"
# State of SLURM -> status of the report and its message.
ENDS = {
    "CANCELLED": ("cancelled", "cancelled (scancel)"),
    "TIMEOUT": ("timed out", "out of time: give more, --with timeout_min=MINUTES"),
    "DEADLINE": ("timed out", "its deadline has passed"),
    "OUT_OF_MEMORY": ("out of memory", "out of memory: give more, --with mem_gb=GIGABYTES"),
    "PREEMPTED": ("preempted", "preempted, and the cluster does not queue such jobs again"),
    "NODE_FAIL": ("lost", "its node failed"),
    "BOOT_FAIL": ("lost", "its node did not boot"),
}


class TaskState(NamedTuple):
    """A task of an array as reported by SLURM."""

    array_id: str
    task: int  # index within the array
    state: str  # SLURM's term: PENDING, RUNNING, COMPLETED, ...
    reason: str  # why it is pending
    host: str

    @property
    def job_id(self) -> str:
        return f"{self.array_id}_{self.task}"

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE


def ask(words: Sequence[str], seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """Run one of SLURM's commands. Raises UserError if it is not installed or does not answer."""
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise UserError(
            f"launcher slurm: this machine has no SLURM (there is no {words[0]} on the path). Log in to the cluster, "
            "or take the launcher local, submitit-local or ray."
        ) from None
    except subprocess.TimeoutExpired:
        raise UserError(f"launcher slurm: {words[0]} has not answered in {seconds:.0f} s") from None


def own_words(answer: subprocess.CompletedProcess[str]) -> str:
    """Message of a command that failed, on one line."""
    lines = (answer.stderr.strip() or answer.stdout.strip()).splitlines()
    return "; ".join(line.removeprefix("sbatch: error: ").strip() for line in lines) or f"exit {answer.returncode}"


def task_states(names: Collection[str] = ()) -> dict[tuple[str, int], TaskState] | None:
    """State of each task that SLURM remembers, by (array's name, index), for the newest array of a name; None if SLURM
    does not answer at the moment. `names`: of arrays, whoever has submitted them; without, all tasks of this user."""
    if shutil.which("squeue") is None:
        return None
    try:
        which = f"--name={','.join(sorted(names))}" if names else f"--user={os.getuid()}"
        answer = ask(["squeue", "--noheader", "--array", "--states=all", which, f"--format={FORMAT}"])
    except UserError:
        return None
    if answer.returncode:
        return None
    states: dict[tuple[str, int], TaskState] = {}
    for line in answer.stdout.splitlines():
        array_id, index, state, reason, host, name = line.strip().split("|", 5)
        if index.isdigit():
            states[name, int(index)] = TaskState(array_id, int(index), state, reason, host)
    return states


def forgotten_state(job_id: str) -> str:
    """State, according to accounting, of a task that squeue no longer lists; "" if the cluster keeps no accounts, or
    they do not answer."""
    if shutil.which("sacct") is None:
        return ""
    try:
        answer = ask(["sacct", "--noheader", "--parsable2", "--allocations", f"--jobs={job_id}", "--format=State"])
    except UserError:
        return ""
    words = answer.stdout.split()
    return words[0] if answer.returncode == 0 and words else ""


def exit_of(job_id: str) -> str:
    """How a task that failed ended: "exit code 1", "killed by signal 9", or "" if SLURM does not say."""
    try:
        answer = ask(["scontrol", "show", "job", "--oneliner", job_id])
    except UserError:
        return ""
    codes = [word.partition("=")[2] for word in answer.stdout.split() if word.startswith("ExitCode=")]
    if answer.returncode or not codes:
        return ""
    code, _, number = codes[0].partition(":")
    return f"killed by signal {number}" if number not in ("", "0") else f"exit code {code}"


def max_array_size() -> int:
    """Maximum number of tasks in one array."""
    answer = ask(["scontrol", "show", "config"])
    sizes = [line.partition("=")[2] for line in answer.stdout.splitlines() if line.startswith("MaxArraySize")]
    if answer.returncode or not sizes:
        raise UserError(f"launcher slurm: SLURM does not answer: {own_words(answer)}")
    return int(sizes[0])


def cancel(ids: Sequence[str]) -> None:
    """Cancel arrays or tasks. Raises UserError with SLURM's message."""
    answer = ask(["scancel", *ids])
    if answer.returncode:
        raise UserError(f"launcher slurm: scancel {' '.join(ids)}: {own_words(answer)}")
