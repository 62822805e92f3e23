"""Devices of Amazon Braket, with the account of AWS's configuration: `aws configure`, AWS_PROFILE, a role.

The tag of a task is used twice. It is the client token of the request: AWS accepts a token once, and answers the same
request with the same task. It also names the folder of the results, by which a search finds the task.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import boto3
import numpy as np
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError
from braket.aws import AwsSession

from neurobench.config.errors import UserError
from neurobench.config.secrets import hide
from neurobench.devices.circuit.braket_circuits import action
from neurobench.devices.circuit.braket_results import read_counts
from neurobench.devices.circuit.queued import CircuitJob, QueuedSampling
from neurobench.devices.circuit.vendor_specs import Braket
from neurobench.devices.jobs import JobGone, Jobs, JobUnknown, Limits, Unreachable

CIRCUITS, SETS = "braket.ir.openqasm.program", "braket.ir.openqasm.program_set"  # actions of a device
FOLDER = "AMZN_BRAKET_TASK_RESULTS_S3_URI"  # the SDK's variable
LATER = ". No job is lost: if the account is at fault, correct it, then continue with --resume."


def open_device(spec: Braket, jobs: Jobs) -> QueuedSampling:
    """Open a device. Raises UserError if there is no account, or no such device in it, or if it takes no such jobs."""
    try:
        with translated_faults(spec.device):
            region = spec.device.split(":")[3] or os.environ.get("AWS_REGION")  # boto3 does not read AWS_REGION
            session = AwsSession(boto3.Session(region_name=region))
            hide_credentials(session)
            actions = json.loads(session.get_device(spec.device)["deviceCapabilities"])["action"]
    except Unreachable as error:
        raise UserError(f"{spec.device} cannot be reached ({error}). No job is lost: try again later.") from None
    except (UserError, ValueError) as error:  # ValueError: invalid values in AWS's variables
        raise UserError(
            f"backend.circuit.device cannot be opened: {error}. The account comes from AWS's own configuration: "
            "aws configure, AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment."
        ) from None
    if CIRCUITS not in actions:
        raise UserError(f"{spec.device} does not run gate circuits")
    most = actions[SETS]["maximumExecutables"] if SETS in actions else 1
    if spec.job > most:
        many = "one circuit" if most == 1 else f"at most {most} circuits"
        raise UserError(f"{spec.device} takes {many} per task: set backend.circuit.job={most}")
    queue = BraketQueue(session, spec.device, SETS in actions)
    return QueuedSampling(spec.device, queue, jobs, Limits(spec.max_shots, None), lambda program: None)


@contextmanager
def translated_faults(name: str, advice: str = "") -> Iterator[None]:
    """Context manager: AWS's errors become Unreachable if a retry may succeed, else UserError, with the advice."""
    try:
        yield
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) in (429, *range(500, 600)):
            raise Unreachable(str(error)) from None
        raise UserError(f"{name}: {str(error).rstrip('.')}{advice}") from None
    except (ConnectionError, HTTPClientError) as error:
        raise Unreachable(str(error)) from None
    except BotoCoreError as error:
        raise UserError(f"{name}: {str(error).rstrip('.')}{advice}") from None


def hide_credentials(session: AwsSession) -> None:
    """Hide the credentials now in use from messages; repeated, since those of a role change while a run waits."""
    if credentials := session.boto_session.get_credentials():
        frozen = credentials.get_frozen_credentials()
        for secret in (frozen.access_key, frozen.secret_key, frozen.token):
            hide(secret)


class BraketQueue:
    """Braket's queue, see `neurobench.devices.jobs.Queue`."""

    def __init__(self, session: AwsSession, device: str, sets: bool):
        """`sets`: whether the device takes many circuits at once."""
        self.session, self.device, self.sets = session, device, sets

    def submit(self, content: CircuitJob, tag: str) -> str:
        with self._asked():
            bucket, folder = self._destination()
            return self.session.create_quantum_task(
                clientToken=_mark(tag),
                deviceArn=self.device,
                shots=len(content.values) * content.shots,
                outputS3Bucket=bucket,
                outputS3KeyPrefix=f"{folder}/{_mark(tag)}",
                action=action(content.program, content.values, self.sets),
            )

    def find(self, tag: str) -> str | None:
        filters = [{"name": "deviceArn", "operator": "EQUAL", "values": [self.device]}]
        with self._asked():
            for page in self.session.braket_client.get_paginator("search_quantum_tasks").paginate(filters=filters):
                for task in page["quantumTasks"]:
                    if _mark(tag) in task["outputS3Directory"].split("/"):
                        return task["quantumTaskArn"]
        return None

    def collect(self, job: str) -> np.ndarray | None:
        with self._asked():
            task = self._task(job)
            if task["status"] in ("FAILED", "CANCELLED"):
                raise JobGone(f"{task['status'].lower()}: {task.get('failureReason', 'no reason given')}")
            if task["status"] != "COMPLETED":
                return None
            try:
                return read_counts(
                    task["outputS3Directory"], task["shots"], partial(self._file, task["outputS3Bucket"])
                )
            except ValueError as error:
                raise UserError(f"{self.device} returned an unreadable answer to {job}: {error}") from None

    def _task(self, job: str) -> dict[str, Any]:
        client = self.session.braket_client
        try:
            return client.get_quantum_task(quantumTaskArn=job)
        except client.exceptions.ResourceNotFoundException:
            raise JobUnknown from None

    def _file(self, bucket: str, key: str) -> str:
        client = self.session.s3_client
        try:
            return client.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
        except client.exceptions.NoSuchKey:
            raise UserError(
                f"{self.device}: s3://{bucket}/{key} is gone, the answer to a task that AWS billed. Restore it, or "
                "start again without --resume."
            ) from None

    def _destination(self) -> tuple[str, str]:
        """Bucket and folder of the results, chosen as the SDK does."""
        try:
            if uri := os.environ.get(FOLDER):
                return AwsSession.parse_s3_uri(uri)
            return self.session.default_bucket(), "tasks"
        except ValueError as error:
            raise UserError(
                f"{self.device}: there is no bucket for its results: {error}. Set {FOLDER}=s3://amazon-braket-NAME/FOLDER"
            ) from None

    @contextmanager
    def _asked(self) -> Iterator[None]:
        with translated_faults(self.device, LATER):
            hide_credentials(self.session)
            yield


def _mark(tag: str) -> str:
    """Hash of a tag, valid in its characters and length for tokens and folders."""
    return hashlib.sha256(tag.encode()).hexdigest()
