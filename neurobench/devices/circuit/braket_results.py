"""Results of an Amazon Braket task in its folder: one file, or one that names others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from braket.schema_common import BraketSchemaBase
from braket.task_result import (
    GateModelTaskResult,
    ProgramResult,
    ProgramSetExecutableResult,
    ProgramSetTaskResult,
)
from braket.tasks.measurement_utils import measurements_from_measurement_probabilities

from neurobench.devices.circuit.braket_circuits import counts_of
from neurobench.devices.jobs import JobGone

FILE = "results.json"
Fetch = Callable[[str], str]  # text of a file, by its key in the bucket


def read_counts(folder: str, shots: int, fetch: Fetch) -> np.ndarray:
    """Counts (circuits, 2^n) of a task with `shots` in total, in the order in which the circuits were sent.

    Raises JobGone if a circuit was not run, and ValueError if the files do not have the expected content.
    """
    whole = _read(FILE, folder, fetch)
    if isinstance(whole, GateModelTaskResult):
        measured = [whole]
    elif isinstance(whole, ProgramSetTaskResult):
        base = whole.s3Location[1] if whole.s3Location else folder
        measured = [one for part in whole.programResults for one in _executables(part, base, fetch)]
    else:
        raise ValueError(f"a {type(whole).__name__} in {folder}/{FILE}")
    return np.stack([_counts(one, shots // len(measured)) for one in measured])


def _executables(part: ProgramResult | str, folder: str, fetch: Fetch) -> list[ProgramSetExecutableResult]:
    """Measurements of a program, ordered by the numbers of its inputs."""
    inner = f"{folder}/{part}".removesuffix(f"/{FILE}") if isinstance(part, str) else folder
    measured = [_read(one, inner, fetch) for one in _read(part, folder, fetch).executableResults]
    if failed := [one for one in measured if not isinstance(one, ProgramSetExecutableResult)]:
        about = getattr(failed[0], "failureMetadata", None)
        reason = about.failureReason if about else "no reason given"
        raise JobGone(f"{len(failed)} of {len(measured)} circuits were not run: {reason}")
    measured.sort(key=lambda one: one.inputsIndex)
    if (numbers := [one.inputsIndex for one in measured]) != list(range(len(measured))):
        raise ValueError(f"circuits are numbered {numbers}")
    return measured


def _read(part: Any, folder: str, fetch: Fetch) -> Any:
    if not isinstance(part, str):
        return part
    try:
        return BraketSchemaBase.parse_raw_schema(fetch(f"{folder}/{part}"))
    except ImportError as error:  # a schema that this SDK is too old for
        raise ValueError(str(error)) from None


def _counts(measured: GateModelTaskResult | ProgramSetExecutableResult, shots: int) -> np.ndarray:
    """Counts of a circuit: some devices return every shot, others the fraction of `shots` per state."""
    bits = measured.measurements
    if not bits:
        bits = measurements_from_measurement_probabilities(measured.measurementProbabilities or {}, shots)
    return counts_of(bits, measured.measuredQubits or [])
