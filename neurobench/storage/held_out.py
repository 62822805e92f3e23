"""What a run reached on held-out samples: the only figures by which settings may be chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurobench.config.errors import UserError
from neurobench.storage.folder import RunFolder

# Best first, where nobody says by which figure settings are chosen.
PREFERRED = ("validation_accuracy", "readout_validation_accuracy", "validation_loss")


def held_out_figures(folder: RunFolder, result: Mapping[str, Any]) -> dict[str, float]:
    """Every figure of held-out samples: of the result, and of the epoch that the run ended in (or went back to)."""
    rows = folder.metrics()
    row = rows[(result.get("best_epoch") or len(rows)) - 1] if rows else {}
    figures = {**row, **result["metrics"]}
    return {key: value for key, value in figures.items() if "validation" in key}


def judge(folder: RunFolder, figure: str) -> float:
    """A finished run's figure of held-out samples. Raises UserError where it has none of that name."""
    result = folder.result()
    assert result is not None
    figures = held_out_figures(folder, result)
    if figure not in figures:
        names = ", ".join(figures) or "none of held-out samples"
        raise UserError(f"figure={figure} is not a figure of this run; it has {names}")
    return figures[figure]
