"""Figures beside the test accuracy: the first epochs as the tutorial prints them, classical twins, other devices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neurobench.experiment.evaluate import BATCH
from neurobench.kernels.random import derive
from neurobench.models.qcnn.gradients import Way, measured
from neurobench.models.qcnn.heads import circuit_angles

if TYPE_CHECKING:
    from neurobench.data.dataset import Split, Splits
    from neurobench.devices.circuit.protocol import CircuitDevice
    from neurobench.models.qcnn.learner import HybridQCNNLearner

SHOTS = (1, 10, 100, 1024)
SAMPLED = 2000  # test images, of the figures that compare a noisy device with the ideal one: it is slow
BINS = 15  # of the calibration error
_BLOCK = 500  # images at once: bounds memory


def all_figures(learner: HybridQCNNLearner, splits: Splits) -> dict[str, float]:
    return {**_first_epochs(learner, splits), **_classical(learner, splits), **_devices(learner, splits.test)}


def _first_epochs(learner: HybridQCNNLearner, splits: Splits) -> dict[str, float]:
    """Epochs are counted from 0, as printed: running means while learning, and validation after the epoch."""
    figures: dict[str, float] = {}
    for epoch, params in enumerate(learner.history.ended):
        sums = learner.history.sums[epoch]
        figures[f"epoch_{epoch}_train_loss"] = sums["loss"] / sums["samples"]
        figures[f"epoch_{epoch}_train_accuracy"] = sums["correct"] / sums["samples"]
        if len(splits.validation):
            loss, correct = _score(learner, splits.validation, params)
            figures[f"epoch_{epoch}_validation_loss"] = loss / len(splits.validation)
            figures[f"epoch_{epoch}_validation_accuracy"] = correct / len(splits.validation)
    if figures and len(splits.validation):
        names = [name for name in figures if name.endswith("_validation_accuracy")]
        figures["best_validation_accuracy_of_first_epochs"] = max(figures[name] for name in names)
    return figures


@torch.no_grad()
def _score(learner: HybridQCNNLearner, split: Split, params: Tensor) -> tuple[float, float]:
    """Summed loss and right answers of the hybrid network with other parameters."""
    loss = correct = 0.0
    for index in torch.arange(len(split)).split(BATCH):  # as the epoch's own figures were drawn
        batch = split.batch(index)
        x, y = learner.images(batch.x), batch.y.to(learner.device)
        found = learner.main.scores(x, learner.learning_way, learner.predict_seed(x), params)
        loss += float(learner.main.losses(found, y, learner.learning_way).sum())
        correct += float((found.argmax(1) == y).sum())
    return loss, correct


@torch.no_grad()
def _classical(learner: HybridQCNNLearner, splits: Splits) -> dict[str, float]:
    """Test accuracy of the twin that is best on validation, and by how much the hybrid network exceeds it."""
    heads = list(learner.recipe.classical)
    if not heads:
        return {}
    chosen = heads[0]
    if len(splits.validation) and len(heads) > 1:
        chosen = max(heads, key=lambda head: _accuracy(learner, head, splits.validation))
    classical = _accuracy(learner, chosen, splits.test)
    return {
        "classical_accuracy": classical,
        "gain_over_classical": _accuracy(learner, learner.recipe.head, splits.test) - classical,
    }


def _accuracy(learner: HybridQCNNLearner, head: str, split: Split) -> float:
    name = "correct" if head == learner.recipe.head else f"{head}_accuracy"
    parts = torch.arange(len(split)).split(_BLOCK)
    return sum(learner.measure(split.batch(index))[name] for index in parts) / len(split)


@torch.no_grad()
def _devices(learner: HybridQCNNLearner, test: Split) -> dict[str, float]:
    """The same parameters with fewer shots, and where the device is noisy, what that changes on SAMPLED images."""
    if learner.way is None:
        return {}
    ideal = learner.way.device.ideal()
    if ideal is not learner.way.device:
        test = test.head(SAMPLED)
    y = test.y.to(learner.device)
    figures = {}
    for shots in SHOTS:
        found = torch.cat(list(scores_by(learner, test, replace(learner.way, shots=shots))))
        figures[f"accuracy_at_{shots}_shots"] = float((found.argmax(1) == y).double().mean())
    exact = torch.cat(list(scores_by(learner, test, replace(learner.way, shots=None))))
    figures["exact_accuracy"] = float((exact.argmax(1) == y).double().mean())
    figures |= likelihood(exact, y, learner.recipe.head == "binary")
    if ideal is learner.way.device:
        return figures
    found = torch.cat(list(scores_by(learner, test, replace(learner.way, device=ideal, shots=None))))
    figures["ideal_accuracy"] = float((found.argmax(1) == y).double().mean())
    figures["accuracy_lost_at_1024_shots"] = figures["ideal_accuracy"] - figures["accuracy_at_1024_shots"]
    figures["accuracy_lost_at_100_shots"] = figures["ideal_accuracy"] - figures["accuracy_at_100_shots"]
    for name, device in learner.way.device.variants().readout.items():
        figures[f"mean_abs_dz_{name}"] = mean_abs_dz(learner, test, device)
    return figures


def likelihood(found: Tensor, y: Tensor, probabilities: bool) -> dict[str, float]:
    """Mean -log P(class), mean P(class), and the expected calibration error in BINS bins of confidence."""
    p = (found if probabilities else found.softmax(1)).double()
    right = p.gather(1, y[:, None])[:, 0]
    confidence, guess = p.max(1)
    hit = (guess == y).double()
    bins = (confidence * BINS).long().clamp(max=BINS - 1)
    gaps = torch.zeros(BINS, dtype=torch.float64, device=p.device).index_add(0, bins, confidence - hit)
    return {
        "mean_p_correct": float(right.mean()),
        "exact_nll": float(-right.clamp(1e-6, 1).log().mean()),
        "calibration_error": float(gaps.abs().sum() / len(y)),
    }


def scores_by(learner: HybridQCNNLearner, split: Split, way: Way) -> Iterator[Tensor]:
    """Scores (B, classes), block by block."""
    for number, index in enumerate(torch.arange(len(split)).split(_BLOCK)):
        x = learner.images(split.batch(index).x)
        yield learner.main.scores(x, way, derive(learner.seeds.training, 8, way.shots or 0, number))


def mean_abs_dz(learner: HybridQCNNLearner, split: Split, device: CircuitDevice, shots: int | None = None) -> float:
    """Mean over images and observables of |<Z> on the device - ideal <Z>|."""
    assert learner.way is not None
    total = 0.0
    for number, index in enumerate(torch.arange(len(split)).split(_BLOCK)):
        z = learner.main.z(learner.images(split.batch(index).x))
        angles = circuit_angles(learner.recipe.head, learner.main.named(), z)
        way = replace(learner.way, device=device, shots=shots)
        seen = measured(way, angles, derive(learner.seeds.training, 9, shots or 0, number))
        true = measured(replace(way, device=learner.way.device.ideal(), shots=None), angles, 0)
        total += float((seen - true).abs().mean(1).sum())
    return total / len(split)
