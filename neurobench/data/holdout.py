"""Which training samples are held out for validation."""

from __future__ import annotations

import numpy as np

from neurobench.data.dataset import DataError


def hold_out(n: int, validation: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions (n - validation,) to train on and (validation,) to hold out, int64, each ascending.

    The held-out samples are the END of a permutation drawn with `seed`, so a larger validation set contains
    every smaller one.
    """
    if not 0 <= validation < n:
        raise DataError(
            f"validation={validation} of {n} training samples leaves none to train on. Ask for fewer than {n}."
        )
    order = np.random.default_rng(seed).permutation(n)
    return np.sort(order[: n - validation]), np.sort(order[n - validation :])
