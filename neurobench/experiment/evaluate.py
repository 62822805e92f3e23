"""The figures of a settled learner on data that it never learned from."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from neurobench.data.dataset import Split
from neurobench.metrics.classification import confusion_matrix, wilson_interval
from neurobench.metrics.means import means
from neurobench.models.learner import Learner

BATCH = 1000  # samples predicted at once: bounds memory, changes no figure


@dataclass(frozen=True)
class Evaluation:
    """Figures, and the predictions that they come from."""

    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]  # 95 %, for the proportions among the metrics
    predicted: Tensor  # (N,) int64
    confusion: Tensor  # (n_classes, n_classes) int64, row: true class


def mean_measures(learner: Learner, split: Split) -> dict[str, float]:
    """The learner's own measures, as means over a split's samples."""
    sums: dict[str, float] = {}
    for index in torch.arange(len(split)).split(BATCH):
        for name, value in learner.measure(split.batch(index)).items():
            sums[name] = sums.get(name, 0.0) + value
    return means(sums, len(split))


def evaluate(learner: Learner, test: Split, n_classes: int) -> Evaluation:
    """Predict every test sample once. Raises ValueError where a score is not finite."""
    predicted = []
    for index in torch.arange(len(test)).split(BATCH):
        scores = learner.predict(test.batch(index).x).cpu()
        if not torch.isfinite(scores).all():
            raise ValueError("the model's scores are not finite: there is no accuracy to report")
        predicted.append(scores.argmax(1))
    classes = torch.cat(predicted)
    correct = int((classes == test.y).sum())
    measured = {f"test_{name}": value for name, value in mean_measures(learner, test).items()}
    return Evaluation(
        metrics={**measured, "test_accuracy": correct / len(test)},
        intervals={"test_accuracy": wilson_interval(correct, len(test))},
        predicted=classes,
        confusion=confusion_matrix(test.y, classes, n_classes),
    )
