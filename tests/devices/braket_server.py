"""Stand-in for Amazon Braket and S3 on the loopback address, as far as AWS's own client uses them, with faults.

It is a `queue_server.Device` whose jobs are quantum tasks: each fault occurs with its probability, and a task with the
fate `lose` is unknown to the account. Circuits are run by Braket's own simulator. A client token is accepted only once,
as at AWS.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pytest
from braket.default_simulator import StateVectorSimulator
from braket.ir.openqasm import Program, ProgramSet

from tests.devices.queue_server import Answering, Device, serving

QPU, SIMULATOR = "arn:aws:braket:us-east-1::device/qpu/ionq/Forte-1", "arn:aws:braket:::device/quantum-simulator/sv1"
ACCOUNT = ("AKIA0123456789ABCDEF", "secret/0123456789abcdef0123456789", "session//token0123456789")
BUCKET = "amazon-braket-results"
CIRCUITS, SETS = "braket.ir.openqasm.program", "braket.ir.openqasm.program_set"
Reply = tuple[int, Any]


def fault(status: int, kind: str, message: str) -> Reply:
    return status, {"__type": kind, "message": message}


class Service(Device):
    """State of the service. `jobs` is inherited; the ARN of a task ends in the id of its job."""

    def __init__(self, faults: dict[str, Any]):
        super().__init__(faults)
        self.actions: dict[str, dict[str, Any]] = {CIRCUITS: {}, SETS: {"maximumExecutables": 100}}
        self.remembers_tokens = self.lists_tasks = True
        self.ending = "FAILED"  # status of a task with the fate `fail`
        self.failure = "the chip was warm"
        self.refusal: Reply | None = None  # reply to every new task
        self.denial: Reply | None = None  # reply to every request for a task
        self.spoil = lambda files: files  # edits the files of a result

    def create(self, asked: dict[str, Any]) -> Reply:
        if self.refusal:
            return self.refusal
        for job in self.jobs.values():
            if self.remembers_tokens and job["tag"] == asked["clientToken"]:
                same = job["asked"] == asked
                return (201, {"quantumTaskArn": arn(job)}) if same else fault(400, "ValidationException", "token")
        circuits = [_circuits(program) for program in _programs(asked["action"])]
        self.submit({"tag": asked["clientToken"], "shots": asked["shots"], "values": [0], "asked": asked})
        job = self.jobs[f"job-{len(self.jobs) - 1}"]
        job["circuits"] = sum(circuits)
        return 201, {"quantumTaskArn": arn(job)}

    def search(self, asked: dict[str, Any]) -> Reply:
        (wanted,) = asked["filters"]
        assert (wanted["name"], wanted["operator"]) == ("deviceArn", "EQUAL")
        tasks = [
            self.task(job)
            for job in self.jobs.values()
            if job["fate"] != "lose" and [job["asked"]["deviceArn"]] == wanted["values"] and self.lists_tasks
        ]
        first = int(asked.get("nextToken", 0))  # a page has one task
        more = {"nextToken": str(first + 1)} if first + 1 < len(tasks) else {}
        return 200, {"quantumTasks": tasks[first : first + 1], **more}

    def task(self, job: dict[str, Any]) -> dict[str, Any]:
        done, asked = time.monotonic() >= job["done"], job["asked"]
        state = {
            "status": (self.ending if job["fate"] == "fail" else "COMPLETED") if done else "QUEUED",
            **({"failureReason": self.failure} if done and job["fate"] == "fail" else {}),
        }
        return state | {
            "quantumTaskArn": arn(job), "deviceArn": asked["deviceArn"], "deviceParameters": "{}",
            "shots": asked["shots"], "outputS3Bucket": asked["outputS3Bucket"], "createdAt": "2026-11-28T00:00:00Z",
            "outputS3Directory": f"{asked['outputS3KeyPrefix']}/{job['id']}",
        }  # fmt: skip

    def read(self, key: str) -> str | None:
        """A file of the bucket, or None. A task's files are stored at the first request, so that its measurements do
        not change."""
        for job in self.jobs.values():
            folder = self.task(job)["outputS3Directory"] + "/"
            if key.startswith(folder):
                return self.spoil(job.setdefault("files", _run(job["asked"]))).get(key.removeprefix(folder))
        return None


def arn(job: dict[str, Any]) -> str:
    return f"arn:aws:braket:us-east-1:123456789012:quantum-task/{job['id']}"


def _programs(action: str) -> list[dict[str, Any]]:
    plain = json.loads(action)
    return plain.get("programs", [plain])


def _circuits(program: dict[str, Any]) -> int:
    columns = [values for values in (program.get("inputs") or {}).values() if isinstance(values, list)]
    return len(columns[0]) if columns else 1


def _run(asked: dict[str, Any]) -> dict[str, str]:
    kind = ProgramSet if "programs" in json.loads(asked["action"]) else Program
    result = StateVectorSimulator().run(kind.parse_raw(asked["action"]), shots=asked["shots"])
    return {"results.json": result.json()}


class Handler(Answering):
    device: Service

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.device.lock:
            about = f"{self.path} {asked.get('clientToken')}"
            if self.device.strikes("down", about):
                return self.say(*fault(503, "InternalServiceException", "down"))
            reply = self.device.create(asked) if self.path == "/quantum-task" else self.device.search(asked)
            if "clientToken" in asked and self.device.strikes("mute", about):
                return None
        return self.say(*reply)

    def do_GET(self) -> None:
        room, *rest = [unquote(part) for part in urlparse(self.path).path.split("/") if part]
        with self.device.lock:
            if room == "device":
                return self.say(*self.described("/".join(rest)))
            if self.device.strikes("down", self.path):
                return self.say(*fault(503, "InternalServiceException", "down"))
            if room == BUCKET:
                body = self.device.read("/".join(rest))
                gone = "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"
                return self.say(404, gone) if body is None else self.say(200, body)
            if self.device.denial:
                return self.say(*self.device.denial)
            job = self.device.jobs.get("/".join(rest).rpartition("/")[2])
            if job is None or job["fate"] == "lose":
                return self.say(*fault(404, "ResourceNotFoundException", "no such task"))
            return self.say(200, self.device.task(job))

    def described(self, device: str) -> Reply:
        if device not in (QPU, SIMULATOR):
            return fault(404, "ResourceNotFoundException", "no such device")
        actions = self.device.actions
        return 200, {
            "deviceArn": device, "deviceName": "one", "providerName": "somebody", "deviceType": "QPU",
            "deviceStatus": "ONLINE", "deviceCapabilities": json.dumps({"action": actions}),
        }  # fmt: skip

    def say(self, code: int, content: Any) -> None:
        body = (content if isinstance(content, str) else json.dumps(content)).encode()
        error = content.get("__type") if isinstance(content, dict) else None
        self.answer(code, body, **({"x_amzn_ErrorType": error} if error else {}))


@contextmanager
def reachable(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[Service]:
    """Context manager: run the service where AWS's client looks for it, with an account in its credentials file."""
    service = Service({})
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    lines = ["[default]", *(f"{name} = {value}" for name, value in zip(names, ACCOUNT, strict=True))]
    (folder / "credentials").write_text("\n".join(lines))
    for name in ("AWS_PROFILE", "AWS_REGION", *(name.upper() for name in names), "AMZN_BRAKET_TASK_RESULTS_S3_URI"):
        monkeypatch.delenv(name, raising=False)
    settings = {
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"), "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1", "AWS_DEFAULT_REGION": "us-west-2",
        "AMZN_BRAKET_OUT_S3_BUCKET": BUCKET,
    }  # fmt: skip
    with serving(Handler, service) as address:
        for name, value in {**settings, "BRAKET_ENDPOINT": address, "AWS_ENDPOINT_URL_S3": address}.items():
            monkeypatch.setenv(name, value)
        yield service
