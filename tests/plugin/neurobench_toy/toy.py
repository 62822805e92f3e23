"""Multinomial logistic regression by plain gradient descent, as a neurobench model."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from neurobench.config.bounds import Bound, enforce
from neurobench.data.dataset import Batch, Layout, Split
from neurobench.models.learner import Seeds, Step, Task

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Toy:
    """Its options also let tests break it on purpose."""

    reads: ClassVar[tuple[Layout, ...]] = ("vector",)

    lr: Annotated[float, Bound(0, above=True)] = 0.5
    pause: Annotated[float, Bound(0)] = 0.0  # seconds a batch
    explode_at: int | None = None  # update whose loss is infinite
    needs: Any = None

    def __post_init__(self) -> None:
        enforce(self)

    def build(self, task: Task, seeds: Seeds, device: torch.device) -> ToyLearner:
        return ToyLearner(self, task, seeds)


class ToyLearner:
    def __init__(self, recipe: Toy, task: Task, seeds: Seeds):
        import torch

        self.recipe, self.torch, self.seed = recipe, torch, seeds.training
        self.W = torch.zeros(task.shape[0] + 1, task.n_classes)

    def start(self, train: Split) -> None:
        self.mean = train.x.mean(0)

    def _scores(self, x: Any) -> Any:
        return self.torch.cat([x - self.mean, self.torch.ones(len(x), 1)], 1) @ self.W

    def learn(self, batch: Batch, at: Step) -> Mapping[str, float]:
        time.sleep(self.recipe.pause)
        if at.k == self.recipe.explode_at:
            return {"loss": float("inf")}
        scores = self._scores(batch.x)
        error = scores.softmax(1) - self.torch.nn.functional.one_hot(batch.y, self.W.shape[1])
        noise = self.torch.randn(self.W.shape, generator=self.torch.Generator().manual_seed(self.seed + at.k))
        x = self.torch.cat([batch.x - self.mean, self.torch.ones(len(batch.x), 1)], 1)
        self.W -= self.recipe.lr * (x.T @ error / len(batch.y) + 0.001 * noise)
        return self._sums(scores, batch)

    def measure(self, batch: Batch) -> Mapping[str, float]:
        return self._sums(self._scores(batch.x), batch)

    def _sums(self, scores: Any, batch: Batch) -> Mapping[str, float]:
        loss = self.torch.nn.functional.cross_entropy(scores, batch.y, reduction="sum")
        return {"loss": float(loss), "correct": float((scores.argmax(1) == batch.y).sum())}

    def settle(self, train: Split, validation: Split) -> Mapping[str, float]:
        return {}

    def predict(self, x: Any) -> Any:
        return self._scores(x)

    def state_dict(self) -> dict[str, Any]:
        return {"W": self.W, "mean": self.mean}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.W, self.mean = state["W"].clone(), state["mean"].clone()
