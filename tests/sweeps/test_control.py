"""Promises of `sweep --status`, `--cancel` and `--logs`, and of following tasks, with scripts in place of SLURM's
commands: they answer what SLURM would, also minutes and days later."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from neurobench.config.errors import UserError
from neurobench.sweeps import sbatch, slurm
from neurobench.sweeps.job import Task
from neurobench.sweeps.outcome import Batch
from neurobench.sweeps.record import Entry, SweepRecord, find_sweep, new_array, read_sweep, write_array
from neurobench.sweeps.sbatch import Request
from neurobench.sweeps.status import cancel_sweep, standings
from tests.cli.conftest import Neurobench, neurobench  # noqa: F401  (a fixture)

Commands = Callable[..., None]


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Function that puts scripts in place of commands: squeue="echo ..."."""

    def write(**scripts: str) -> None:
        (tmp_path / "bin").mkdir(exist_ok=True)
        for name, script in scripts.items():
            (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / "bin" / name).chmod(0o755)

    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    write(squeue="exit 0", sacct="exit 1", scontrol="exit 1", scancel="exit 0")
    return write


def sweep(outputs: Path, *overrides: str, groups: tuple[tuple[int, ...], ...] = (), launcher: str = "slurm") -> Path:
    """A sweep with one job for each override; on SLURM as array 7, with these jobs behind each of its indices."""
    folder = outputs / ".sweeps" / "20260131-120000-000000"
    entries = tuple(Entry(number, (override,), "toy", "h") for number, override in enumerate(overrides))
    SweepRecord(folder, launcher, "neurobench sweep", os.uname().nodename, os.getpid(), entries).write()
    if groups:
        write_array(folder, slurm.replace(new_array(folder, 0, groups), id="7"))
    return folder


def squeue(folder: Path, *states: str) -> str:
    """Script that lists tasks in these states to whoever asks for them by the name of the array."""
    lines = [f"7|{index}|{state}|None|n1|neurobench-{folder.name}-0" for index, state in enumerate(states)]
    return f'case "$*" in *--name=neurobench-{folder.name}-0*) printf "%s\\n" ' + " ".join(map(repr, lines)) + ";; esac"


def statuses(folder: Path) -> list[str]:
    return [report["status"] for report in standings(read_sweep(folder))]


def report(sweep: Path, number: int, **entries: Any) -> None:
    Task(number, {}, (), "", str(sweep)).write_report({"begun": 0.0, **entries})


def test_another_users_sweep_is_shown_as_slurm_lists_it(commands: Commands, tmp_path: Path) -> None:
    """squeue lists another user's tasks unless they are restricted to one's own (--user)."""
    folder = sweep(tmp_path, "seed=0", "seed=1", groups=((0,), (1,)))
    report(folder, 0, status="running", job_id="7_0")
    commands(squeue=squeue(folder, "RUNNING", "PENDING"))
    assert statuses(folder) == ["running", "pending"]


def test_cancel_counts_jobs_and_the_cancelled_ones_are_still_shown_once_slurm_has_forgotten_them(
    commands: Commands, tmp_path: Path
) -> None:
    """Five jobs in three tasks: of the first, one job has finished and one is stopped; the others have not begun."""
    folder = sweep(tmp_path, *(f"seed={n}" for n in range(5)), groups=((0, 1), (2, 3), (4,)))
    report(folder, 0, status="finished", folder="")
    report(folder, 1, status="interrupted", job_id="7_0", error="stopped")
    commands(squeue=squeue(folder, "RUNNING", "PENDING", "PENDING"), scancel=f"echo $* > {tmp_path}/ids")
    assert cancel_sweep(read_sweep(folder)) == "4 jobs cancelled"
    assert (tmp_path / "ids").read_text() == "7_0 7_1 7_2\n"
    commands(squeue="exit 0")
    assert statuses(folder) == ["finished", "half-done", "cancelled", "cancelled", "cancelled"]
    told = standings(read_sweep(folder))[1]["error"]
    assert told == "SLURM job 7_0: stopped; the scheduler no longer knows why. The same command resumes it."
    assert cancel_sweep(read_sweep(folder)) == "none of its jobs is in the queue any more"


def test_a_task_that_never_began_is_looked_up_in_the_accounts_by_the_id_of_its_array(
    commands: Commands, tmp_path: Path
) -> None:
    folder = sweep(tmp_path, "seed=0", groups=((0,),))
    commands(sacct='case "$*" in *--jobs=7_0*) echo "CANCELLED by 1000";; esac')
    (told,) = standings(read_sweep(folder))
    assert (told["status"], told["job_id"]) == ("cancelled", "7_0")


def test_a_task_that_slurm_forgot_before_it_began_is_said_to_be_perhaps_cancelled(
    commands: Commands, tmp_path: Path
) -> None:
    """squeue no longer lists tasks of an array that were cancelled while they were pending."""
    folder = sweep(tmp_path, "seed=0", groups=((0,),))
    (told,) = standings(read_sweep(folder))
    assert told["status"] == "lost"
    assert "SLURM job 7_0: is no longer known to the scheduler" in told["error"]
    assert "perhaps it was cancelled before it began. The same command submits it" in told["error"]


def test_accounts_that_do_not_answer_end_no_waiting_command(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(words: list[str], seconds: float = 60) -> Any:
        raise UserError(f"{words[0]} has not answered")

    monkeypatch.setattr("neurobench.sweeps.scheduler.ask", silent)
    for state in ("", "FAILED"):
        task = Task(0, {}, (), "", str(sweep(tmp_path, "seed=0")), ("a", 0), "7_0")
        states = {("a", 0): slurm.TaskState("7", 0, state, "None", "n1")} if state else {}
        assert slurm.standing(task, states)["status"] == "lost"


def test_a_sweep_whose_jobs_have_all_ended_is_shown_without_slurm(commands: Commands, tmp_path: Path) -> None:
    folder = sweep(tmp_path, "seed=0", groups=((0,),))
    commands(squeue="exit 1")
    with pytest.raises(UserError, match="SLURM does not answer"):
        standings(read_sweep(folder))
    report(folder, 0, status="finished", folder="")
    assert statuses(folder) == ["finished"]


def test_jobs_that_no_node_can_run_are_refused_and_leave_no_record_that_status_would_take_for_the_newest(
    commands: Commands,
    neurobench: Neurobench,  # noqa: F811
    tmp_path: Path,
) -> None:
    """sbatch queues a job with too many processors, to wait forever, unless it is asked with --test-only."""
    earlier = sweep(tmp_path / "outputs", "seed=7", launcher="local")
    wrong = "echo 'allocation failure: Requested node configuration is not available' >&2; exit 1"
    commands(
        sbatch=f'case "$*" in *--test-only*--cpus-per-task=64*) {wrong};; *--test-only*) ;; *) echo 8;; esac',
        scontrol="echo 'MaxArraySize = 1001'",
    )
    told = neurobench("sweep", "model=toy", "threads=64", "--launcher", "slurm", "--detach")
    assert told.returncode == 2
    assert "Requested node configuration is not available" in told.stderr
    assert find_sweep(tmp_path / "outputs", "latest").folder.name == earlier.name
    told = neurobench("sweep", "model=toy", "--launcher", "submitit-local", "--with", "partitoin=long")
    assert "partitoin" in told.stderr
    assert find_sweep(tmp_path / "outputs", "latest").folder.name == earlier.name
    told = neurobench("sweep", "model=toy", "outputs=a,b", "--launcher", "slurm", "--detach")
    assert (told.returncode, told.stderr) == (2, TWO_FOLDERS)
    assert neurobench("sweep", "model=toy", "threads=2", "--launcher", "slurm", "--detach").returncode == 0


TWO_FOLDERS = "neurobench sweep: launcher slurm: outputs=a,b: start a sweep for each folder\n"


def test_a_report_that_lags_behind_a_completed_task_is_awaited(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = sweep(tmp_path, "seed=0", groups=((0,),))
    commands(squeue=squeue(folder, "COMPLETED"))
    monkeypatch.setattr(slurm, "GRACE_S", 0.0)
    monkeypatch.setattr(slurm, "POLL_S", 0.0)
    task = Task(0, {}, (), "", str(folder)).queued_as(new_array(folder, 0, ((0,),)), 0)
    seen = []
    for _, told in slurm.follow([task]):
        seen.append(told["status"])
        report(folder, 0, status="failed", error="diverged")  # visible only now
    assert seen == ["running", "failed"]


def test_a_report_that_cannot_be_read_at_the_moment_is_taken_for_none(tmp_path: Path) -> None:
    """As a stale file handle on NFS; here it is a folder."""
    (tmp_path / "0.json").mkdir()
    assert Task(0, {}, (), "", str(tmp_path)).last_report() == {}


@pytest.mark.parametrize(
    "words", [("--status", "outputs={}"), ("outputs={}", "--status"), ("--logs", "0", "outputs={}")]
)
def test_outputs_may_follow_the_option_as_the_page_on_clusters_says(
    words: tuple[str, ...],
    neurobench: Neurobench,  # noqa: F811
    tmp_path: Path,
) -> None:
    folder = sweep(tmp_path / "my runs", "dataset.root=my data", launcher="local")
    (folder / "0.log").write_text("its log\n")
    told = neurobench("sweep", *(word.format(tmp_path / "my runs") for word in words))
    assert told.returncode == 0, told.stderr
    assert "its log" in told.stdout or f"--logs JOB {folder.name} 'outputs={tmp_path / 'my runs'}'" in told.stdout


def test_status_as_json_lists_overrides_with_blanks_whole(neurobench: Neurobench, tmp_path: Path) -> None:  # noqa: F811
    sweep(tmp_path / "outputs", "dataset.root=my data", launcher="local")
    (job,) = json.loads(neurobench("sweep", "--status", "--json").stdout)["jobs"]
    assert job["overrides"] == ["dataset.root=my data"]


def test_a_record_of_an_earlier_version_is_still_read(tmp_path: Path) -> None:
    file = sweep(tmp_path, "seed=0") / "queue" / "sweep.json"
    values = json.loads(file.read_text())
    values["jobs"] = [{"number": 0, "label": "model=toy seed=0", "name": "toy", "config_hash": "h"}]
    file.write_text(json.dumps(values))
    (entry,) = find_sweep(tmp_path, "latest").entries
    assert (entry.overrides, entry.label) == (("model=toy", "seed=0"), "model=toy seed=0")


@pytest.mark.parametrize("words", [("--status", "seed=0"), ("model=toy", "--cancel"), ("--logs", "0", "seed=1")])
def test_keys_that_status_cancel_and_logs_would_ignore_are_refused(
    words: tuple[str, ...],
    neurobench: Neurobench,  # noqa: F811
    tmp_path: Path,
) -> None:
    folder = sweep(tmp_path / "outputs", "seed=0", launcher="local")
    told = neurobench("sweep", *words)
    assert told.returncode == 2
    assert "takes no key but outputs=FOLDER" in told.stderr
    assert not (folder / "stop").exists()


@pytest.mark.parametrize(
    ("other", "sentence"),
    [("--dry-run", "--cancel knows no --dry-run"), ("--status", "not allowed with argument --cancel")],
)
def test_cancel_refuses_options_in_spite_of_which_it_would_cancel(
    other: str,
    sentence: str,
    neurobench: Neurobench,  # noqa: F811
    tmp_path: Path,
) -> None:
    folder = sweep(tmp_path / "outputs", "seed=0", launcher="local")
    told = neurobench("sweep", "--cancel", other)
    assert told.returncode == 2
    assert sentence in told.stderr
    assert not (folder / "stop").exists()


def test_cancel_of_a_local_sweep_that_has_ended_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = sweep(tmp_path, "seed=0", launcher="local")
    assert "have not started" in cancel_sweep(read_sweep(folder))
    monkeypatch.setattr("neurobench.sweeps.status._is_gone", lambda _: True)
    assert "the command that ran it has ended" in cancel_sweep(read_sweep(folder))


@pytest.mark.parametrize(
    ("workers", "expected"),
    [(None, [("", "")] * 3), (1, [("%1", ""), ("%1", "1"), ("%1", "2")]), (2, [("%1", ""), ("%1", ""), ("%1", "1")]),
     (5, [("%2", ""), ("%2", ""), ("%1", "")])],
)  # fmt: skip
def test_jobs_in_several_arrays_run_as_many_at_once_as_workers_say(
    workers: int | None,
    expected: list[tuple[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three arrays of at most three tasks; an array with id K waits for the one whose id it names."""
    seen: list[Mapping[str, str]] = []

    def answer(words: list[str], meaning: str) -> str:
        seen.append({key: value for key, _, value in (word.partition("=") for word in words)})
        return f"{len(seen)}\n"

    monkeypatch.setattr(sbatch, "_answer", answer)
    monkeypatch.setattr(slurm, "max_array_size", lambda: 3)
    monkeypatch.setattr(Request, "check", lambda *_: None)
    folder = sweep(tmp_path, *(f"seed={n}" for n in range(8)))
    tasks = [Task(number, {}, (), "", str(folder)) for number in range(8)]
    slurm.submit(tasks, Request(flags={"dependency": "singleton"}), Batch(workers, 1, print))
    throttles = [words["--array"].partition("%")[1:] for words in seen]
    after = [words["--dependency"].removeprefix("singleton").removeprefix(",afterany:") for words in seen]
    assert [("".join(pair), name) for pair, name in zip(throttles, after, strict=True)] == expected


def test_a_percent_sign_in_a_folders_name_is_no_pattern_of_sbatch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SLURM ended each task at once, since there was no folder 507 for its output."""
    seen: list[str] = []
    monkeypatch.setattr(sbatch, "_answer", lambda words, _: seen.extend(words) or "7")
    folder = sweep(tmp_path / "50%j", "seed=0")
    Request().submit(folder, new_array(folder, 0, [[0]]), 1, None, None)
    assert f"--output={tmp_path}/50%%j/.sweeps/{folder.name}/queue/%A_%a.out" in seen
