"""From images in [0, 1] to the states of visible units."""

from __future__ import annotations

import torch
from torch import Tensor

from neurobench.data.dataset import DataError


def visible(x: Tensor, threshold: float | None, side: int | None = None) -> Tensor:
    """(B, ...) in [0, 1] -> (B, V): 1 where a pixel is brighter than the threshold; as it is where that is None.

    side: images (B, C, H, W) are brought down to so many pixels each way before.
    """
    flat = (x if side is None else averaged(x, side)).flatten(1)
    return flat if threshold is None else torch.gt(flat, threshold, out=torch.empty_like(flat))


def averaged(x: Tensor, side: int) -> Tensor:
    """Each of side x side pixels is the mean over its area of the image, parts of pixels counted as such.

    (B, C, H, W) -> (B, C, side, side)
    """
    down, across = (shares(pixels, side).to(x) for pixels in x.shape[-2:])
    return down.t() @ x @ across


def shares(pixels: int, side: int) -> Tensor:
    """Part of pixel p in the mean over the s-th of `side` equal stretches.   (pixels, side), columns sum to 1"""
    edges = torch.arange(side + 1, dtype=torch.float64) * pixels / side
    p = torch.arange(pixels, dtype=torch.float64)[:, None]
    overlap = (torch.minimum(edges[1:], p + 1) - torch.maximum(edges[:-1], p)).clamp(min=0)
    return overlap * side / pixels


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
