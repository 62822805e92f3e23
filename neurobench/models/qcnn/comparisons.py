"""Metrics besides test accuracy: the first epochs as the tutorial prints them, classical twins, other devices."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from neurobench.data.dataset import Split, Splits
from neurobench.devices.circuit.protocol import CircuitDevice
from neurobench.kernels.random import derive
from neurobench.models.learner import TrainingRecord
from neurobench.models.qcnn.circuits import CircuitRunner
from neurobench.models.qcnn.heads import QuantumHead
from neurobench.models.qcnn.learner import HybridQCNNLearner
from neurobench.models.qcnn.network import trunk
from neurobench.models.qcnn.spec import Classical

FIRST_EPOCHS = 3  # epochs whose figures the tutorial printed
SHOTS = (1, 10, 100, 1024)
SAMPLED = 2000  # test images for comparing a noisy device, which is slow, with the ideal one
BINS = 15  # of the calibration error
_BLOCK = 500  # images at once: bounds memory
_TESTED = 1000  # images at once, as in the run's test: a chip's answers to the same requests are paid for once
_SCORES, _DZ = 8, 9  # purposes of random draws


@torch.no_grad()
def tutorial_metrics(learner: HybridQCNNLearner, splits: Splits, record: TrainingRecord) -> dict[str, float]:
    figures = {**_first_epochs(record), **_classical(learner, splits)}
    return figures | _shots_and_noise(learner, splits.test, learner.runner) if learner.runner else figures


def _first_epochs(record: TrainingRecord) -> dict[str, float]:
    """Metrics of the first epochs, counted from 0 as printed: running means while learning, and validation after the
    epoch; also the best validation accuracy among them, and that of the last epoch of all."""
    rows = record.epochs[:FIRST_EPOCHS]
    names = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
    figures = {f"epoch_{e}_{name}": row[name] for e, row in enumerate(rows) for name in names if name in row}
    validated = [row["validation_accuracy"] for row in record.epochs if "validation_accuracy" in row]
    if not validated:
        return figures
    best, last = max(validated[:FIRST_EPOCHS]), validated[-1]
    return {**figures, "best_validation_accuracy_of_first_epochs": best, "last_epoch_validation_accuracy": last}


def _classical(learner: HybridQCNNLearner, splits: Splits) -> dict[str, float]:
    """Test accuracy of the classical twin that is best on validation, and the hybrid network's gain over it, with
    circuits run as in the test."""
    if not learner.classical:
        return {}
    best = learner.classical[0]
    if len(splits.validation) and len(learner.classical) > 1:
        best = max(learner.classical, key=lambda head: _twin_accuracy(learner, splits.validation, head))
    batches = [splits.test.batch(index) for index in torch.arange(len(splits.test)).split(_TESTED)]
    hybrid = sum(int((learner.predict(x).cpu().argmax(1) == y).sum()) for x, y in batches) / len(splits.test)
    classical = _twin_accuracy(learner, splits.test, best)
    return {"classical_accuracy": classical, "gain_over_classical": hybrid - classical}


def _twin_accuracy(learner: HybridQCNNLearner, split: Split, head: Classical) -> float:
    """Accuracy of a classical twin, which runs no circuit."""
    correct = 0
    for index in torch.arange(len(split)).split(_BLOCK):
        x, y = split.batch(index)
        guess = learner.networks[head].scores(learner.images(x), None, 0).argmax(1)
        correct += int((guess == y.to(guess.device)).sum())
    return correct / len(split)


def _shots_and_noise(learner: HybridQCNNLearner, test: Split, runner: CircuitRunner) -> dict[str, float]:
    """Metrics of the same parameters with fewer shots and, for a noisy device, also without noise, on SAMPLED images.
    Empty for a device that only returns counts, on which each circuit takes time or costs money."""
    if not runner.exact:
        return {}
    ideal = runner.device.ideal()
    if ideal is not runner.device:
        test = test.limited(SAMPLED)
    figures = {f"accuracy_at_{n}_shots": accuracy(learner, test, replace(runner, shots=n)) for n in SHOTS}
    exact = scores(learner, test, replace(runner, shots=None))
    y = test.y.to(exact.device)
    figures["exact_accuracy"] = float((exact.argmax(1) == y).double().mean())
    figures |= likelihood(learner.main.head.probabilities(exact), y)
    if ideal is runner.device:
        return figures
    figures["ideal_accuracy"] = accuracy(learner, test, replace(runner, device=ideal, shots=None))
    for n in (1024, 100):
        figures[f"accuracy_lost_at_{n}_shots"] = figures["ideal_accuracy"] - figures[f"accuracy_at_{n}_shots"]
    for name, device in runner.device.variants().readout.items():
        figures[f"mean_abs_dz_{name}"] = mean_abs_dz(learner, test, device)
    return figures


def likelihood(probabilities: Tensor, y: Tensor) -> dict[str, float]:
    """Mean -log P(class), mean P(class), and the expected calibration error in BINS bins of confidence."""
    p = probabilities.double()
    p_class = p.gather(1, y[:, None])[:, 0]
    confidence, guess = p.max(1)
    bins = (confidence * BINS).long().clamp(max=BINS - 1)
    gaps = torch.zeros(BINS, dtype=torch.float64, device=p.device)
    gaps.index_add_(0, bins, confidence - (guess == y).double())
    return {
        "mean_p_correct": float(p_class.mean()),
        "exact_nll": float(-p_class.clamp(1e-6, 1).log().mean()),
        "calibration_error": float(gaps.abs().sum() / len(y)),
    }


def scores(learner: HybridQCNNLearner, split: Split, runner: CircuitRunner) -> Tensor:
    """Scores (N, classes) of the hybrid network with this runner."""
    blocks = []
    for number, index in enumerate(torch.arange(len(split)).split(_BLOCK)):
        seed = derive(learner.seeds.training, _SCORES, runner.shots or 0, number)
        blocks.append(learner.main.scores(learner.images(split.batch(index).x), runner, seed))
    return torch.cat(blocks)


def accuracy(learner: HybridQCNNLearner, split: Split, runner: CircuitRunner) -> float:
    guess = scores(learner, split, runner).argmax(1)
    return float((guess == split.y.to(guess.device)).double().mean())


def mean_abs_dz(learner: HybridQCNNLearner, split: Split, device: CircuitDevice, shots: int | None = None) -> float:
    """Mean over images and observables of |<Z> on the device - ideal <Z>|."""
    head, total = learner.main.head, 0.0
    assert learner.runner is not None
    assert isinstance(head, QuantumHead)
    noisy = replace(learner.runner, device=device, shots=shots)
    ideal = replace(learner.runner, device=learner.runner.device.ideal(), shots=None)
    for number, index in enumerate(torch.arange(len(split)).split(_BLOCK)):
        p = learner.main.named()
        angles = head.angles(p, trunk(p, learner.images(split.batch(index).x)).z)
        z = noisy.measure(angles, derive(learner.seeds.training, _DZ, shots or 0, number))
        total += float((z - ideal.measure(angles, 0)).abs().mean(1).sum())
    return total / len(split)
