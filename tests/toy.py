"""A minimal model: multinomial logistic regression by plain gradient descent."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from neurobench.data.dataset import Batch, Split
from neurobench.models.learner import Initial, Step, Sums, TrainingRecord


class Softmax:
    """Learns W (D, C) by gradient descent on the batch's mean cross-entropy, with noise on each step's gradient so
    that a resumed run shows whether its random stream was resumed too."""

    def __init__(self, n_features: int = 2, n_classes: int = 2, lr: float = 0.1, noise: float = 0.01):
        self.W = torch.zeros(n_features, n_classes)
        self.lr, self.noise = lr, noise
        self.started = 0

    def start(self, train: Split, initial: Initial | None) -> None:
        self.started += 1

    def learn(self, batch: Batch, at: Step) -> Sums:
        scores = batch.x @ self.W
        error = torch.softmax(scores, 1) - torch.nn.functional.one_hot(batch.y, self.W.shape[1])
        generator = torch.Generator().manual_seed(at.k)
        noise = self.noise * torch.randn(self.W.shape, generator=generator)
        self.W -= self.lr * (batch.x.T @ error / len(batch.y) + noise)
        return self._sums(scores, batch)

    def measure(self, batch: Batch) -> Sums:
        return self._sums(batch.x @ self.W, batch)

    def _sums(self, scores: Tensor, batch: Batch) -> Sums:
        loss = cross_entropy(scores, batch.y, reduction="sum")
        return Sums(float(loss), float((scores.argmax(1) == batch.y).sum()))

    def finalize(self, train: Split, validation: Split, record: TrainingRecord) -> Mapping[str, float]:
        return {}

    def predict(self, x: Tensor) -> Tensor:
        return x @ self.W

    def state_dict(self) -> dict[str, Any]:
        return {"W": self.W}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.W = state["W"].clone()


def blobs(n: int, seed: int = 0) -> Split:
    """Samples of two classes, separated along the first feature."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(2, (n,), generator=generator)
    x = torch.randn(n, 2, generator=generator) + torch.stack([4.0 * y - 2.0, torch.zeros(n)], 1)
    return Split(x, y, torch.arange(n))
