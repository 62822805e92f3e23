"""Small networks that ship as baselines."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from math import ceil, prod

from torch import nn


class Affine(nn.Sequential):
    """Affine map of the values to logits: with cross-entropy, multinomial logistic regression."""

    def __init__(self, shape: Sequence[int], n_classes: int):
        super().__init__(nn.Flatten(), nn.Linear(prod(shape), n_classes))


class CNN(nn.Sequential):
    """Twice 3x3 convolution, ReLU and 2x2 max pooling, then hidden units with ReLU and dropout, then logits.

    shape: (C, H, W) of an image, with values in [0, 1]. channels: outputs of the first and the second convolution.
    Raises ValueError for layers without units.
    """

    def __init__(self, shape: Sequence[int], n_classes: int, channels: Sequence[int], hidden: int, dropout: float):
        planes, (first, second) = shape[0], channels
        if min(first, second, hidden) < 1:
            raise ValueError(f"channels={list(channels)} and hidden={hidden} are not all at least 1")
        rows, columns = (ceil(ceil(side / 2) / 2) for side in shape[1:])  # after both poolings
        layers = {
            "conv_1": nn.Conv2d(planes, first, 3, padding=1),
            "relu_1": nn.ReLU(),
            "pool_1": nn.MaxPool2d(2, ceil_mode=True),
            "conv_2": nn.Conv2d(first, second, 3, padding=1),
            "relu_2": nn.ReLU(),
            "pool_2": nn.MaxPool2d(2, ceil_mode=True),
            "flat": nn.Flatten(),
            "hidden": nn.Linear(second * rows * columns, hidden),
            "relu": nn.ReLU(),
            "dropout": nn.Dropout(dropout),
            "out": nn.Linear(hidden, n_classes),
        }
        super().__init__(OrderedDict(layers))
