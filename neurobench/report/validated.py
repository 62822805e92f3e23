"""The figure of held-out samples by which settings are chosen and sorted. A figure of the test set never is one."""

from __future__ import annotations

import contextlib
from pathlib import Path

from neurobench.storage.files import Damaged
from neurobench.storage.store import Entry

FIGURES = ("validation_accuracy", "readout_validation_accuracy")  # of a result, or of the epoch that a run ended in


def validation_accuracy(entry: Entry, outputs: Path) -> float | None:
    """Of a finished run; None where nothing was held out, where what was held out is the test set, or where the model
    predicts no class of held-out samples."""
    result = entry.result
    if result is None or result["data"].get("validation_is_tested") or result["data"].get("n_validation") == 0:
        return None
    figures = dict(result["metrics"])
    if not any(name in figures for name in FIGURES):
        with contextlib.suppress(Damaged):
            rows = entry.folder(outputs).metrics()
            last = result.get("best_epoch") or len(rows)
            figures = rows[last - 1] if 0 < last <= len(rows) else {}
    return next((figures[name] for name in FIGURES if name in figures), None)
