"""Measurement results from Amazon Braket: each of their forms is read, and invalid ones are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("braket.devices", reason="needs the extra braket")

from neurobench.config.errors import UserError
from tests.devices.braket_server import QPU, Service
from tests.devices.test_braket_jobs import ask, require_paid_once, require_right

NEWER = json.dumps({"braketSchemaHeader": {"name": "braket.task_result.program_set_task_result", "version": "2"}})


def edited(change: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, str]], dict[str, str]]:
    """Function that applies a change to the first program's results."""

    def spoil(files: dict[str, str]) -> dict[str, str]:
        whole = json.loads(files["results.json"])
        change(whole["programResults"][0])
        return {"results.json": json.dumps(whole)}

    return spoil


def shorten(program: dict[str, Any]) -> None:
    program["executableResults"][0]["measurements"].pop()


def lose_one(program: dict[str, Any]) -> None:
    program["executableResults"].pop()


def lose_a_qubit(program: dict[str, Any]) -> None:
    for one in program["executableResults"]:
        one["measuredQubits"] = [0, 1]
        one["measurements"] = [shot[:2] for shot in one["measurements"]]


def rename_qubits(program: dict[str, Any]) -> None:
    program["executableResults"][0]["measuredQubits"] = [5, 6, 7]


def repeat(program: dict[str, Any]) -> None:
    program["executableResults"][0] = program["executableResults"][-1]


def say_nothing(program: dict[str, Any]) -> None:
    program["executableResults"][0]["measurements"] = None


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (edited(shorten), "do not add up to the 500 shots of each circuit"),
        (edited(lose_one), r"shape \(1, 8\), where \(2, 8\) was requested"),
        (edited(lose_a_qubit), r"shape \(2, 4\), where \(2, 8\) was requested"),
        (edited(rename_qubits), r"an unreadable answer.*: qubits \[5, 6, 7\] were measured"),
        (edited(repeat), r"an unreadable answer.*: circuits are numbered \[1, 1\]"),
        (edited(say_nothing), r"an unreadable answer.*: measurements of shape \(0,\)"),
        (lambda files: {"results.json": "no JSON"}, "an unreadable answer"),
        (lambda files: {"results.json": NEWER}, "an unreadable answer.*: .*program_set_task_result_v2.*upgrade"),
        (lambda files: {}, "results.json is gone, .* Restore it, or start again without --resume"),
    ],
)
def test_an_invalid_answer_is_refused_with_the_devices_name_and_not_stored(
    braket: Service, folder: Path, spoil: Any, sentence: str
) -> None:
    braket.spoil = spoil
    with pytest.raises(UserError, match=f"{QPU}.*{sentence}"):
        ask(folder)
    assert not list(folder.glob("jobs/*"))
    braket.spoil = lambda files: files
    require_right(ask(folder))
    require_paid_once(braket)


def test_a_job_with_a_circuit_that_was_not_run_counts_as_failed(braket: Service, folder: Path) -> None:
    def fail(program: dict[str, Any]) -> None:
        program["executableResults"][0] = {
            "braketSchemaHeader": {"name": "braket.task_result.program_set_executable_failure", "version": "1"},
            "inputsIndex": 0,
            "failureMetadata": {"failureReason": "laser", "retryable": True, "category": "DEVICE"},
        }

    braket.spoil = edited(fail)
    with pytest.raises(UserError, match="dropped a job 3 times, .*1 of 2 circuits were not run: laser"):
        ask(folder)


def reverse(program: dict[str, Any]) -> None:
    """Reverse the circuits, and the qubits of each."""
    program["executableResults"].reverse()
    for one in program["executableResults"]:
        one["measuredQubits"].reverse()
        one["measurements"] = [shot[::-1] for shot in one["measurements"]]


def count_shots(program: dict[str, Any]) -> None:
    """Replace shots by frequencies, as in answers of IonQ's processors."""
    for one in program["executableResults"]:
        shots = ["".join(map(str, shot)) for shot in one.pop("measurements")]
        one["measurementProbabilities"] = {state: shots.count(state) / len(shots) for state in set(shots)}


def in_files(files: dict[str, str]) -> dict[str, str]:
    """Move each circuit's result to a separate file, as large tasks are stored."""
    whole = json.loads(files["results.json"])
    (program,) = whole["programResults"]
    parts = {f"programs/0/executables/{k}.json": one for k, one in enumerate(program["executableResults"])}
    program["executableResults"] = [name.removeprefix("programs/0/") for name in parts]
    whole["programResults"] = ["programs/0/results.json"]
    parts |= {"programs/0/results.json": program, "results.json": whole}
    return {name: json.dumps(part) for name, part in parts.items()}


@pytest.mark.parametrize("form", [edited(reverse), edited(count_shots), in_files])
def test_each_form_of_an_answer_gives_the_same_counts(braket: Service, folder: Path, form: Any) -> None:
    first = ask(folder)
    for answer in (folder / "jobs").iterdir():
        answer.unlink()
    braket.spoil = form
    assert torch.equal(ask(folder).counts, first.counts)
    require_paid_once(braket)
