"""Data sets as models receive them, without a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurobench.api.overrides import folder_of, override_words
from neurobench.api.torch_state import usual_torch
from neurobench.config.compose import choices

if TYPE_CHECKING:
    from neurobench.data.dataset import Splits


def names(config_dir: str | Path | None = None) -> list[str]:
    """Names of all data sets, including those in a folder of your own."""
    return choices("dataset", folder_of(config_dir))


@usual_torch()
def load(name: str, *, seed: int = 0, config_dir: str | Path | None = None, **keys: Any) -> Splits:
    """Train, validation and test splits of a data set as in a run with this seed: `load("nmnist", root="data")`.

    `keys` are those of the configuration section `dataset`. Each split has `x`, `y` (N,) int64 and `ids`; `x` are
    vectors (N, D) or images (N, C, H, W), float32 in [0, 1], or recordings (`Events`).

    Raises ConfigError if there is no such data set or key, and DataError if its files are damaged or missing.
    """
    from neurobench.data.checks import load_checked
    from neurobench.experiment.plan import spawn
    from neurobench.experiment.request import dataset_of

    settings = {f"dataset.{key}": value for key, value in keys.items()}
    spec = dataset_of(override_words([f"dataset={name}"], settings), folder_of(config_dir))
    return load_checked(spec, spawn(seed).data)
