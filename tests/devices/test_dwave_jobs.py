"""Problems for D-Wave machines are jobs: budgets hold, none is lost or paid for twice. Needs the extra `dwave`.

D-Wave's own client sends them to a stand-in for its service."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import torch

pytest.importorskip("dwave.system", reason="needs the extra `dwave`")

from dwave.cloud.api.resources import Problems

from neurobench.cli.main import main
from neurobench.config.bounds import BoundsError
from neurobench.config.errors import UserError
from neurobench.devices import jobs as seam
from neurobench.devices.jobs import Jobs, Queued
from neurobench.devices.sampler.dwave_machine import SolverQueue
from neurobench.problems.rbm import RBM
from neurobench.storage.journal import Journal
from tests.devices.sapi_server import NAME, Service, reachable
from tests.devices.test_dwave import RUN
from tests.specs import spec

CPU = torch.device("cpu")
TOKEN = "DEV-0123456789abcdef0123456789abcdef01234567"
TURNS = {"fail": 4, "lose": 4, "mute": 3, "down": 3}  # a fault occurs every n-th time that it could


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seam, "FIRST_PAUSE", 1e-4)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with reachable(monkeypatch, {}, TOKEN) as made:
        yield made


@pytest.fixture(scope="module")
def rbm() -> RBM:
    draw = torch.Generator().manual_seed(1)
    return RBM(*(torch.randn(*size, generator=draw) for size in [(6, 4), (6,), (4,)]))


def opened(folder: Path | None, wait: bool = True, **fields: Any) -> Any:
    """Device as opened by a session of the run in the folder."""
    return spec("backend/dwave", "sampler", solver=NAME, **fields).open(0, CPU, Jobs(Journal(folder), wait))


def finish(service: Service) -> None:
    for job in service.jobs.values():
        job["done"] = 0.0


def require_paid_once(service: Service, problems: int) -> None:
    tags = [tag.rpartition("-")[0] for tag, _ in service.bill()["jobs"]]
    assert (len(tags), len(set(tags))) == (problems, problems)


def declare_lost(folder: Path, told: str) -> None:
    """Delete the line with a lost job's id from the journal, as the message tells the user to."""
    job = re.search(r"this account knows no job (job-\d+) of D-Wave's .* delete the line", told)
    assert job, told
    lines = (folder / "jobs.jsonl").read_text().splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line).get("id") != job[1]]
    assert len(kept) == len(lines) - 1
    (folder / "jobs.jsonl").write_text("".join(kept))


def queue_one(service: Service, rbm: RBM, folder: Path) -> Any:
    """Device of a session with one queued problem, which is done at the next request to the service."""
    service.faults["delay"] = 1e9
    device = opened(folder, wait=False)
    with pytest.raises(Queued):
        device.sample_rbm(rbm, 5, seed=1)
    service.faults["delay"] = 0.0
    finish(service)
    return device


def test_a_later_session_fetches_the_answer_to_a_problem_of_an_earlier_one(
    service: Service, rbm: RBM, tmp_path: Path
) -> None:
    service.faults["delay"] = 1e9
    for _ in range(2):
        with pytest.raises(Queued, match=r"1 job queued at D-Wave's Advantage2_system1\.11: job-0"):
            opened(tmp_path, wait=False).sample_rbm(rbm, 5, seed=1)
    finish(service)
    first = opened(tmp_path, wait=False).sample_rbm(rbm, 5, seed=1)
    again = opened(tmp_path, wait=False).sample_rbm(rbm, 5, seed=1)  # from the journal alone
    assert torch.equal(first.v, again.v)
    assert first.cost == again.cost
    assert first.cost["device_seconds"] == pytest.approx(15250e-6)
    require_paid_once(service, 1)
    with pytest.raises(Queued):
        opened(tmp_path, wait=False).sample_rbm(rbm, 5, seed=2)  # the same problem, to be sampled with a new seed
    require_paid_once(service, 2)


def test_failed_lost_and_unconfirmed_problems_are_sent_until_each_is_answered_once(
    service: Service, rbm: RBM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lost problem looks like one of another account, so it is sent again only if the user declares it lost."""
    device, turns, lost = opened(tmp_path), Counter[str](), 0

    def strikes(fault: str, about: str) -> bool:
        turns[fault] += 1
        return turns[fault] % TURNS[fault] == 0

    monkeypatch.setattr(service, "strikes", strikes)
    for seed in range(6):
        try:
            device.sample_rbm(rbm, 2, seed=seed)
        except UserError as error:
            lost += 1
            declare_lost(tmp_path, str(error))
            device = opened(tmp_path)
            device.sample_rbm(rbm, 2, seed=seed)
    assert lost == 1
    require_paid_once(service, 6)
    assert {job["fate"] for job in service.jobs.values()} == {"answer", "fail", "lose"}


def test_an_answer_is_fetched_from_a_machine_that_changed_its_graph_and_went_offline(
    service: Service, rbm: RBM, tmp_path: Path
) -> None:
    device = queue_one(service, rbm, tmp_path)
    service.change_graph()
    service.solver["status"] = "OFFLINE"
    assert device.sample_rbm(rbm, 5, seed=1).cost["device_seconds"] == pytest.approx(15250e-6)
    assert len(service.jobs) == 1
    require_paid_once(service, 1)


def test_a_problem_that_failed_because_the_machine_was_offline_is_sent_again(
    service: Service, rbm: RBM, tmp_path: Path
) -> None:
    device = queue_one(service, rbm, tmp_path)
    service.failure, service.jobs["job-0"]["fate"] = "Solver is offline", "fail"
    with pytest.raises(Queued):
        device.sample_rbm(rbm, 5, seed=1)  # the failure is recorded; the answer is still missing
    device.sample_rbm(rbm, 5, seed=1)
    assert len(service.jobs) == 2
    require_paid_once(service, 1)
    assert '"reason": "Solver is offline"' in (tmp_path / "jobs.jsonl").read_text()


def test_a_job_unknown_to_the_account_ends_the_run_and_is_not_sent_again(
    service: Service, rbm: RBM, tmp_path: Path
) -> None:
    device = queue_one(service, rbm, tmp_path)
    service.jobs["job-0"]["fate"] = "lose"
    with pytest.raises(UserError, match="this account knows no job job-0 of D-Wave's .*: is it the account that sent"):
        device.sample_rbm(rbm, 5, seed=1)
    service.jobs["job-0"]["fate"] = "answer"
    device.sample_rbm(rbm, 5, seed=1)
    assert len(service.jobs) == 1


REJECTIONS = {
    "bias out of range": (200, [{"error_code": 400, "error_msg": "bias out of range"}], "problems"),
    "quota exceeded": (403, {"error_code": 403, "error_msg": "quota exceeded"}, "error"),
}


@pytest.mark.parametrize("words", REJECTIONS)
def test_a_problem_that_the_service_refuses_is_posted_only_once(
    service: Service, rbm: RBM, tmp_path: Path, words: str
) -> None:
    service.rejection, device = REJECTIONS[words], opened(tmp_path)
    with pytest.raises(UserError, match=f"D-Wave refused the request: {words}"):
        device.sample_rbm(rbm, 5, seed=1)
    assert service.posts == 1
    service.rejection = None
    device.sample_rbm(rbm, 5, seed=1)
    require_paid_once(service, 1)


def test_more_reads_than_the_machine_accepts_are_refused_before_they_are_journalled(
    service: Service, rbm: RBM, tmp_path: Path
) -> None:
    service.properties["num_reads_range"] = [1, 4]
    with pytest.raises(UserError, match="takes 1 to 4 reads of a problem, not num_reads=5"):
        opened(tmp_path).sample_rbm(rbm, 5, seed=1)
    assert (service.posts, list(tmp_path.iterdir())) == (0, [])


def test_the_default_solver_is_identified_by_its_real_name_and_shares_its_jobs(
    service: Service, rbm: RBM, tmp_path: Path
) -> None:
    jobs = Jobs(Journal(tmp_path))
    device = spec("backend/dwave", "sampler", solver="default").open(0, CPU, jobs)
    assert (device.name, device.irreproducible) == (f"D-Wave's {NAME}", f"D-Wave's {NAME} takes no seed")
    assert device.machine == {"name": NAME, "graph_id": "01", "device_seconds": "measured"}
    first = device.sample_rbm(rbm, 5, seed=1)
    assert torch.equal(opened(tmp_path).sample_rbm(rbm, 5, seed=1).v, first.v)  # the same job
    require_paid_once(service, 1)


def test_possible_tokens_and_the_proxy_are_removed_from_an_error_message(
    service: Service, rbm: RBM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, proxy = "ABC-fedcba9876543210fedcba", "http://me:pass@proxy.local:3128"
    device = queue_one(service, rbm, tmp_path)
    monkeypatch.setenv("DWAVE_PROXY", proxy)

    def fail(*_: Any) -> None:
        raise requests.ConnectionError(f"{other} by {proxy}")

    monkeypatch.setattr(Problems, "get_problem", fail)
    with pytest.raises(UserError, match=r"cannot be reached \(\*\*\* by \*\*\*\)"):
        device.sample_rbm(rbm, 5, seed=1)


def test_problems_that_would_exceed_a_budget_are_refused_before_anything_is_sent(
    service: Service, rbm: RBM, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="max_shots=4 is not enough: 0 shots are spent, and 1 more job takes 5"):
        opened(tmp_path, max_shots=4).sample_rbm(rbm, 5, seed=1)
    with pytest.raises(UserError, match=r"max_seconds=0\.01 is not enough: 0 seconds are spent"):
        opened(tmp_path, max_seconds=0.01).sample_rbm(rbm, 5, seed=1)
    assert service.jobs == {}
    device = opened(tmp_path, max_shots=9, max_seconds=0.1)
    device.sample_rbm(rbm, 5, seed=1)
    with pytest.raises(UserError, match="max_shots=9 is not enough: 5 shots are spent, and 1 more job takes 5"):
        device.sample_rbm(rbm, 5, seed=2)
    require_paid_once(service, 1)


def test_a_machine_without_a_timing_model_can_be_used_but_not_with_max_seconds(service: Service, rbm: RBM) -> None:
    for timing in ({"version": "2.0.0"}, None):
        service.properties["problem_timing_data"] = timing
        if timing is None:
            del service.properties["problem_timing_data"]
        with pytest.raises(UserError, match=r"max_seconds=1 cannot be guaranteed: .* Set backend\.sampler\.max_shots"):
            opened(None, max_seconds=1.0)
        assert "device_seconds" in opened(None).sample_rbm(rbm, 5, seed=1).cost  # measured, though not modelled


def test_max_shots_is_refused_for_the_mock_because_it_costs_nothing() -> None:
    with pytest.raises(BoundsError, match="max_shots is for QPUs; solver=mock costs nothing"):
        spec("backend/dwave", "sampler", max_shots=5)


class Crash(BaseException):
    """Stand-in for SIGKILL, which no code catches."""


def test_a_kill_between_any_two_steps_loses_nothing_and_pays_nothing_twice(
    service: Service, rbm: RBM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = math.inf

    def boundary() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Crash

    def guarded(owner: Any, name: str) -> None:
        work = getattr(owner, name)

        def step(*args: Any, **words: Any) -> Any:
            boundary()
            result = work(*args, **words)
            boundary()
            return result

        monkeypatch.setattr(owner, name, step)

    for owner, name in ((SolverQueue, "submit"), (SolverQueue, "collect"), (Journal, "_append"), (Journal, "store")):
        guarded(owner, name)
    device, at = opened(None), 0
    while True:
        at += 1
        folder, before = tmp_path / str(at), len(service.jobs)
        folder.mkdir()
        device.solver.jobs, left = Jobs(Journal(folder)), at
        try:
            device.sample_rbm(rbm, 2, seed=1)
            break
        except Crash:
            left = math.inf
            device.solver.jobs = Jobs(Journal(folder))
            device.sample_rbm(rbm, 2, seed=1)
            assert len(service.jobs) == before + 1
    assert at > 8
    require_paid_once(service, at)


def test_a_run_that_does_not_wait_ends_with_its_problem_queued_and_poll_completes_it(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def ran(outputs: str, *options: str) -> int:
        return main(["run", *RUN, f"outputs={tmp_path / outputs}", "-q", "model.device_every=2", *options])

    service.faults["delay"] = 1e9
    assert ran("later", "--no-wait") == 4
    assert "1 job queued at D-Wave's Advantage2_system1.11: job-0. Their ids are stored in" in capsys.readouterr().err
    for _ in range(9):
        finish(service)
        if (code := main(["poll", "--outputs", str(tmp_path / "later")])) != 4:
            break
    assert code == 0
    taken = len(service.jobs)
    require_paid_once(service, taken)
    assert taken > 1
    written = b"".join(path.read_bytes() for path in (tmp_path / "later").rglob("*") if path.is_file())
    assert TOKEN.encode() not in written
