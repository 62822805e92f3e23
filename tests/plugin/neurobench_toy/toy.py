"""Multinomial logistic regression by plain gradient descent, as a neurobench model."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from neurobench.config.bounds import Bound
from neurobench.data.dataset import Batch, Layout, Split
from neurobench.models.learner import Initial, ModelSpec, Seeds, Step, Sums, Task, TrainingRecord


@dataclass(frozen=True)
class Toy(ModelSpec):
    """Spec of the toy model; some options let tests break it on purpose."""

    opens: ClassVar[str] = "neurobench_toy.toy.ToyLearner"
    reads: ClassVar[tuple[Layout, ...]] = ("vector",)

    lr: Annotated[float, Bound(0, above=True)] = 0.5
    pause: Annotated[float, Bound(0)] = 0.0  # seconds per batch
    explode_at: int | None = None  # update whose loss is infinite
    init_from: str | None = None


class ToyLearner:
    def __init__(self, spec: Toy, task: Task, seeds: Seeds, devices: Mapping[str, Any], device: Any):
        import torch

        self.spec, self.torch, self.seed = spec, torch, seeds.training
        self.W = torch.zeros(task.shape[0] + 1, task.n_classes)

    def start(self, train: Split, initial: Initial | None) -> None:
        self.mean = train.x.mean(0)
        if initial is not None and initial.state is not None:
            self.load_state_dict(initial.state)

    def _scores(self, x: Any) -> Any:
        return self.torch.cat([x - self.mean, self.torch.ones(len(x), 1)], 1) @ self.W

    def learn(self, batch: Batch, at: Step) -> Sums:
        time.sleep(self.spec.pause)
        if at.k == self.spec.explode_at:
            return Sums(float("inf"))
        scores = self._scores(batch.x)
        error = scores.softmax(1) - self.torch.nn.functional.one_hot(batch.y, self.W.shape[1])
        noise = self.torch.randn(self.W.shape, generator=self.torch.Generator().manual_seed(self.seed + at.k))
        x = self.torch.cat([batch.x - self.mean, self.torch.ones(len(batch.x), 1)], 1)
        self.W -= self.spec.lr * (x.T @ error / len(batch.y) + 0.001 * noise)
        return self._sums(scores, batch)

    def measure(self, batch: Batch) -> Sums:
        return self._sums(self._scores(batch.x), batch)

    def _sums(self, scores: Any, batch: Batch) -> Sums:
        loss = self.torch.nn.functional.cross_entropy(scores, batch.y, reduction="sum")
        return Sums(float(loss), float((scores.argmax(1) == batch.y).sum()))

    def finalize(self, train: Split, validation: Split, record: TrainingRecord) -> Mapping[str, float]:
        return {}

    def predict(self, x: Any) -> Any:
        return self._scores(x)

    def state_dict(self) -> dict[str, Any]:
        return {"W": self.W, "mean": self.mean}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.W, self.mean = state["W"].clone(), state["mean"].clone()
