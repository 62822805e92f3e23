"""Logistic regression on pixels, as a learner: nothing is learned before it settles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from neurobench.data.dataset import Batch, Split
from neurobench.metrics.operations import Operations
from neurobench.models.common import readout
from neurobench.models.learner import Seeds, Step, Task
from neurobench.models.qrbm import counts, pixels
from neurobench.models.qrbm.baselines import PixelsLR


class PixelsLearner:
    """See `neurobench.models.learner.Learner`."""

    def __init__(self, recipe: PixelsLR, task: Task, seeds: Seeds, device: torch.device):
        self.recipe, self.task, self.seeds, self.device = recipe, task, seeds, device
        self.readout: readout.Readout | None = None

    def start(self, train: Split) -> None:
        assert isinstance(train.x, Tensor)  # layouts "image" and "vector" are
        pixels.check(train.x)

    def learn(self, batch: Batch, at: Step) -> Mapping[str, float]:
        """The loss of weights that are still 0: they are fitted to all images at once, in `settle`."""
        return self.measure(batch)

    def measure(self, batch: Batch) -> Mapping[str, float]:
        f, y = self._features(batch.x), batch.y.to(self.device)
        scores = readout.scores(self.readout, f) if self.readout else f.new_zeros(len(f), self.task.n_classes)
        return {"loss": float(cross_entropy(scores, y, reduction="sum"))}

    def settle(self, train: Split, validation: Split) -> Mapping[str, float]:
        """Fit: l2 chosen on the validation split, weights on both."""
        recipe = self.recipe
        chosen = readout.choose(
            self._features(train.x),
            train.y.to(self.device),
            self._features(validation.x),
            validation.y.to(self.device),
            self.task.n_classes,
            readout.Search(recipe.l2, recipe.l2_candidates, recipe.readout_iterations, self.seeds.training),
        )
        self.readout = chosen.readout
        return chosen.figures

    def predict(self, x: Any) -> Tensor:
        if self.readout is None:
            raise RuntimeError("predict before settle: the readout is not fitted yet")
        return readout.scores(self.readout, self._features(x))

    def operations(self, x: Any) -> Operations:
        assert self.readout is not None
        return counts.of_readout(self.readout, self._features(x), binary=self.recipe.threshold is not None)

    def state_dict(self) -> dict[str, Any]:
        return {"readout": None if self.readout is None else dict(self.readout._asdict())}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        stored = state["readout"]
        there = None if stored is None else {name: part.to(self.device) for name, part in stored.items()}
        self.readout = None if there is None else readout.Readout(**there)

    def _features(self, x: Any) -> Tensor:
        return pixels.visible(x, self.recipe.threshold).to(self.device)
