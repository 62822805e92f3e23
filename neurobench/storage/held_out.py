"""Figures of a run on held-out samples, the only ones by which settings may be chosen. A figure of the test set never
is one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

from neurobench.config.errors import UserError
from neurobench.storage.files import Damaged
from neurobench.storage.folder import RunFolder

READOUT = "readout_validation_accuracy"  # of a model whose readout is fitted after its last epoch
# Best first, if the user does not name the figure for ranking settings.
ACCURACIES = (READOUT, "validation_accuracy")
PREFERRED = (*ACCURACIES, "validation_loss")


def held_out_figures(folder: RunFolder, result: Mapping[str, Any]) -> dict[str, float]:
    """All figures on held-out samples: of the result, and of the epoch that the run ended in (or returned to). Empty if
    nothing was held out, or if the held-out samples are the test set.

    The accuracy of a readout is also the model's `validation_accuracy`, and replaces an epoch's loss and accuracy:
    these are of a model whose readout had not been fitted yet."""
    if result["data"].get("n_validation") == 0 or _is_tested(folder, result):
        return {}
    row: dict[str, float] = {}
    with contextlib.suppress(Damaged):
        rows = {each["epoch"]: each for each in folder.metrics()}
        # The number of epochs is that of the result: of a file that was cut, the last line is an earlier epoch's
        row = rows.get(result.get("best_epoch") or result.get("epochs") or max(rows, default=0), {})
    if READOUT in result["metrics"]:
        row = {key: value for key, value in row.items() if key not in PREFERRED}
        row["validation_accuracy"] = result["metrics"][READOUT]
    return {key: value for key, value in {**row, **result["metrics"]}.items() if "validation" in key}


def ranking_figure(runs: Iterable[Mapping[str, float]], names: Iterable[str] = PREFERRED) -> str | None:
    """The first of `names` that every run has among its `held_out_figures`, or None."""
    runs = list(runs)
    return next((name for name in names if all(name in figures for figures in runs)), None)


def judge(folder: RunFolder, figure: str) -> float:
    """Figure of a finished run on held-out samples. Raises UserError if it has none of that name."""
    result = folder.result()
    assert result is not None
    figures = held_out_figures(folder, result)
    if figure not in figures:
        names = ", ".join(figures) or "none on held-out samples"
        raise UserError(f"figure={figure} is not a figure of this run; it has {names}")
    return figures[figure]


def _is_tested(folder: RunFolder, result: Mapping[str, Any]) -> bool:
    """Whether the held-out samples are the test set. Results of earlier versions do not say so, but configurations do:
    these are searched as text, since parsing thousands of them takes too long."""
    if "validation_is_tested" in result["data"]:
        return bool(result["data"]["validation_is_tested"])
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return "test_as_validation: true" in (folder.path / "config.yaml").read_text(encoding="utf-8")
    return False
