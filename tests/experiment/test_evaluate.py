"""Promises of the metrics on the test set."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix as sklearn_confusion

from neurobench.config.errors import UserError
from neurobench.data.dataset import Batch
from neurobench.experiment import evaluate as module
from neurobench.experiment.evaluate import confusion_matrix, evaluate
from neurobench.metrics.statistics import wilson_interval
from neurobench.models.learner import Sums
from tests.toy import Softmax, blobs


@pytest.mark.parametrize(("correct", "n"), [(0, 5), (5, 5), (96, 100), (9601, 10_000), (1, 1)])
def test_wilson_interval_equals_scipys(correct: int, n: int) -> None:
    theirs = binomtest(correct, n).proportion_ci(0.95, method="wilson")
    assert wilson_interval(correct, n) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@pytest.mark.parametrize("n", range(1, 101))
def test_wilson_interval_contains_its_proportion_to_the_last_bit(n: int) -> None:
    """Rounding had left 10 of 10 above the interval, and error bars of negative length, which matplotlib refuses."""
    for correct in range(n + 1):
        low, high = wilson_interval(correct, n)
        assert 0 <= low <= correct / n <= high <= 1


def test_confusion_matrix_equals_scikit_learns() -> None:
    generator = torch.Generator().manual_seed(3)
    y, predicted = torch.randint(5, (2, 400), generator=generator)
    assert confusion_matrix(y, predicted, 5).tolist() == sklearn_confusion(y, predicted).tolist()


def test_a_class_that_never_occurs_has_its_row_and_column_in_the_confusion_matrix() -> None:
    assert confusion_matrix(torch.tensor([0, 0]), torch.tensor([0, 1]), 3).tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 0]]


def test_metrics_count_all_samples_of_several_batches() -> None:
    learner = Softmax()
    learner.W = torch.tensor([[-1.0, 1.0], [0.0, 0.0]])
    test = blobs(2500)
    evaluation = evaluate(learner, test, 2)
    right = int(((test.x[:, 0] > 0) == test.y.bool()).sum())
    assert evaluation.metrics["test_accuracy"] == right / 2500
    assert int(evaluation.confusion.sum()) == 2500
    log_p = torch.log_softmax(test.x.double() @ learner.W.double(), 1)[torch.arange(2500), test.y]
    assert evaluation.metrics["test_loss"] == pytest.approx(-float(log_p.mean()), rel=1e-5)
    assert evaluation.intervals["test_accuracy"] == wilson_interval(right, 2500)
    assert torch.equal(evaluation.predicted, (test.x[:, 0] > 0).long())


def test_seconds_are_those_of_the_predictions_not_of_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """The samples tested per second had been half of those predicted: measuring the loss predicts again."""
    clock = [100.0]

    class Timed(Softmax):
        def predict(self, x: torch.Tensor) -> torch.Tensor:
            clock[0] += 0.25
            return super().predict(x)

        def measure(self, batch: Batch) -> Sums:
            clock[0] += 10
            return super().measure(batch)

    monkeypatch.setattr(module, "working_time", lambda: clock[0])
    assert evaluate(Timed(), blobs(1001), 2).seconds == 0.5


@pytest.mark.parametrize("samples", [1, 10])
def test_scores_that_are_not_finite_are_an_error_not_an_accuracy(samples: int) -> None:
    learner, test = Softmax(), blobs(10)
    learner.W = torch.ones(2, 2)
    test.x[:samples] = torch.nan
    with pytest.raises(ValueError, match="not finite"):
        evaluate(learner, test, 2)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda scores: scores[:1], "float32 (1, 2)"),
        (lambda scores: scores[:, :1], "float32 (10, 1)"),
        (lambda scores: torch.cat([scores, scores[:, :1]], 1), "float32 (10, 3)"),
        (lambda scores: scores.argmax(1), "int64 (10,)"),
        (lambda scores: scores + 0j, "complex64 (10, 2)"),
        (lambda scores: scores.numpy(), "a ndarray"),
    ],
)
def test_anything_but_a_score_of_each_sample_for_each_class_is_refused(
    change: Callable[[torch.Tensor], Any], found: str
) -> None:
    """A row for all samples had been compared with the label of each, without a message."""

    class Own(Softmax):
        def predict(self, x: torch.Tensor) -> torch.Tensor:
            return change(super().predict(x))

    with pytest.raises(UserError, match=re.escape(found) + r" for 10 samples; expected a tensor .* \(10, 2\)"):
        evaluate(Own(), blobs(10), 2)
