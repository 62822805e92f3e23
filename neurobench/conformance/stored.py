"""Stored conformance results, one file per framework."""

from __future__ import annotations

import json
from pathlib import Path

from neurobench.config.errors import UserError
from neurobench.conformance import FOLDER
from neurobench.conformance.frameworks import FRAMEWORKS, Conformance
from neurobench.conformance.verdicts import Verdict


def stored_file(outputs: Path, framework: str) -> Path:
    return outputs / FOLDER / f"{framework}.json"


def stored(outputs: Path) -> list[Conformance]:
    """Results of every framework that was run. Raises UserError if one of their files is damaged."""
    results = []
    for name in FRAMEWORKS:
        if (file := stored_file(outputs, name)).is_file():
            try:
                plain = json.loads(file.read_text())
                verdicts = [Verdict(**each) for each in plain["verdicts"]]
                results.append(Conformance(plain["framework"], dict(plain["versions"]), verdicts))
            except (ValueError, LookupError, TypeError) as fault:
                remedy = f"Delete it, or run `neurobench conform {name}` again"
                raise UserError(f"{file} is damaged ({type(fault).__name__}: {fault}). {remedy}.") from fault
    return results
