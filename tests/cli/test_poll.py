"""Tests of runs on a device that answers later: they end once their jobs are queued, and resume as if undisturbed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from neurobench.cli.main import main
from neurobench.cli.poll import queued_runs
from neurobench.config import targets
from neurobench.config.secrets import hide
from neurobench.devices import jobs as seam
from neurobench.devices.jobs import JobGone, Queued
from neurobench.storage.folder import RunFolder
from tests.devices.loopback import LoopbackQueue
from tests.devices.queue_server import Device, serve

SMALL = ["scale=smoke", "scale.train=12", "scale.test=6", "training.batch_size=6", "model.classical=[]"]
WORDS = ["model=hybrid_qcnn", "backend=loopback", *SMALL, "model.shots=20", "model.train_on=ideal"]
YAML = """
name: loopback
circuit:
  _target_: tests.devices.loopback.Loopback
  port: {port}
  job: 4
  max_shots: null
  max_seconds: null
"""


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    made = serve({"delay": 1e9})
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    (tmp_path / "backend").mkdir()
    (tmp_path / "backend" / "loopback.yaml").write_text(YAML.format(port=made.server_address[1]))
    monkeypatch.setattr(targets, "ALLOWED", ("tests",))
    monkeypatch.setattr(seam, "FIRST_PAUSE", 0.01)
    yield made.RequestHandlerClass.device  # type: ignore[attr-defined]
    made.shutdown()


def finish(device: Device) -> None:
    for job in device.jobs.values():
        job["done"] = 0.0


def run(tmp_path: Path, outputs: str, *options: str) -> int:
    return main(["run", *WORDS, f"outputs={tmp_path / outputs}", "-cd", str(tmp_path), "-q", *options])


def result(tmp_path: Path, outputs: str) -> dict[str, Any]:
    (file,) = (tmp_path / outputs).glob("*/*/result.json")
    return json.loads(file.read_text())


def test_a_run_ends_once_its_jobs_are_queued_and_poll_resumes_it(
    device: Device, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    poll = ["poll", "--outputs", str(tmp_path / "later"), "-cd", str(tmp_path)]
    assert run(tmp_path, "later", "--no-wait") == 4
    told = capsys.readouterr().err
    assert "jobs queued at loopback: job-0, job-1" in told
    assert f"neurobench poll {tmp_path / 'later' / 'hybrid_qcnn-mnist_01_400-loopback'}/" in told
    sent = len(device.jobs)
    assert main(poll) == 4  # still under way
    assert len(device.jobs) == sent
    for _ in range(9):
        finish(device)
        if (code := main(poll)) != 4:
            break
    assert code == 0
    assert main(poll) == 0
    assert "has jobs queued" in capsys.readouterr().out
    device.faults["delay"] = 0.0
    taken = len(device.jobs)
    assert run(tmp_path, "at_once") == 0
    assert len(device.jobs) == 2 * taken  # another run submits its own jobs
    later, at_once = result(tmp_path, "later"), result(tmp_path, "at_once")
    assert later["metrics"] == at_once["metrics"]
    assert "not reproducible: loopback takes no seed" in json.dumps(later)
    assert later["device_costs"] == at_once["device_costs"]
    assert len(device.bill()["jobs"]) == 2 * taken


def test_poll_after_ctrl_c_resumes_the_interrupted_run_and_no_other_of_its_configuration(
    device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The older of two runs of one configuration is stopped while it fetches answers, and polled again."""
    outputs, poll = tmp_path / "two", ["poll", "--outputs", str(tmp_path / "two"), "-cd", str(tmp_path)]
    assert [run(tmp_path, "two", "--no-wait") for _ in range(2)] == [4, 4]
    older, newer = queued_runs(outputs)
    record = (newer.path / "run.json").read_bytes()

    def stop(queue: LoopbackQueue, job: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(LoopbackQueue, "collect", stop)
        assert main(poll) == 130
    assert (older.status, [each.path for each in queued_runs(outputs)]) == ("interrupted", [older.path, newer.path])
    finish(device)
    assert main([*poll, str(older.path)]) in (0, 4)
    assert older.status in ("finished", "queued")
    assert (newer.path / "run.json").read_bytes() == record


def test_poll_of_all_runs_resumes_the_others_after_one_that_cannot_run_and_one_resumed_elsewhere(
    device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first of four runs has a damaged configuration; the second is finished by another process once `poll` has
    listed it, which holds the third at the moment."""
    outputs, poll = tmp_path / "four", ["poll", "--outputs", str(tmp_path / "four")]
    assert [run(tmp_path, "four", "--no-wait") for _ in range(4)] == [4, 4, 4, 4]
    damaged, finished, held, last = queued_runs(outputs)
    (damaged.path / "config.yaml").write_text("model: [")
    finish(device)
    device.faults["delay"] = 0.0
    assert main([*poll, "--wait", str(finished.path)]) == 0
    monkeypatch.setattr("neurobench.cli.poll.queued_runs", lambda _: [damaged, finished, held, last])
    writer = RunFolder(held.path)
    writer.acquire()
    capsys.readouterr()
    assert main([*poll, "--wait"]) == 1
    writer.release()
    assert (held.status, last.status) == ("queued", "finished")
    told = capsys.readouterr().err
    assert f"{damaged.path} is damaged: config.yaml" in told
    assert f"{held.path} is being written by process" in told
    assert main([*poll, "--wait", str(held.path)]) == 0
    assert len(device.bill()["jobs"]) == len({tag for tag, _ in device.bill()["jobs"]})


def test_the_printed_poll_command_names_the_plugin_that_the_run_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "PLUGIN_FILES", {"mine": Path("/home/me/mine.py")})
    assert str(Queued("1 job queued").kept_in(Path("outputs/a/b"))).endswith(
        "neurobench poll --plugin=/home/me/mine.py outputs/a/b"
    )


def test_a_run_that_would_exceed_its_limit_ends_before_anything_is_sent(
    device: Device, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "short", *SHIFTED, "backend.circuit.max_shots=100") == 1
    assert "max_shots=100 is not enough: 0 shots are spent" in capsys.readouterr().err
    assert device.jobs == {}
    assert run(tmp_path, "short", *SHIFTED, "backend.circuit.max_shots=10000", "--resume", "--no-wait") == 4
    finish(device)
    device.faults["delay"] = 0.0
    poll = ["poll", "--wait", "--outputs", str(tmp_path / "short"), "-cd", str(tmp_path)]
    assert main(poll) == 0  # with the limit given last
    assert len(list((tmp_path / "short").glob("*/*/config.yaml"))) == 1  # a limit makes no other configuration


def test_no_credential_reaches_a_file_or_the_screen(
    device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Simulated vendor software puts its token into an error."""
    secrets = {
        "QISKIT_IBM_TOKEN": "tok-0123456789abcdef",
        "AWS_SECRET_ACCESS_KEY": "aws-fedcba9876543210",
        "AWS_SESSION_TOKEN": "session//0123456789",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    saved = "saved-in-the-vendors-own-file"
    hide(saved)
    told = " ".join([*secrets.values(), saved])

    def refuse(queue: LoopbackQueue, job: str) -> None:
        raise JobGone(f"401 for {told}")

    monkeypatch.setattr(LoopbackQueue, "collect", refuse)
    assert run(tmp_path, "leak") == 1
    screen = capsys.readouterr()
    written = {path: path.read_bytes() for path in (tmp_path / "leak").rglob("*") if path.is_file()}
    assert any(b"401 for *** *** *** ***" in content for path, content in written.items() if path.name == "jobs.jsonl")
    assert "401 for *** *** *** ***" in screen.err
    for secret in told.split():
        assert secret not in screen.out + screen.err
        assert not [path for path, content in written.items() if secret.encode() in content]


def test_a_dry_run_sends_nothing_and_says_what_would_be_sent(
    device: Device, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("model.train_on=device", "model.gradient=param_shift", "backend.circuit.max_shots=100", "--dry-run")
    assert run(tmp_path, "dry", *options) == 0
    told = capsys.readouterr().out.splitlines()
    assert device.jobs == {}
    assert not (tmp_path / "dry").exists()
    # 2 updates of 6 images, each with a circuit and two shifted ones, 20 shots each; 4 circuits per job.
    assert "training   circuit: 4 calls, 36 circuits, 720 shots, 10 jobs, 0.072 s of device time, modelled" in told
    assert "price      circuit: nothing, it is computed on this machine" in told
    assert "limit      circuit: max_shots=100 would be exceeded" in told


SHIFTED = ("model.train_on=device", "model.gradient=param_shift", "model.classical=[sigmoid]")


@pytest.mark.parametrize(("options", "circuits"), [(("model.classical=[sigmoid]",), 1100), (SHIFTED, 1148)])
def test_a_run_is_billed_for_the_jobs_that_were_sent_and_a_dry_run_expects_their_shots(
    device: Device, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], circuits: int
) -> None:
    """More test images than are predicted at once. The test's loss repeats the requests of its predictions, as the
    comparison with the classical head does: both are answered from the journal. Parameter shift takes three circuits
    for each of 12 training images, and one for each of 12 of validation."""
    device.faults["delay"] = 0.0
    more = (*options, "scale.test=1100", "backend.circuit.job=300")
    assert run(tmp_path, "sent", *more) == 0
    costs, bill = result(tmp_path, "sent")["device_costs"]["circuit"], device.bill()["jobs"]
    assert (costs["jobs"], costs["shots"]) == (len(bill), sum(shots for _, shots in bill))
    assert (costs["circuits"], costs["shots"]) == (circuits, 20 * circuits)
    capsys.readouterr()
    assert run(tmp_path, "dry", *more, "--dry-run") == 0
    (expected,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("all ")]
    assert f" {costs['circuits']:,} circuits, {costs['shots']:,} shots, {costs['jobs']} jobs, " in expected


def test_a_dry_run_expects_the_shots_of_tests_by_epoch(
    device: Device, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two epochs of 6 test images in 20 shots each, besides the test after training."""
    assert run(tmp_path, "dry", *SHIFTED, "training.test_by_epoch=true", "scale.epochs=2", "--dry-run") == 0
    told = capsys.readouterr().out.splitlines()
    assert "tutorial   circuit: 2 calls, 12 circuits, 240 shots, 4 jobs, 0.024 s of device time, modelled" in told
    assert "test       circuit: 1 calls, 6 circuits, 120 shots, 2 jobs, 0.012 s of device time, modelled" in told
