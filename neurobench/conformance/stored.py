"""Stored conformance results, one file per framework."""

from __future__ import annotations

import json
from pathlib import Path

from neurobench.conformance import FOLDER
from neurobench.conformance.frameworks import FRAMEWORKS, Conformance
from neurobench.conformance.verdicts import Verdict


def stored_file(outputs: Path, framework: str) -> Path:
    return outputs / FOLDER / f"{framework}.json"


def stored(outputs: Path) -> list[Conformance]:
    """Results of every framework that was run."""
    results = []
    for name in FRAMEWORKS:
        if (file := stored_file(outputs, name)).is_file():
            plain = json.loads(file.read_text())
            verdicts = [Verdict(**each) for each in plain["verdicts"]]
            results.append(Conformance(plain["framework"], plain["versions"], verdicts))
    return results
