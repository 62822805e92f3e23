"""Tasks at Amazon Braket, sent by AWS's own client: none is lost and none is paid for twice."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("braket.devices", reason="needs the extra braket")

from neurobench.cli.main import main
from neurobench.config.errors import UserError
from neurobench.config.secrets import scrubbed
from neurobench.devices.circuit.braket_queue import BraketQueue
from neurobench.devices.jobs import Jobs, Queued
from neurobench.storage.journal import Journal
from tests.devices.braket_server import ACCOUNT, CIRCUITS, QPU, SETS, SIMULATOR, Service, fault
from tests.devices.test_braket import chi_square
from tests.devices.test_circuit import random_angles, random_program
from tests.specs import spec

CPU = torch.device("cpu")
PROGRAM = random_program(3, 12, seed=4)
ANGLES = random_angles(PROGRAM, 5, seed=5)
SHOTS = 500


def ask(folder: Path | None, wait: bool = True, **fields: Any) -> Any:
    """Counts from one session of the run in the folder: five circuits, two per job."""
    fields = {"device": QPU, "job": 2, **fields}
    made = spec("backend/braket", "circuit", **fields).open(0, CPU, Jobs(Journal(folder), wait))
    return made.counts(PROGRAM, ANGLES, SHOTS, seed=1)


def require_right(answer: Any) -> None:
    made = spec("backend/braket", "circuit").open(0, CPU)
    assert chi_square(answer.counts, SHOTS * made.ideal().probabilities(PROGRAM, ANGLES)) > 1e-6


def require_paid_once(service: Service, jobs: int = 3) -> None:
    bill = service.bill()["jobs"]
    assert (len(bill), len({token for token, _ in bill}), sum(shots for _, shots in bill)) == (jobs, jobs, 5 * SHOTS)


def test_circuits_are_sent_as_program_sets_of_at_most_one_job_and_return_in_order(braket: Service) -> None:
    answer = ask(None)
    require_right(answer)
    require_paid_once(braket)
    assert answer.cost == {"circuits": 5, "shots": 2500, "jobs": 3}
    asked = [job["asked"] for job in braket.jobs.values()]
    assert [(job["circuits"], job["asked"]["shots"]) for job in braket.jobs.values()] == [
        *((2, 1000), (2, 1000), (1, 500))
    ]
    assert {one["outputS3KeyPrefix"] for one in asked} == {f"tasks/{one['clientToken']}" for one in asked}
    assert all(len(one["clientToken"]) == 64 for one in asked)  # the most that AWS accepts


def test_jobs_larger_than_the_device_accepts_are_refused_when_the_device_is_opened(braket: Service) -> None:
    with pytest.raises(UserError, match=f"{QPU} takes at most 100 circuits per task: set backend.circuit.job=100"):
        ask(None, job=101)
    assert braket.jobs == {}


def test_a_device_without_program_sets_accepts_only_one_circuit_per_task(braket: Service) -> None:
    del braket.actions[SETS]
    with pytest.raises(UserError, match=f"{SIMULATOR} takes one circuit per task: set backend.circuit.job=1"):
        ask(None, device=SIMULATOR)
    require_right(ask(None, device=SIMULATOR, job=1))
    require_paid_once(braket, jobs=5)
    del braket.actions[CIRCUITS]
    with pytest.raises(UserError, match="does not run gate circuits"):
        ask(None, job=1)


class Crash(BaseException):
    """Stand-in for SIGKILL, which no code catches."""


@pytest.mark.parametrize(("tokens", "search"), [(True, True), (True, False), (False, True)])
def test_a_kill_between_sending_a_task_and_recording_its_id_pays_nothing_twice(
    braket: Service, folder: Path, monkeypatch: pytest.MonkeyPatch, tokens: bool, search: bool
) -> None:
    """Either safeguard suffices: the search if AWS has forgotten the token, the token if the task is not listed yet."""

    def die(journal: Journal, key: str, job: str) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "note", die)
        with pytest.raises(Crash):
            ask(folder)
    assert len(braket.jobs) == 1
    braket.remembers_tokens, braket.lists_tasks = tokens, search
    require_right(ask(folder))
    require_paid_once(braket)
    assert len(braket.jobs) == 3


def test_without_client_token_and_search_a_task_is_paid_for_twice_after_a_kill(
    braket: Service, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows that the test of such kills can fail."""
    braket.remembers_tokens = braket.lists_tasks = False
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "note", lambda *_: (_ for _ in ()).throw(Crash))
        with pytest.raises(Crash):
            ask(folder)
    ask(folder)
    assert len(braket.jobs) == 4


@pytest.mark.parametrize("seed", [1, 2, 3, 5, 6])  # seed 4 fails one job three times, which ends the run
def test_failures_lost_replies_and_downtime_are_retried_until_each_job_is_answered_once(
    braket: Service, folder: Path, seed: int
) -> None:
    braket.faults |= {"fail": 0.2, "mute": 0.3, "down": 0.2, "delay": 0.02, "seed": seed}
    require_right(ask(folder))
    require_paid_once(braket)


def test_a_later_session_fetches_the_answers_to_jobs_of_an_earlier_one(braket: Service, folder: Path) -> None:
    braket.faults["delay"] = 1e9
    for _ in range(2):
        with pytest.raises(Queued, match=f"3 jobs queued at {QPU}: arn:aws:braket:.*quantum-task/job-0, "):
            ask(folder, wait=False)
    for job in braket.jobs.values():
        job["done"] = 0.0
    first = ask(folder, wait=False)
    require_right(first)
    assert torch.equal(ask(folder).counts, first.counts)  # from the journal alone
    require_paid_once(braket)


@pytest.mark.parametrize("ending", ["FAILED", "CANCELLED"])
def test_a_failed_or_cancelled_task_is_sent_three_times_before_the_run_ends(
    braket: Service, folder: Path, ending: str
) -> None:
    braket.faults["fail"], braket.ending = 1.0, ending
    told = f"dropped a job 3 times, most recently arn:.*/job-6: {ending.lower()}: the chip was warm"
    with pytest.raises(UserError, match=told):
        ask(folder)
    assert len({job["tag"] for job in braket.jobs.values()}) == len(braket.jobs) == 9  # each attempt has its token


def test_a_task_that_the_account_does_not_know_is_not_sent_again(braket: Service, folder: Path) -> None:
    braket.faults["lose"] = 1.0
    with pytest.raises(UserError, match=f"this account knows no job arn:.*/job-0 of {QPU}: is it the account that"):
        ask(folder)
    assert len(braket.jobs) == 3


def test_refusals_by_aws_are_reported_and_throttling_loses_no_job(braket: Service, folder: Path) -> None:
    braket.refusal = fault(424, "DeviceOfflineException", "offline until noon")
    with pytest.raises(UserError, match=f"{QPU}: .*DeviceOfflineException.* offline until noon"):
        ask(folder)
    braket.refusal = fault(429, "ThrottlingException", "slower")
    with pytest.raises(UserError, match=rf"{QPU} cannot be reached \(.*slower\)\. No job is lost"):
        ask(folder)
    braket.refusal = None
    require_right(ask(folder))
    require_paid_once(braket)


def test_no_job_is_lost_if_credentials_expire_while_a_run_waits(
    braket: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = tmp_path / "outputs"
    braket.denial = fault(403, "ExpiredTokenException", "The security token included in the request is expired")
    assert run(outputs) == 1
    assert re.search("token .* is expired. No job is lost: .* continue with --resume", capsys.readouterr().err)
    sent, braket.denial = len(braket.jobs), None
    assert sent > 0
    assert run(outputs, "--resume") == 0
    assert len({job["tag"] for job in braket.jobs.values()}) == len(braket.jobs)
    (result,) = [json.loads(path.read_text()) for path in outputs.glob("*/*/result.json")]
    assert result["device_costs"]["circuit"]["jobs"] == len(braket.jobs)


def test_a_missing_device_missing_credentials_and_a_bad_endpoint_are_explained(
    braket: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"cannot be opened: .*qpu/none: .*no such device.*aws configure"):
        ask(None, device="arn:aws:braket:us-east-1::device/qpu/none")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "nobody"))
    with pytest.raises(UserError, match="cannot be opened: .*Unable to locate credentials.*aws configure"):
        ask(None)
    monkeypatch.setenv("BRAKET_ENDPOINT", "nowhere")
    with pytest.raises(UserError, match=r"cannot be opened: Invalid endpoint: nowhere\. .*aws configure"):
        ask(None)
    monkeypatch.setenv("BRAKET_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCOUNT[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", ACCOUNT[1])
    with pytest.raises(UserError, match="Forte-1 cannot be reached .Could not connect"):
        ask(None)


def test_the_region_is_that_of_the_device_or_else_the_configured_one(
    braket: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def region(device: str) -> str:
        return spec("backend/braket", "circuit", device=device).open(0, CPU).sampling.queue.session.region

    assert [region(QPU), region(SIMULATOR)] == ["us-east-1", "us-west-2"]
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    assert [region(QPU), region(SIMULATOR)] == ["us-east-1", "eu-north-1"]
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(UserError, match="cannot be opened: .*You must specify a region"):
        region(SIMULATOR)


def test_a_custom_bucket_is_set_by_the_environment_variable_of_the_sdk(
    braket: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMZN_BRAKET_TASK_RESULTS_S3_URI", "s3://amazon-braket-results/mine/here")
    require_right(ask(None))
    assert all(job["asked"]["outputS3KeyPrefix"].startswith("mine/here/") for job in braket.jobs.values())
    monkeypatch.setenv("AMZN_BRAKET_TASK_RESULTS_S3_URI", "nowhere")
    with pytest.raises(UserError, match="there is no bucket for its results"):
        ask(None)


WORDS = [
    *("model=hybrid_qcnn", "backend=braket", f"backend.circuit.device={QPU}", "backend.circuit.job=4", "scale=smoke"),
    *("scale.train=12", "scale.test=6", "training.batch_size=6", "model.classical=[]", "model.shots=20"),
    "model.train_on=ideal",
]


def run(outputs: Path, *options: str) -> int:
    return main(["run", *WORDS, f"outputs={outputs}", "-q", *options])


def test_a_run_respects_limits_resumes_by_poll_and_warns_that_it_is_not_reproducible(
    braket: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = tmp_path / "outputs"
    assert run(outputs, "backend.circuit.max_shots=100") == 1
    assert f"{QPU}: max_shots=100 is not enough" in capsys.readouterr().err
    assert braket.jobs == {}
    braket.faults["delay"] = 1e9
    assert run(outputs, "--no-wait") == 4
    braket.faults["delay"] = 0.0
    for job in braket.jobs.values():
        job["done"] = 0.0
    assert main(["poll", "--outputs", str(outputs)]) == 0
    (result,) = [json.loads(path.read_text()) for path in outputs.glob("*/*/result.json")]
    assert f"not reproducible: {QPU} takes no seed" in json.dumps(result["warnings"])
    assert result["device_costs"]["circuit"]["jobs"] == len(braket.bill()["jobs"])


def test_no_credential_of_the_account_reaches_a_file_or_the_screen(
    braket: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are in AWS's own file; the service repeats them in its error message."""
    braket.faults["fail"], braket.failure = 1.0, f"403 for {' '.join(ACCOUNT)}"
    assert run(tmp_path / "leak") == 1
    screen = capsys.readouterr()
    written = {path: path.read_bytes() for path in (tmp_path / "leak").rglob("*") if path.is_file()}
    assert any(b"403 for *** *** ***" in content for path, content in written.items() if path.name == "jobs.jsonl")
    assert "403 for *** *** ***" in screen.err
    for secret in ACCOUNT:
        assert secret not in screen.out + screen.err
        assert not [path for path, content in written.items() if secret.encode() in content]


def test_credentials_renewed_while_a_run_waits_are_removed_from_messages(braket: Service) -> None:
    queue = spec("backend/braket", "circuit", device=QPU).open(0, CPU).sampling.queue
    queue.session.boto_session.get_credentials().token = "the/next//token"
    assert scrubbed("403 for the/next//token") == "403 for the/next//token"
    assert queue.find("any") is None
    assert scrubbed("403 for the/next//token") == "403 for ***"


def test_a_dry_run_sends_nothing_and_counts_tasks_and_shots(
    braket: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def send(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(BraketQueue, "submit", send)
    assert run(tmp_path / "dry", "model.train_on=device", "model.gradient=param_shift", "--dry-run") == 0
    told = capsys.readouterr().out.splitlines()
    assert "training   circuit: 4 calls, 36 circuits, 720 shots, 10 jobs" in told
    assert any(line.startswith("price      circuit: no list price is stored: AWS bills tasks") for line in told)
    assert braket.jobs == {}
