"""Figures of a classifier on a test set."""

import math

import torch
from torch import Tensor


def confusion_matrix(y: Tensor, predicted: Tensor, n_classes: int) -> Tensor:
    """(n_classes, n_classes) int64 counts; row: true class, column: predicted class. y, predicted: (N,) int64."""
    return torch.bincount(y * n_classes + predicted, minlength=n_classes**2).reshape(n_classes, n_classes)


def wilson_interval(correct: int, n: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Interval of a proportion, 95 % by default (Wilson 1927, as in Brown, Cai and DasGupta 2001, eq. 4).

    Stays inside [0, 1] and honest for small n and proportions near 1, where the usual +- does not.
    """
    p = correct / n
    centre = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)
