"""Baselines of the QRBM: no machine at all, one with random weights, and scikit-learn's."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
import torch
from sklearn.neural_network import BernoulliRBM
from torch import Tensor
from torch.nn.functional import cross_entropy

from neurobench.config.errors import UserError
from neurobench.data.dataset import Batch
from neurobench.kernels.random import derive
from neurobench.models.common.readout import scores
from neurobench.models.learner import Divergence, Seeds, Step, Sums, Task
from neurobench.models.qrbm.classifier import Classifier, MachineClassifier, both, random_rbm, visible
from neurobench.models.qrbm.spec import PixelsLR, RandomFeatures, SklearnRBM, seen_shape
from neurobench.problems.rbm import RBM


class PixelsLearner(Classifier):
    """Logistic regression on pixels, fitted only in `finalize`."""

    spec: PixelsLR

    def pixels(self, x: Any) -> Tensor:
        return visible(x, self.threshold, self.spec.downsample).to(self.device)

    def learn(self, batch: Batch, at: Step) -> Sums:
        """Return the loss of the weights, which are still 0; nothing is learned."""
        return self.measure(batch)

    def measure(self, batch: Batch) -> Sums:
        f, y = self.features(batch.x), batch.y.to(self.device)
        logits = scores(self.readout, f) if self.readout else f.new_zeros(len(f), self.task.n_classes)
        return Sums(float(cross_entropy(logits, y, reduction="sum")))


class RandomFeaturesLearner(PixelsLearner, MachineClassifier):
    """Logistic regression on the hidden units of a machine whose random weights stay fixed."""

    spec: RandomFeatures

    def __init__(
        self, spec: RandomFeatures, task: Task, seeds: Seeds, devices: Mapping[str, Any], device: torch.device
    ):
        super().__init__(spec, task, seeds, devices, device)
        layers = (prod(seen_shape(task.shape, spec.downsample)), spec.n_hidden)
        b = torch.randn(spec.n_hidden, generator=torch.Generator().manual_seed(derive(seeds.init, 1))) * spec.sd
        self.rbm = random_rbm(layers, spec.sd, seeds.init, device)._replace(b=b.to(device))

    def features_of(self, v: Tensor) -> Tensor:
        return both(self.rbm, v) if self.spec.features == "both" else super().features_of(v)


# The state of `partial_fit` between batches, except its random state, which is new at every update
STATE = ("components_", "intercept_hidden_", "intercept_visible_", "h_samples_")


class SklearnLearner(MachineClassifier):
    """scikit-learn's BernoulliRBM, trained batch by batch with `partial_fit`. Computes on the CPU, in float64."""

    def __init__(self, spec: SklearnRBM, task: Task, seeds: Seeds, devices: Mapping[str, Any], device: torch.device):
        super().__init__(spec, task, seeds, devices, torch.device("cpu"))
        inputs = prod(task.shape)
        self.machine = BernoulliRBM(spec.n_hidden, learning_rate=spec.lr, batch_size=spec.chains)
        self.machine.n_features_in_ = inputs
        weights = 0.01 * np.random.default_rng(seeds.init).standard_normal((spec.n_hidden, inputs))
        self.machine.components_ = np.asfortranarray(weights)
        self.machine.intercept_hidden_ = np.zeros(spec.n_hidden)
        self.machine.intercept_visible_ = np.zeros(inputs)
        self.machine.h_samples_ = np.zeros((spec.chains, spec.n_hidden))

    def learn(self, batch: Batch, at: Step) -> Sums:
        """Call `partial_fit` once; the error is that of the machine before the call.

        Raises UserError unless there are as many chains as images; an epoch's last batch may have fewer, as in `fit`.
        """
        images, chains = len(batch.x), self.spec.chains
        if images > chains or (images < chains and not at.ends_epoch):
            raise UserError(
                f"model.chains={chains} with training.batch_size={images}: scikit-learn's update divides the sums over "
                f"images and over chains by the number of images. Set model.chains={images}."
            )
        before = self.measure(batch)
        self.machine.random_state_ = np.random.RandomState(derive(self.seeds.training, at.k) % 2**32)
        self.machine.partial_fit(self.pixels(batch.x).numpy())
        if not np.isfinite(self.machine.intercept_hidden_).all():
            raise Divergence(f"diverged at update {at.k}: the weights are no longer finite; try a smaller lr")
        return before

    @property
    def rbm(self) -> RBM:  # type: ignore[override]
        """A copy of the machine in float32."""
        parts = (self.machine.components_.T, self.machine.intercept_visible_, self.machine.intercept_hidden_)
        return RBM(*(torch.from_numpy(np.ascontiguousarray(part, np.float32)) for part in parts))

    def state_dict(self) -> dict[str, Any]:
        machine = {name: torch.from_numpy(getattr(self.machine, name).copy()) for name in STATE}
        return {"machine": machine, **super().state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        for name in STATE:
            setattr(self.machine, name, state["machine"][name].numpy().copy())
        # Memory layout of scikit-learn: sums in another order are rounded differently
        self.machine.components_ = np.asfortranarray(self.machine.components_)
