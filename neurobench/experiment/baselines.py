"""Baseline accuracies on the task without the model, with which a result is compared."""

from __future__ import annotations

from torch import Tensor

from neurobench.data.dataset import Splits
from neurobench.models.common import readout

CHEAP = 5_000_000  # values in all training samples: a logistic regression of that many takes a second on one core
L2, ITERATIONS = 1e-4, 100


def baselines(splits: Splits) -> dict[str, float]:
    """Test accuracy of always predicting the most common training class; and, if samples are vectors or images of few
    enough values, of logistic regression on these values, with a fixed penalty: nothing is tuned."""
    train, test = splits.train, splits.test
    commonest = int(train.y.bincount().argmax())
    accuracies = {"majority_class": float((test.y == commonest).double().mean())}
    if isinstance(train.x, Tensor) and isinstance(test.x, Tensor) and train.x.numel() <= CHEAP:
        n_classes = 1 + int(max(train.y.max(), test.y.max()))
        fitted = readout.fit(train.x.flatten(1), train.y, n_classes, L2, ITERATIONS)
        accuracies["logistic_regression"] = readout.accuracy(fitted, test.x.flatten(1), test.y)
    return accuracies
