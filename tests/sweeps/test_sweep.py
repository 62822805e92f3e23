"""Promises of `neurobench sweep`, tested with real processes: kills cost time and nothing else."""

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from neurobench.data.dataset import DataError
from neurobench.experiment.loop import deferred_interrupts
from neurobench.experiment.request import plan_of
from neurobench.sweeps import local
from neurobench.sweeps.job import ORPHAN_S, Task, attempt, work
from neurobench.sweeps.outcome import Batch
from neurobench.sweeps.sbatch import POOLS
from tests.cli.conftest import Neurobench, command, environment, neurobench  # noqa: F401  (a fixture)

JOBS = ("model=toy", "seed=range(4)", "training.epochs=3", "training.checkpoint_every=0", "model.pause=0.004")


def start(where: Path, *words: str) -> subprocess.Popen:
    return subprocess.Popen(
        command("sweep", *words), cwd=where, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,
    )  # fmt: skip


def results(where: Path, outputs: str = "outputs") -> dict[int, Any]:
    """Map the seed of each run to its metrics."""
    told = [json.loads(file.read_text()) for file in where.glob(f"{outputs}/*/*/result.json")]
    assert len({result["seed"] for result in told}) == len(told), "a job was run twice"
    return {result["seed"]: result["metrics"] for result in told}


def reports(where: Path) -> list[dict[str, Any]]:
    return [json.loads(file.read_text()) for file in where.glob("outputs/.sweeps/*/*.json")]


def await_running(where: Path, child: subprocess.Popen, epoch: int = 1) -> dict[str, Any]:
    """Wait until a job has finished an epoch, and return its report."""
    deadline = time.monotonic() + 240  # enough for a busy machine
    while time.monotonic() < deadline and child.poll() is None:
        for report in reports(where):
            if report["status"] == "running" and report.get("epoch", 0) >= epoch:
                return report
        time.sleep(0.02)
    raise AssertionError("no job closed an epoch")


def await_gone(where: Path) -> None:
    """Wait until the workers have ended: they hold the locks of their runs until then."""
    workers = {report["pid"] for report in reports(where) if "pid" in report}
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < deadline, "a worker goes on without its parent"
        time.sleep(0.05)


def test_killed_sweeps_end_with_the_results_of_an_undisturbed_one(neurobench: Neurobench, tmp_path: Path) -> None:  # noqa: F811
    moments = random.Random(3)
    for _ in range(2):
        child = start(tmp_path, *JOBS, "--workers", "2")
        await_running(tmp_path, child)
        time.sleep(moments.uniform(0, 0.3))
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        await_gone(tmp_path)
    plan = neurobench("sweep", *JOBS, "--dry-run", "--json")
    states = [job["state"] for job in json.loads(plan.stdout)]
    assert "half-done" in states
    done = neurobench("sweep", *JOBS, "--workers", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 of 4 jobs finished" in done.stdout
    assert neurobench("sweep", *JOBS, "outputs=calm", "--workers", "1").returncode == 0
    assert json.dumps(results(tmp_path), sort_keys=True) == json.dumps(results(tmp_path, "calm"), sort_keys=True)
    assert "mean ± standard deviation over seeds" in done.stdout, "the end of a sweep is a table"
    again = neurobench("sweep", *JOBS)
    assert "4 of 4 jobs finished (4 of them before)" in again.stdout
    multirun = neurobench("run", "-m", *JOBS)
    assert multirun.stdout.count("already finished") == 4, "plain -m skips what is finished as well"


def test_the_job_of_a_killed_worker_is_tried_again(tmp_path: Path) -> None:
    child = start(tmp_path, *JOBS, "--workers", "2")
    victim = await_running(tmp_path, child)
    os.kill(victim["pid"], signal.SIGKILL)
    told, _ = child.communicate(timeout=600)
    assert child.returncode == 0, told
    assert "4 of 4 jobs finished" in told
    assert sorted(results(tmp_path)) == [0, 1, 2, 3]


def test_workers_whose_parent_was_killed_save_their_runs_and_end_at_once_without_warnings(
    tmp_path: Path,
) -> None:
    endless = ("model=toy", "training.epochs=1000000", "training.checkpoint_every=0", "model.pause=0.004", "seed=0,1")
    child = start(tmp_path, *endless, "--workers", "2")
    await_running(tmp_path, child)
    os.kill(child.pid, signal.SIGKILL)
    killed = time.monotonic()
    told, _ = child.communicate(timeout=600)  # until the last process that has the pipe open has ended
    await_gone(tmp_path)
    assert time.monotonic() - killed < ORPHAN_S, "their runs were saved long ago"
    assert "warn" not in told.lower()
    assert "Traceback" not in told


def test_a_sweep_names_the_combinations_that_it_left_out_as_computing_the_same(neurobench: Neurobench) -> None:  # noqa: F811
    told = neurobench("sweep", "model=toy", "kernels=exact,fast", "training.epochs=1")
    assert told.returncode == 0, told.stderr
    summary, left_out = told.stdout.split("left out, as it computes the same as an earlier job")
    assert "1 of 1 jobs finished" in summary
    assert "model=toy kernels=fast training.epochs=1" in left_out
    assert "left out" not in neurobench("sweep", "model=toy", "training.epochs=1").stdout


def test_a_failed_job_stops_the_other_jobs_only_with_fail_fast(neurobench: Neurobench) -> None:  # noqa: F811
    words = ("model=toy", "model.explode_at=3,null", "seed=0,1", "--workers", "1")
    fast = neurobench("sweep", *words, "--fail-fast")
    assert fast.returncode == 1
    assert "left alone: model=toy model.explode_at=null seed=1" in fast.stdout
    assert "diverged at update 3" in fast.stdout
    slow = neurobench("sweep", *words)
    assert slow.returncode == 1
    assert "2 of 4 jobs finished" in slow.stdout
    assert "failed: model=toy model.explode_at=3 seed=1" in slow.stdout
    assert "Traceback" not in slow.stdout + slow.stderr


def test_ctrl_c_ends_a_sweep_with_code_130_and_marks_its_run_as_interrupted(tmp_path: Path) -> None:
    child = start(tmp_path, *JOBS, "--workers", "1")
    await_running(tmp_path, child)
    os.killpg(child.pid, signal.SIGINT)
    told, _ = child.communicate(timeout=240)
    assert child.returncode == 130, told
    assert "Traceback" not in told
    (record,) = [json.loads(file.read_text()) for file in tmp_path.glob("outputs/toy*/*/run.json")]
    assert record["status"] == "interrupted"


@pytest.mark.parametrize("launcher", ["local", "submitit-local"])
def test_a_kill_of_the_sweep_command_alone_interrupts_its_running_jobs_and_starts_no_others(
    launcher: str, tmp_path: Path
) -> None:
    pytest.importorskip("submitit")
    endless = ("model=toy", "training.epochs=1000000", "training.checkpoint_every=0", "model.pause=0.004")
    child = start(tmp_path, *endless, "seed=0,1,2", "--workers", "1", "--launcher", launcher)
    await_running(tmp_path, child)
    child.send_signal(signal.SIGTERM)
    told, _ = child.communicate(timeout=240)
    assert child.returncode == 130, told
    assert "Traceback" not in told
    statuses = {report["status"] for report in reports(tmp_path)}
    assert statuses <= {"interrupted", "left alone"}, "local workers report those that they have not started"
    assert "interrupted" in statuses
    assert len(list(tmp_path.glob("outputs/toy*/*/checkpoint.pt"))) == 1
    assert "stopped after" in next(report["error"] for report in reports(tmp_path) if "error" in report)


def test_jobs_of_submitit_local_that_are_still_starting_do_not_run_once_the_sweep_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have no report yet, by which they could be told to stop."""

    def killed() -> bool:
        raise KeyboardInterrupt(signal.SIGTERM)

    started = SimpleNamespace(
        update_parameters=lambda **_: None, submit=lambda *_: SimpleNamespace(job_id="1", done=killed)
    )
    monkeypatch.setattr(local, "import_extra", lambda *_: SimpleNamespace(AutoExecutor=lambda **_: started))
    task = Task(0, {}, (), "", str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        list(local.submitit_local([task], Batch(1, 1, print)))
    assert work(task)["status"] == task.last_report()["status"] == "left alone"


@pytest.mark.parametrize(("status", "is_queued_again"), [("interrupted", True), ("finished", False)])
def test_a_job_of_submitit_local_that_is_out_of_time_leaves_a_checkpoint_before_it_is_queued_again(
    status: str, is_queued_again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Submitit's handler of SIGUSR2 ends the process at once, which the run would take for its failure."""

    def run(task: Task) -> dict[str, str]:
        with deferred_interrupts() as interruption:
            os.kill(os.getpid(), signal.SIGUSR2)
            assert interruption.requested
        return {"status": status}

    for name in POOLS:
        monkeypatch.setenv(name, "1")
    monkeypatch.setattr(local, "run_one_command", lambda as_worker: None)
    monkeypatch.setattr(local, "work", run)
    queued_again: list[Any] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGUSR2, signal.SIGTERM)}
    try:
        signal.signal(signal.SIGUSR2, lambda *given: queued_again.append(given))
        assert local._Requeued(1)(Task(0, {}, (), "", ""))["status"] == status
        assert bool(queued_again) == is_queued_again
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_job_whose_data_cannot_be_read_for_comparison_fails_and_the_others_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before it has a folder: a run is looked up whose data have changed since."""

    def compare(*_: Any) -> None:
        raise DataError("3.png: is not a readable image")

    monkeypatch.setattr("neurobench.experiment.execute.execute", compare)
    report = attempt(lambda: plan_of(["model=toy"])[0], Console(quiet=True))
    assert report == {"status": "failed", "error": "3.png: is not a readable image"}


def test_the_submitit_local_launcher_finishes_every_job(tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    words = command("sweep", "model=toy", "seed=0,1", "--launcher", "submitit-local", "--json")
    done = subprocess.run(words, cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [job["status"] for job in json.loads(done.stdout)] == ["finished", "finished"]
    assert sorted(results(tmp_path)) == [0, 1]


def test_a_malformed_launcher_option_and_zero_workers_are_refused(neurobench: Neurobench) -> None:  # noqa: F811
    assert "write KEY=VALUE" in neurobench("sweep", "model=toy", "--with", "partition").stderr
    assert "at least 1" in neurobench("sweep", "model=toy", "--workers", "0").stderr


def test_a_worker_serves_the_next_sweep_in_that_sweeps_folder_and_with_its_command(
    neurobench: Neurobench,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NEUROBENCH_ALLOW", raising=False)  # a module that is allowed by name may be in the folder
    workers = set()
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        assert neurobench("sweep", "model=toy", "scale=smoke", f"name={name}", "--workers", "1").returncode == 0
        (report,) = reports(tmp_path / name)
        workers.add(report["pid"])
        (record,) = (tmp_path / name).glob(f"outputs/{name}/*/run.json")
        assert f"name={name}" in json.loads(record.read_text())["command"]
    assert len(workers) == 1


def test_a_job_of_two_simultaneous_sweeps_is_computed_once(neurobench: Neurobench, tmp_path: Path) -> None:  # noqa: F811
    words = (*JOBS[:1], "seed=0", *JOBS[2:])
    first = start(tmp_path, *words, "--workers", "1")
    await_running(tmp_path, first)
    second = neurobench("sweep", *words, "--workers", "1")
    assert second.returncode == 0, second.stdout + second.stderr
    assert "running elsewhere" in second.stdout
    told, _ = first.communicate(timeout=600)
    assert first.returncode == 0, told
    assert sorted(results(tmp_path)) == [0]


def test_a_run_resumed_by_three_processes_at_once_is_computed_once(tmp_path: Path) -> None:
    run = command("run", "model=toy", "scale=smoke", "--resume")
    three = [
        subprocess.Popen(
            run, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for _ in range(3)
    ]
    told = [child.communicate(timeout=600)[0] for child in three]
    assert len(list(tmp_path.glob("outputs/toy*/2*"))) == 1
    for child, text in zip(three, told, strict=True):
        assert child.returncode == 0 or "is being written by process" in text
        assert "Traceback" not in text
