"""From images in [0, 1] to the states of visible units."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from neurobench.data.dataset import DataError


def count(shape: tuple[int, ...]) -> int:
    """How many visible units an image of this shape needs."""
    return prod(shape)


def visible(x: Tensor, threshold: float | None) -> Tensor:
    """(B, ...) in [0, 1] -> (B, V): 1 where a pixel is brighter than the threshold; as it is where that is None."""
    flat = x.flatten(1)
    return flat if threshold is None else torch.gt(flat, threshold, out=torch.empty_like(flat))


def check(x: Tensor) -> None:
    """Refuse pixels that are not probabilities, and images that tell nothing."""
    if not len(x):
        raise DataError("the training split is empty: there is nothing to learn from")
    low, high = (float(bound) for bound in torch.aminmax(x))
    if not (low >= 0 and high <= 1):  # also where either is NaN
        scale = " (0 to 255? divide by 255)" if high > 1 else ""
        raise DataError(f"training pixels span [{low:g}, {high:g}]; they must be finite and in [0, 1]{scale}")
    if low == high:
        raise DataError(f"every training pixel is {low:g}: a constant image set has nothing to learn")
