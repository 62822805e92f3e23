"""Promises of `sweep --launcher slurm`, tested on a real SLURM cluster that the tests start themselves."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from neurobench.experiment.execute import execute
from neurobench.sweeps.plan import jobs_of
from tests.cli.conftest import command, environment
from tests.sweeps.slurm_cluster import missing, slurm_cluster
from tests.sweeps.test_sweep import results

pytestmark = pytest.mark.skipif(
    bool(missing()), reason=f"SLURM is not installed (no {', '.join(missing())}): apt-get install slurm-wlm munge"
)
LONG = ("model=toy", "training.epochs=6", "training.checkpoint_every=0", "model.pause=0.008")
SLURM = ("--launcher", "slurm")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with slurm_cluster(tmp_path_factory.mktemp("slurm"), max_array_size=3) as env:
        yield env


class Sweeps:
    """`neurobench sweep --launcher slurm` in a folder, and SLURM's own commands."""

    def __init__(self, where: Path, env: dict[str, str]):
        self.where, self.env = where, {**environment(), **env}
        self.started: list[subprocess.Popen] = []

    def run(self, *words: str, **env: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            command("sweep", *words, *SLURM), cwd=self.where, env={**self.env, **env}, capture_output=True, text=True,
            timeout=300,
        )  # fmt: skip

    def start(self, *words: str) -> subprocess.Popen:
        child = subprocess.Popen(
            command("sweep", *words, *SLURM), cwd=self.where, env=self.env, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        self.started.append(child)
        return child

    def ask(self, *words: str) -> str:
        return subprocess.run(words, env=self.env, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def sweeps(cluster: dict[str, str], tmp_path: Path) -> Iterator[Sweeps]:
    here = Sweeps(tmp_path, cluster)
    yield here
    here.ask("scancel", f"--user={os.getuid()}")
    for child in here.started:
        child.kill()


class Queue:
    """SLURM's queue and the tasks' reports, and waiting until they meet a condition."""

    def __init__(self, sweeps: Sweeps):
        self.sweeps = sweeps

    def pending(self) -> set[str]:
        """Tasks that wait in the queue."""
        rows = self.sweeps.ask("squeue", "--noheader", "--array", "--states=PENDING", "--format=%i")
        return set(rows.split())

    def arrays(self) -> list[str]:
        """Ids of this sweep's job arrays."""
        files = self.sweeps.where.glob("outputs/.sweeps/*/queue/array-*.json")
        return [array["id"] for array in map(json.loads, map(Path.read_text, files)) if array["id"]]

    def reports(self) -> dict[int, dict[str, Any]]:
        files = self.sweeps.where.glob("outputs/.sweeps/*/*.json")
        return {int(file.stem): json.loads(file.read_text()) for file in files}

    def training(self) -> dict[int, dict[str, Any]]:
        """Jobs that have finished an epoch and have not ended."""
        return {n: each for n, each in self.reports().items() if each["status"] == "running" and each.get("epoch")}

    def until(self, holds: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + 240
        while not holds():
            assert time.monotonic() < deadline, f"{what}: {self.sweeps.ask('squeue', '--array')} {self.reports()}"
            time.sleep(0.05)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Any]:
    """Seed -> metrics of these jobs, run in one process of this machine."""
    where = tmp_path_factory.mktemp("undisturbed")
    with contextlib.chdir(where):
        for job in jobs_of([*LONG[:-1], "seed=range(4)"]):  # without the pauses
            assert job.plan is not None
            execute(job.plan, Console(quiet=True))
    return results(where)


def test_a_detached_sweep_of_eight_jobs_is_submitted_shown_by_status_and_followed(sweeps: Sweeps) -> None:
    """An array has at most three tasks here (MaxArraySize 3), all at once if the cluster has room; two short runs share
    a task and the modules that it has loaded, and none needs the environment that sbatch exports."""
    words = ("model=toy", "seed=range(8)")
    detached = sweeps.run(*words, "--detach", "--with", "jobs_per_task=2", SBATCH_EXPORT="NONE")
    assert detached.returncode == 0, detached.stdout + detached.stderr
    arrays = detached.stdout.partition("scancel ")[2].splitlines()[0].split()
    assert len(arrays) == 2
    assert "ArrayTaskThrottle" not in sweeps.ask("scontrol", "show", "job", "--oneliner")
    status = json.loads(sweeps.run("--status", "--json").stdout)
    assert [job["status"] in ("pending", "running") for job in status["jobs"]] == [True] * 8
    done = sweeps.run(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "submitted" not in done.stdout
    assert "8 of 8 jobs finished" in done.stdout
    assert "toy on yin_yang" in sweeps.run("--logs", "2").stdout


@pytest.mark.slow
def test_disturbed_slurm_tasks_resume_and_cancelled_and_killed_ones_are_told_apart(
    sweeps: Sweeps, undisturbed: dict[int, Any]
) -> None:
    """Four jobs in two arrays: one is preempted by a partition of higher priority, one runs out of time, one is
    cancelled and one is killed by SIGKILL. The first two are requeued and finish with undisturbed results; the command
    ends, and when repeated it finishes the others."""
    queue = Queue(sweeps)
    first = sweeps.start(*LONG, "seed=range(4)")
    queue.until(lambda: len(queue.training()) == 4, "all four train")
    jobs = {report["job_id"]: number for number, report in queue.reports().items()}
    sweeps.ask("sbatch", "--partition=urgent", "--output=/dev/null", "--wrap=true")  # the node is full
    queue.until(lambda: jobs.keys() & queue.pending(), "one is preempted")
    (preempted,) = jobs.keys() & queue.pending()
    late, cancelled, killed = sorted(jobs.keys() - {preempted})
    sweeps.ask("scancel", "--batch", "--signal=USR2", late)
    sweeps.ask("scancel", cancelled)
    os.kill(queue.reports()[jobs[killed]]["pid"], signal.SIGKILL)
    told, _ = first.communicate(timeout=300)
    assert first.returncode == 1, told
    assert "2 of 4 jobs finished" in told
    assert f"SLURM job {cancelled}: cancelled (scancel)" in told
    assert f"SLURM job {killed}: the process ended without a message" in told
    assert "killed by signal 9" in told
    assert queue.reports()[jobs[late]]["timeouts"] == 1
    again = sweeps.run(*LONG, "seed=range(4)")
    assert "4 of 4 jobs finished (2 of them before)" in again.stdout, again.stdout + again.stderr
    assert json.dumps(results(sweeps.where), sort_keys=True) == json.dumps(undisturbed, sort_keys=True)


def test_jobs_of_a_killed_sweep_command_are_followed_by_the_repeated_command(sweeps: Sweeps) -> None:
    queue = Queue(sweeps)
    words = ("model=toy", "seed=range(2)", "--workers", "1")
    first = sweeps.start(*words)
    queue.until(lambda: len(queue.arrays()) == 1, "both are in the queue")
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    plan = json.loads(sweeps.run(*words, "--dry-run", "--json").stdout)
    assert plan[1]["state"] == "queued elsewhere"
    done = sweeps.run(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "submitted" not in done.stdout
    assert "2 of 2 jobs finished" in done.stdout
    assert len(list(sweeps.where.glob("outputs/toy*/*"))) == 2, "a folder a seed"


@pytest.mark.slow
def test_slurm_jobs_continue_after_ctrl_c_until_they_are_cancelled(sweeps: Sweeps) -> None:
    queue = Queue(sweeps)
    child = sweeps.start(*LONG, "seed=0,1", "--workers", "1")
    queue.until(queue.arrays, "they are in the queue")
    time.sleep(1)
    child.send_signal(signal.SIGINT)
    told, _ = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "the jobs continue in SLURM: neurobench sweep --status" in told
    board = sweeps.run("--status").stdout
    assert f"{queue.arrays()[0]}_0" in board
    assert "pending (JobArrayTaskLimit)" in board
    assert "2 jobs cancelled" in sweeps.run("--cancel").stdout
    queue.until(lambda: "cancelled (scancel)" in sweeps.run("--status").stdout, "the board says it")
