"""The figures that NEST's tutorial prints: loss and error of its iterations, and of its test phase."""

from __future__ import annotations

from collections.abc import Mapping

from neurobench.data.dataset import Splits
from neurobench.models.eprop.learner import EpropLearner, sums
from neurobench.models.eprop.network import Response
from neurobench.models.learner import TrainingRecord

ITERATIONS = (1, 2, 3, 4, 5, 10, 20, 50, 100, 200)


def tutorial_metrics(learner: EpropLearner, splits: Splits, record: TrainingRecord) -> Mapping[str, float]:
    """In the test phase the stream goes on, with targets, at learning rate 0. A source that is silent when the test
    begins still applies its last gradient, to which errors on the test's first targets can belong."""
    metrics = {}
    for number, (loss, accuracy) in enumerate(zip(*_courses(record), strict=True), 1):
        if number in ITERATIONS:
            metrics[f"loss_iteration_{number}"] = loss
            metrics[f"error_iteration_{number}"] = 1.0 - accuracy
    if learner.before_pending is not None:
        x, y = splits.test.batch(slice(None))
        stream, labels = learner.before_pending.copy(), y.numpy()
        tested = sums(Response(*stream.learn(learner.encode(x), labels, 0.0)[:2]), labels)
        assert tested.loss is not None
        assert tested.correct is not None
        metrics["nest_test_loss"] = tested.loss / len(y)
        metrics["nest_test_error"] = 1.0 - tested.correct / len(y)
    return metrics


def _courses(record: TrainingRecord) -> tuple[list[float], list[float]]:
    return record.updates.get("loss", []), record.updates.get("accuracy", [])
