"""Figures of a finalized learner on data that it never learned from, and the cost of its predictions."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from neurobench.config.errors import UserError
from neurobench.config.targets import load
from neurobench.data.dataset import Split
from neurobench.kernels.compilation import working_time
from neurobench.metrics.costs import Energies, Ledger, joules_of_sample
from neurobench.metrics.operations import total
from neurobench.metrics.statistics import means, wilson_interval
from neurobench.models.learner import Learner, ModelSpec
from neurobench.phases import phase

BATCH = 1000  # samples predicted at once: bounds memory, changes no figure
COUNTED = (
    "parameter_count", "footprint_bytes", "connection_sparsity", "activation_sparsity",
    "effective_macs", "effective_acs", "dense_operations", "membrane_updates",
)  # fmt: skip


@dataclass(frozen=True)
class Evaluation:
    """Figures of a test set."""

    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]  # 95 %, for the proportions among the metrics
    confusion: Tensor  # (n_classes, n_classes) int64, row: true class
    predicted: Tensor  # (N,) int64 class
    seconds: float  # spent on the predictions


def mean_sums(learner: Learner, split: Split) -> dict[str, float]:
    """Means of the learner's measures over a split's samples."""
    sums: dict[str, float] = {}
    size = BATCH - BATCH % getattr(learner, "loss_batch", 1)
    with phase("measuring the loss", len(split)) as progress:
        for index in torch.arange(len(split)).split(size):
            for name, value in learner.measure(split.batch(index)).named().items():
                sums[name] = sums.get(name, 0.0) + value
            progress.advance(len(index))
    return means(sums, len(split))


def scores_of(learner: Learner, x: Any, n_classes: int) -> Tensor:
    """Scores (N, n_classes) of a learner for samples as in Split, each predicted once.

    Raises ValueError if a score is not finite, and UserError if a learner, which may be a user's, returns anything but
    a score of each sample for each class.
    """
    parts = []
    with phase("testing", len(x)) as progress:
        for index in torch.arange(len(x)).split(BATCH):
            scores = learner.predict(x[index])
            _require_scores(scores, len(index), n_classes)
            parts.append(scores.detach().cpu())
            progress.advance(len(index))
    scores = torch.cat(parts)
    if not torch.isfinite(scores).all():
        raise ValueError("the model's scores are not finite: there is no accuracy to report")
    return scores


def _require_scores(scores: Any, n: int, n_classes: int) -> None:
    """Other shapes would be compared with the labels of other samples, or name classes that there are not."""
    is_tensor = isinstance(scores, Tensor)
    if not is_tensor or tuple(scores.shape) != (n, n_classes) or scores.is_complex():
        kind = str(scores.dtype).removeprefix("torch.") if is_tensor else ""
        found = f"a tensor of {kind} {tuple(scores.shape)}" if is_tensor else f"a {type(scores).__name__}"
        wanted = f"expected a tensor of real numbers {n, n_classes}, one score for each class"
        raise UserError(f"the model's predict returned {found} for {n} samples; {wanted}")


def evaluate(
    learner: Learner,
    test: Split,
    n_classes: int,
    ledger: Ledger | None = None,
    measured: AbstractContextManager[None] | None = None,
) -> Evaluation:
    """Predict every test sample once, within `measured`. Raises ValueError if a score is not finite.

    Requests for the loss are billed as "loss": they repeat those of the predictions, which are billed as "test".
    """
    ledger, begun = ledger or Ledger(), working_time()
    with ledger.phase("test"), measured or nullcontext():
        classes = scores_of(learner, test.x, n_classes).argmax(1)
    seconds = working_time() - begun
    correct = int((classes == test.y).sum())
    with ledger.phase("loss"):
        metrics = {f"test_{name}": value for name, value in mean_sums(learner, test).items()}
    metrics["test_accuracy"] = correct / len(test)
    intervals = {"test_accuracy": wilson_interval(correct, len(test))}
    return Evaluation(metrics, intervals, confusion_matrix(test.y, classes, n_classes), classes, seconds)


def confusion_matrix(y: Tensor, predicted: Tensor, n_classes: int) -> Tensor:
    """(n_classes, n_classes) int64 counts; row: true class, column: predicted class. y, predicted: (N,) int64."""
    return torch.bincount(y * n_classes + predicted, minlength=n_classes**2).reshape(n_classes, n_classes)


def count(
    model: ModelSpec, learner: Learner, split: Split, energies: Energies
) -> tuple[dict[str, float], dict[str, str]]:
    """NeuroBench's figures per sample and per step, joules per sample, and why others are undefined."""
    if model.operations is None:
        return {}, dict.fromkeys((*COUNTED, "energy_joules"), "this model does not state its operations")
    operations, batches = load(model.operations), []
    with phase("counting operations", len(split)) as progress:
        for index in torch.arange(len(split)).split(BATCH):
            batches.append(operations(learner, split.batch(index).x))
            progress.advance(len(index))
    figures, undefined = total(batches)
    joules = joules_of_sample(energies, batches)
    if isinstance(joules, str):
        return figures, {**undefined, "energy_joules": joules}
    return {**figures, "energy_joules": joules}, undefined
