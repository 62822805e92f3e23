"""scikit-learn's BernoulliRBM as a learner, batch by batch through `partial_fit`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sklearn.neural_network import BernoulliRBM
from torch import Tensor

from neurobench.data.dataset import Batch, Split
from neurobench.kernels.random import derive
from neurobench.metrics.operations import Operations
from neurobench.models.common import readout
from neurobench.models.learner import Divergence, Seeds, Step, Task
from neurobench.models.qrbm import counts, pixels
from neurobench.models.qrbm import rbm as equations
from neurobench.models.qrbm.baselines import SklearnRBM
from neurobench.problems.rbm import RBM

# All that `partial_fit` keeps from batch to batch, its random state aside: that is made anew for every update
KEPT = ("components_", "intercept_hidden_", "intercept_visible_", "h_samples_")


class SklearnLearner:
    """See `neurobench.models.learner.Learner`. Computes on the CPU, in float64."""

    def __init__(self, recipe: SklearnRBM, task: Task, seeds: Seeds):
        self.recipe, self.task, self.seeds = recipe, task, seeds
        self.machine = BernoulliRBM(recipe.n_hidden, learning_rate=recipe.lr, batch_size=recipe.chains)
        self.machine.n_features_in_ = int(np.prod(task.shape))
        draw = np.random.default_rng(seeds.init)
        weights = 0.01 * draw.standard_normal((recipe.n_hidden, self.machine.n_features_in_))
        self.machine.components_ = np.asfortranarray(weights)
        self.machine.intercept_hidden_ = np.zeros(recipe.n_hidden)
        self.machine.intercept_visible_ = np.zeros(self.machine.n_features_in_)
        self.machine.h_samples_ = np.zeros((recipe.chains, recipe.n_hidden))
        self.readout: readout.Readout | None = None

    def start(self, train: Split) -> None:
        assert isinstance(train.x, Tensor)  # layouts "image" and "vector" are
        pixels.check(train.x)

    def learn(self, batch: Batch, at: Step) -> Mapping[str, float]:
        """One call of `partial_fit`; the error is that of the machine before it."""
        told = self.measure(batch)
        self.machine.random_state_ = np.random.RandomState(derive(self.seeds.training, at.k) % 2**32)
        self.machine.partial_fit(self._pixels(batch.x).numpy())
        if not np.isfinite(self.machine.intercept_hidden_).all():
            raise Divergence(f"diverged at update {at.k}: the weights are no longer finite; try a smaller lr")
        return told

    def measure(self, batch: Batch) -> Mapping[str, float]:
        """The mean-field reconstruction error, summed over the batch."""
        v, rbm = self._pixels(batch.x), self.rbm()
        return {"reconstruction_mse": float(equations.reconstruction_error(v, equations.reconstruct(rbm, v)).sum())}

    def rbm(self) -> RBM:
        """The machine in our own terms, sharing nothing."""
        parts = (self.machine.components_.T, self.machine.intercept_visible_, self.machine.intercept_hidden_)
        return RBM(*(torch.from_numpy(np.ascontiguousarray(part, np.float32)) for part in parts))

    def settle(self, train: Split, validation: Split) -> Mapping[str, float]:
        """Fit the readout as the QRBM does."""
        recipe = self.recipe
        chosen = readout.choose(
            self._features(train.x),
            train.y,
            self._features(validation.x),
            validation.y,
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
        return counts.of_machine(self.rbm(), self.readout, self._pixels(x), self._features(x), binary=True)

    def state_dict(self) -> dict[str, Any]:
        return {
            "machine": {name: torch.from_numpy(getattr(self.machine, name).copy()) for name in KEPT},
            "readout": None if self.readout is None else dict(self.readout._asdict()),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Copies: the state stays as it was whatever is learned afterwards."""
        for name in KEPT:
            setattr(self.machine, name, state["machine"][name].numpy().copy())
        # As scikit-learn lays it out: sums in another order are rounded otherwise
        self.machine.components_ = np.asfortranarray(self.machine.components_)
        self.readout = None if state["readout"] is None else readout.Readout(**state["readout"])

    def _pixels(self, x: Any) -> Tensor:
        return pixels.visible(x.cpu(), self.recipe.threshold)

    def _features(self, x: Any) -> Tensor:
        """p(h|v)"""
        return equations.p_hidden(self.rbm(), self._pixels(x))
