"""Data sets as the models get them, without a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurobench.api.words import folder_of, override_words
from neurobench.config.compose import choices

if TYPE_CHECKING:
    from neurobench.data.dataset import Splits


def names(config_dir: str | Path | None = None) -> list[str]:
    """All data sets, those of a folder of your own among them."""
    return choices("dataset", folder_of(config_dir))


def load(name: str, *, seed: int = 0, config_dir: str | Path | None = None, **keys: Any) -> Splits:
    """Train, validation and test of a data set as a run of this seed has them: `load("nmnist", root="data")`.

    `keys` are those of the section `dataset`. Each split has `x`, `y` (N,) int64 and `ids`; `x` are vectors (N, D) or
    images (N, C, H, W), float32 in [0, 1], or recordings (`Events`).

    Raises ConfigError where there is no such data set or key, and DataError where its files are damaged or missing.
    """
    from neurobench.data.sound import sound
    from neurobench.experiment.plan import spawn
    from neurobench.experiment.request import dataset_of

    settings = {f"dataset.{key}": value for key, value in keys.items()}
    spec = dataset_of(override_words([f"dataset={name}"], settings), folder_of(config_dir))
    return sound(spec.load(spawn(seed).data), spec.n_classes)
