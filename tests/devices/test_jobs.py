"""Jobs at a device that answers later: none is lost or paid for twice, wherever a run is killed."""

from __future__ import annotations

import math
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurobench.config.errors import UserError
from neurobench.devices import jobs as seam
from neurobench.devices.circuit.queued import CircuitJob, QueuedSampling
from neurobench.devices.jobs import JobGone, Jobs, Limits, Queued, Unreachable, stopped_at_once
from neurobench.models.qcnn.circuits import one_qubit
from neurobench.storage.files import Damaged
from neurobench.storage.journal import Journal
from tests.devices.loopback import SHOT, LoopbackQueue
from tests.devices.queue_server import Device, serve

PARTS = [np.linspace(-3, 3, 4)[:, None] + 0.1 * number for number in range(3)]
NO_LIMITS = Limits(None, None)
SHOTS = 50


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seam, "FIRST_PAUSE", 1e-4)


class Direct:
    """Queue that calls the stand-in directly, without a network."""

    def __init__(self, device: Device):
        self.device = device

    def submit(self, content: CircuitJob, tag: str) -> str:
        asked = {"tag": tag, "values": content.values.tolist(), "shots": content.shots}
        return self.device.submit(asked)["id"]

    def find(self, tag: str) -> str | None:
        return self.device.find(tag)["id"]

    def collect(self, job: str) -> np.ndarray | None:
        reply = self.device.collect(job)
        if reply["status"] in ("failed", "unknown"):
            raise JobGone(reply["status"])
        return np.array(reply["counts"]) if reply["status"] == "done" else None


def ask(folder: Path | None, queue: Any, limits: Limits = NO_LIMITS, wait: bool = True) -> list[np.ndarray]:
    """Answers from one session of a run; the folder contains what earlier sessions stored."""
    sampling = QueuedSampling("loopback", queue, Jobs(Journal(folder), wait), limits, lambda program: SHOT)
    return sampling.run(one_qubit(), PARTS, SHOTS, seed=7)


def require_right(answers: list[np.ndarray]) -> None:
    for z, counts in zip(PARTS, answers, strict=True):
        assert np.abs(counts[:, 1] / SHOTS - (1 + np.sin(z[:, 0])) / 2).max() <= 0.5 / SHOTS
        assert (counts.sum(1) == SHOTS).all()


def require_paid_once(device: Device) -> None:
    bill = device.bill()["jobs"]
    assert len(bill) == len(PARTS), bill
    assert len({tag.rpartition("-")[0] for tag, _ in bill}) == len(PARTS)


class Crash(BaseException):
    """Stand-in for SIGKILL, which no code catches."""


def crashing(monkeypatch: pytest.MonkeyPatch, at: int) -> Callable[[], int]:
    """Crash at the `at`-th boundary between two steps. Returns a function that counts the boundaries so far."""
    boundaries = 0

    def boundary() -> None:
        nonlocal boundaries
        boundaries += 1
        if boundaries == at:
            raise Crash

    def guarded(owner: Any, name: str) -> None:
        work = getattr(owner, name)

        def step(*args: Any, **kwargs: Any) -> Any:
            boundary()
            result = work(*args, **kwargs)
            boundary()
            return result

        monkeypatch.setattr(owner, name, step)

    for owner, name in ((Direct, "submit"), (Direct, "collect"), (Journal, "_append"), (Journal, "store")):
        guarded(owner, name)
    return lambda: boundaries


def test_a_kill_between_any_two_steps_loses_nothing_and_pays_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        count = crashing(patch, at=0)
        ask(tmp_path, Direct(Device({})))
        boundaries = count()
    assert boundaries > 24
    for at in range(1, boundaries + 1):
        folder, device = tmp_path / str(at), Device({})
        folder.mkdir()
        with monkeypatch.context() as patch:
            crashing(patch, at)
            with pytest.raises(Crash):
                ask(folder, Direct(device))
        require_right(ask(folder, Direct(device)))
        require_paid_once(device)
        assert device.bill()["taken"] == len(PARTS)


def test_a_journal_line_truncated_by_a_kill_is_ignored_and_written_again(tmp_path: Path) -> None:
    """The last line records the last job's id: the device has the job, and is asked for it."""
    device = Device({})
    require_right(ask(tmp_path, Direct(device)))
    whole = (tmp_path / "jobs.jsonl").read_bytes()
    last = whole[:-1].rfind(b"\n") + 1
    for size in range(last, len(whole), 7):
        (tmp_path / "jobs.jsonl").write_bytes(whole[:size])
        for answer in (tmp_path / "jobs").iterdir():
            answer.unlink()
        require_right(ask(tmp_path, Direct(device)))
        assert (tmp_path / "jobs.jsonl").read_bytes() == whole
    require_paid_once(device)


def test_a_whole_last_line_counts_without_its_line_break_so_that_its_job_is_not_paid_twice(tmp_path: Path) -> None:
    """As after deleting the lines that follow it in an editor that ends a file without a line break."""
    device = Device({})
    require_right(ask(tmp_path, Direct(device)))
    lines = (tmp_path / "jobs.jsonl").read_text().splitlines()
    intents = [line for line in lines if '"intent"' in line]
    (tmp_path / "jobs.jsonl").write_text("\n".join(intents))
    for answer in (tmp_path / "jobs").iterdir():
        answer.unlink()
    require_right(ask(tmp_path, Direct(device), Limits(len(PARTS) * 4 * SHOTS, None)))
    require_paid_once(device)
    assert sorted((tmp_path / "jobs.jsonl").read_text().splitlines()) == sorted(lines)


ORPHANS = ['{"event": "job", "key": "k", "id": "j"}', '{"event": "gone", "key": "k", "reason": "r"}']


def test_a_journal_with_a_line_that_no_run_writes_is_refused(tmp_path: Path) -> None:
    wrong = ("{}", '{"event": "intent", "key": 1}', "nonsense", '{"event": "job", "key": "k", "id": 3}')
    for line in (*wrong, *ORPHANS):
        (tmp_path / "jobs.jsonl").write_text(f"{line}\n")
        with pytest.raises(Damaged, match="invalid line 1. It no longer says which jobs have been paid for"):
            Journal(tmp_path)


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Any]:
    made = serve(request.param)
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield made
    made.shutdown()


SEEDS = sorted({*range(13)} - {2, 5})  # with 2 and 5 a job fails three times, or six requests are refused: the run ends
FAULTS = {"fail": 0.2, "lose": 0.1, "mute": 0.3, "repeat": 0.3, "down": 0.2, "delay": 0.02}


@pytest.mark.parametrize("server", [{**FAULTS, "seed": seed} for seed in SEEDS], indirect=True)
def test_a_device_with_delays_failures_and_repeated_answers_answers_each_job_once(server: Any, tmp_path: Path) -> None:
    device = server.RequestHandlerClass.device
    folder = tmp_path / "run"  # its name is part of the tags by which the server draws its faults
    folder.mkdir()
    require_right(ask(folder, LoopbackQueue(server.server_address[1])))
    require_paid_once(device)


def test_without_waiting_a_later_session_fetches_the_answers_to_jobs_of_the_first(tmp_path: Path) -> None:
    device = Device({"delay": 1e9})
    for _ in range(2):
        with pytest.raises(Queued, match=r"3 jobs queued at loopback: job-0, job-1, job-2"):
            ask(tmp_path, Direct(device), wait=False)
    assert len(Journal(tmp_path).waiting()) == 3
    for job in device.jobs.values():
        job["done"] = 0.0
    require_right(ask(tmp_path, Direct(device), wait=False))
    require_paid_once(device)
    assert Journal(tmp_path).waiting() == []
    require_right(ask(tmp_path, None))  # the journal has every answer


def test_without_waiting_a_job_that_failed_is_sent_again_before_it_is_reported_as_queued(tmp_path: Path) -> None:
    device = Device({"fail": 1.0})
    with pytest.raises(Queued, match=r"3 jobs queued at loopback: job-3, job-4, job-5"):
        ask(tmp_path, Direct(device), wait=False)
    assert [attempt.id for attempt in Journal(tmp_path).waiting()] == ["job-3", "job-4", "job-5"]


def test_jobs_that_would_exceed_a_limit_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    device, needed = Device({}), 3 * 4 * SHOTS
    for limits, name in ((Limits(needed - 1, None), "max_shots"), (Limits(None, needed * SHOT * 0.99), "max_seconds")):
        with pytest.raises(UserError, match=f"loopback: {name}=.* 0 are? spent|{name}=.* is not enough"):
            ask(tmp_path, Direct(device), limits)
    assert device.jobs == {}
    assert not (tmp_path / "jobs.jsonl").exists()
    require_right(ask(tmp_path, Direct(device), Limits(needed, needed * SHOT)))
    require_right(ask(tmp_path, Direct(device), Limits(1, None)))  # nothing is left to be sent


def test_jobs_may_take_exactly_their_limit_whatever_the_rounding_of_their_sum() -> None:
    """Three jobs of 0.1 s: 0.1 + 0.1 + 0.1 is 0.30000000000000004."""
    jobs, limits = Jobs(Journal(None)), Limits(None, 0.3)
    sampling = QueuedSampling("loopback", Direct(Device({})), jobs, limits, lambda program: 0.1 / (4 * SHOTS))
    require_right(sampling.run(one_qubit(), PARTS, SHOTS, seed=7))
    assert not jobs.journal.waiting()


def test_without_a_run_folder_no_message_advises_to_resume() -> None:
    """As for an estimator."""

    class Dead(Direct):
        def submit(self, *_: Any) -> str:
            raise Unreachable("no route")

    with pytest.raises(UserError, match=r"Set a higher max_shots\.$"):
        ask(None, Direct(Device({})), Limits(1, None))
    with pytest.raises(UserError, match=r"cannot be reached \(no route\)\. Try again later\.$"):
        ask(None, Dead(Device({})))


def test_a_job_that_fails_three_times_ends_the_run_with_the_devices_reason(tmp_path: Path) -> None:
    device = Device({"fail": 1.0})
    with pytest.raises(UserError, match="loopback dropped a job 3 times, most recently job-6: failed"):
        ask(tmp_path, Direct(device))


def test_no_job_is_lost_if_the_device_cannot_be_reached(tmp_path: Path) -> None:
    class Dead:
        def submit(self, *_: Any) -> str:
            raise Unreachable("no route")

        find = collect = submit

    with pytest.raises(UserError, match=r"cannot be reached .* No job is lost"):
        ask(tmp_path, Dead())
    device = Device({})
    require_right(ask(tmp_path, Direct(device)))
    require_paid_once(device)


def test_an_invalid_answer_is_refused_and_not_stored(tmp_path: Path) -> None:
    class Liar(Direct):
        def collect(self, job: str) -> np.ndarray:
            return np.full((4, 2), math.nan)

    device = Device({})
    with pytest.raises(UserError, match="loopback answered with counts that are not whole numbers"):
        ask(tmp_path, Liar(device))
    require_right(ask(tmp_path, Direct(device)))
    require_paid_once(device)


def test_a_job_whose_answer_stays_invalid_is_sent_again_after_the_line_that_the_message_gives(tmp_path: Path) -> None:
    class Partly(Direct):
        def collect(self, job: str) -> Any:
            counts = super().collect(job)
            return counts[:-1] if job == "job-0" and counts is not None else counts

    device = Device({})
    for _ in range(2):
        with pytest.raises(UserError, match="--resume fetches the answer to job job-0 again") as refused:
            ask(tmp_path, Partly(device))
    require_paid_once(device)
    with (tmp_path / "jobs.jsonl").open("a") as journal:
        journal.write(str(refused.value).rpartition("first: ")[2] + "\n")
    require_right(ask(tmp_path, Partly(device)))
    assert len(device.bill()["jobs"]) == len(PARTS) + 1


def test_requests_that_differ_in_angles_shots_or_seed_have_different_job_keys() -> None:
    sampling = QueuedSampling("loopback", Direct(Device({})), Jobs(Journal(None)), NO_LIMITS, lambda program: SHOT)
    asked = [(part, shots, draw) for part in PARTS for shots in (1, 2) for draw in ((1, 0), (2, 0))]
    keys = {sampling._request(one_qubit(), *each).key for each in asked}
    assert len(keys) == len(asked)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_a_kill_and_a_closed_terminal_end_the_wait_for_a_device_at_once(number: int) -> None:
    with pytest.raises(KeyboardInterrupt), stopped_at_once():
        os.kill(os.getpid(), number)
