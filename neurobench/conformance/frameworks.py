"""Frameworks, each run in a separate environment."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neurobench.config.errors import UserError, did_you_mean
from neurobench.conformance.cases import DT, Case, cases
from neurobench.conformance.verdicts import Answer, Verdict, verdict
from neurobench.problems.nir_file import nir_package

FOREIGN = Path(__file__).with_name("foreign.py")
SECONDS = 1800  # time limit for the run of a framework


@dataclass(frozen=True)
class Framework:
    """A framework. `dt`: seconds per step that its importer assumes for any graph; None if it uses the graph's."""

    name: str
    dt: float | None


FRAMEWORKS = {
    each.name: each
    for each in (
        Framework("norse", None),
        Framework("snntorch", 1e-4),
        Framework("spikingjelly", None),
        Framework("sinabs", 1.0),
        Framework("rockpool", None),
    )
}


@dataclass(frozen=True)
class Conformance:
    framework: str
    versions: dict[str, str]
    verdicts: list[Verdict]


def framework_of(name: str) -> Framework:
    """Framework of that name. Raises UserError if there is none."""
    if name not in FRAMEWORKS:
        hint = did_you_mean(name, FRAMEWORKS)
        raise UserError(f"there is no framework {name!r}; there are {', '.join(FRAMEWORKS)}.{hint}")
    return FRAMEWORKS[name]


def conform(framework: Framework, python: Path) -> Conformance:
    """Run every case with the interpreter of the framework's environment. Raises UserError if that fails."""
    if not python.is_file():
        raise UserError(f"there is no {python}. `make conform-{framework.name}` creates it, or name one with --python.")
    chosen = cases(framework.dt or DT)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        possible = [case for case in chosen if not (case.own_dt and framework.dt)]
        _hand_over(possible, folder)
        _run([str(python), str(FOREIGN), framework.name, str(folder)], framework)
        if not (folder / "versions.json").is_file():  # it is written last
            raise UserError(f"{python} wrote no answers: it is not a Python interpreter. Name {framework.name}'s.")
        verdicts = [verdict(case, _answer(folder / f"{k}.answer.npz")) for k, case in enumerate(possible)]
        versions = json.loads((folder / "versions.json").read_text())
    for case in chosen:
        if case not in possible:
            sentence = f"its importer assumes a step of {framework.dt:g} s, and no other"
            verdicts.append(Verdict(case.name, case.kind, "unsupported", sentence))
    return Conformance(framework.name, versions, verdicts)


def _hand_over(chosen: Sequence[Case], folder: Path) -> None:
    for k, case in enumerate(chosen):
        nir_package().write(folder / f"{k}.nir", case.graph)
        np.savez(folder / f"{k}.npz", x=case.x, dt=case.dt)


def _run(words: list[str], framework: Framework) -> None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=SECONDS)
    except OSError as fault:
        raise UserError(f"{words[0]} cannot be started: {fault.strerror}. Name {framework.name}'s Python.") from fault
    except subprocess.TimeoutExpired as fault:
        raise UserError(f"{framework.name} did not finish within {SECONDS} s.") from fault
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or [_end(done.returncode)]
        raise UserError(f"{words[0]} cannot run {framework.name}: {said[0]}")


def _end(code: int) -> str:
    """How a process ended that wrote no error."""
    return f"it was ended by signal {-code}, as if memory was short" if code < 0 else f"it ended with exit code {code}"


def _answer(file: Path) -> Answer:
    given = np.load(file)
    sentences = {key: str(given[key]) for key in ("refusal", "failure") if key in given}
    arrays = {key: given[key] for key in ("y", "v") if key in given}
    return Answer(**arrays, **sentences)  # type: ignore[arg-type]
