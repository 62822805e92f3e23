"""The tutorial's QRBM, followed exactly: its printed figures are reproduced next to sound ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurobench.data.dataset import Batch, Split, Splits
from neurobench.devices.sampler.protocol import Sampler
from neurobench.kernels.random import derive, kernel_key
from neurobench.kernels.rbm.cd_update import sequential_cd
from neurobench.kernels.rbm.layers import Pair, as_arrays, ascend, conditional, conditional_down, warm_up
from neurobench.models.common import readout
from neurobench.models.learner import Divergence, Initial, Seeds, Step, Sums, Task, TrainingRecord
from neurobench.models.qrbm import classifier
from neurobench.models.qrbm.spec import TutorialQRBM
from neurobench.problems import rbm as equations
from neurobench.problems.rbm import RBM

# Purposes of random draws
DEVICE, GIBBS, VISIBLE, UPDATES, FEATURES, PARTICLES = range(6)
_N_PARTICLES = 10  # the tutorial's num_particles
_LARGEST_EXPONENT = 709  # e^709 is still a floating-point number
FITTED = 150  # test images on which the tutorial both fits and scores its classifier


class TutorialLearner(classifier.MachineClassifier):
    """Learner of the tutorial's QRBM; see `neurobench.models.learner.Learner`. Computes on the CPU, since single-image
    updates leave a GPU nothing to do."""

    spec: TutorialQRBM

    def __init__(
        self, spec: TutorialQRBM, task: Task, seeds: Seeds, devices: Mapping[str, Sampler], device: torch.device
    ):
        super().__init__(spec, task, seeds, devices, torch.device("cpu"))
        self.sampler = devices["sampler"]
        self.rbm = classifier.random_rbm(spec.demand(task).layers, spec.init_sd, seeds.init, self.device)
        self.velocity = RBM(*(torch.zeros_like(part) for part in self.rbm))
        self.errors, self.updates = 0.0, 0  # summed reconstruction errors of all updates, and their number
        self.device_energy = float("nan")  # of the state that update 0 started from
        warm_up()
        self._descend(torch.zeros(0, len(self.rbm.a)), 0)

    def start(self, train: Split, initial: Initial | None) -> None:
        """Perform update 0: all images against the reconstruction of one device state."""
        super().start(train, initial)
        v = self.pixels(train.x)
        p = equations.p_hidden(self.rbm, v)
        self.errors = float(equations.reconstruction_error(v, equations.p_visible(self.rbm, p)).double().mean())
        ascend(self.rbm, self.velocity, Pair(v, p), self._device_state(), self.spec.lr, 0.0, self.spec.momentum)
        self.updates = 1

    def _device_state(self) -> Pair:
        """State v, one Gibbs step after the lowest-energy read v_d, with p(h|v_d)."""
        rbm, seed = self.rbm, self.seeds.training
        reads = self.sampler.sample_rbm(rbm, self.spec.num_reads, derive(seed, DEVICE))
        energies = equations.energy(rbm, reads.v, reads.h)
        best = int(energies.argmin())
        self.device_energy = float(energies[best])
        p, h = conditional(reads.v[best : best + 1].cpu(), rbm.W, rbm.b, derive(seed, GIBBS))
        return Pair(conditional_down(h, rbm.W, rbm.a, derive(seed, VISIBLE)).state, p)

    def learn(self, batch: Batch, at: Step) -> Sums:
        """Perform one update per image, in the batch's order; the error is that of each image's reconstruction."""
        error = self._descend(self.pixels(batch.x), at.k)
        self.errors += error
        self.updates += len(batch.x)
        if not all(bool(torch.isfinite(part).all()) for part in self.rbm):
            raise Divergence(f"diverged at update {at.k}: the weights are no longer finite; try a smaller lr")
        return Sums(extra={"reconstruction_mse": error})

    def _descend(self, v: Tensor, k: int) -> float:
        """Perform one update for each of v (B, V). Returns the sum of their errors."""
        spec, key = self.spec, kernel_key(derive(self.seeds.training, UPDATES, k))
        beyond = self.updates * math.log(spec.decay_factor) > _LARGEST_EXPONENT
        lr = 0.0 if beyond else spec.lr / spec.decay_factor**self.updates
        momentum = np.float32(spec.momentum)
        rbm, velocity = as_arrays(self.rbm), as_arrays(self.velocity)
        return sequential_cd(v.numpy(), lr, spec.decay_factor, momentum, key, rbm, velocity)

    def finalize(self, train: Split, validation: Split, record: TrainingRecord) -> Mapping[str, float]:
        """Fit the readout on p(h|v) of all samples outside the test set, as scikit-learn does by default."""
        f = self.features(train.x, validation.x)
        y = torch.cat([train.y, validation.y])
        self.readout = self.fit(f, y, self.spec.readout_iterations)
        return {"readout_train_accuracy": readout.accuracy(self.readout, f, y), "device_energy": self.device_energy}

    def fit(self, f: Tensor, y: Tensor, iterations: int) -> readout.Readout:
        """Readout that minimises  sum cross-entropy + |weight|^2 / 2, which is scikit-learn's default (C = 1)."""
        return readout.fit(f, y, self.task.n_classes, 0.5 / len(y), iterations, standardise=False)

    def reconstruct(self, x: Any) -> Tensor:
        """Reconstruct x as the mean of p(v|h) over 10 draws of h ~ p(h|x).   -> (B, V)"""
        v = self.pixels(x)
        total = torch.zeros_like(v)
        for particle in range(_N_PARTICLES):
            seed = derive(self.seeds.training, PARTICLES, particle)
            h = conditional(v, self.rbm.W, self.rbm.b, seed).state
            total += conditional_down(h, self.rbm.W, self.rbm.a, derive(seed, 1)).p
        return total / _N_PARTICLES

    def drawn_features(self, x: Any) -> Tensor:
        """The tutorial's features h p(h|v), with h drawn."""
        p, h = conditional(self.pixels(x), self.rbm.W, self.rbm.b, derive(self.seeds.training, FEATURES, len(x)))
        return h * p

    def state_dict(self) -> dict[str, Any]:
        tensors = {"rbm": dict(self.rbm._asdict()), "velocity": dict(self.velocity._asdict())}
        figures = {"errors": self.errors, "updates": self.updates, "device_energy": self.device_energy}
        return {**tensors, **figures, **super().state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.rbm = RBM(**classifier.copied(state["rbm"], self.device))
        self.velocity = RBM(**classifier.copied(state["velocity"], self.device))
        self.errors, self.updates, self.device_energy = state["errors"], state["updates"], state["device_energy"]


def tutorial_metrics(learner: TutorialLearner, splits: Splits, record: TrainingRecord) -> Mapping[str, float]:
    """The tutorial's figures, computed as in the tutorial."""
    error, train, test = learner.errors / learner.updates, splits.train, splits.test
    printed = error / learner.spec.steps_per_epoch
    f = learner.drawn_features(test.x)
    fitted = learner.fit(learner.drawn_features(train.x), train.y, learner.spec.readout_iterations)
    return {
        "sme": printed,
        "sme_without_division": error,
        "published_accuracy_percent": (1 - printed) * 100,
        "published_accuracy_percent_without_division": (1 - error) * 100,
        **_fit_and_score(learner, "lr_150", f, test.y),
        **_fit_and_score(learner, "lr_150_pixels", learner.pixels(test.x), test.y),
        "lr_all_drawn_features": readout.accuracy(fitted, f, test.y),
    }


def _fit_and_score(learner: TutorialLearner, name: str, f: Tensor, y: Tensor) -> dict[str, float]:
    """Accuracy on the same test images that were fitted, and on all others if there are any."""
    fitted = learner.fit(f[:FITTED], y[:FITTED], iterations=10_000)
    figures = {f"{name}_fit_and_scored": readout.accuracy(fitted, f[:FITTED], y[:FITTED])}
    if len(y) > FITTED:
        figures[f"{name}_on_the_other_9850"] = readout.accuracy(fitted, f[FITTED:], y[FITTED:])
    return figures
