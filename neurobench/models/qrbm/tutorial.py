"""The QRBM of the tutorial, to the letter: what it printed can be computed again, and set beside an honest figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from neurobench.kernels.random import derive, kernel_key
from neurobench.kernels.rbm.layers import Pair, as_arrays, ascend, conditional, transposed, warm_up
from neurobench.kernels.rbm.sequential_cd import sequential_cd
from neurobench.metrics.operations import Operations
from neurobench.models.common import readout
from neurobench.models.learner import Divergence, Seeds, Step, Task
from neurobench.models.qrbm import counts, initial, pixels
from neurobench.models.qrbm import rbm as equations
from neurobench.models.qrbm.spec import TutorialQRBM
from neurobench.problems import bqm
from neurobench.problems.rbm import RBM

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neurobench.data.dataset import Batch, Split, Splits

# Purposes of a draw
_DEVICE, _GIBBS, _VISIBLE, _UPDATES, _FEATURES, _PARTICLES = range(6)
_PARTICLES_DRAWN = 10  # the tutorial's num_particles
_FITTED = 150  # test images on which the tutorial fits its classifier and scores it


class TutorialLearner:
    """See `neurobench.models.learner.Learner`. Computes on the CPU: an update an image leaves a GPU nothing to do."""

    def __init__(self, recipe: TutorialQRBM, task: Task, seeds: Seeds, device: torch.device):
        self.recipe, self.task, self.seeds = recipe, task, seeds
        self.rbm = initial.drawn(*recipe.layers(task.shape), recipe.init_sd, seeds.init, torch.device("cpu"))
        self.velocity = RBM(*(torch.zeros_like(part) for part in self.rbm))
        self.errors, self.updates = 0.0, 0  # sum of every update's reconstruction error, and how many
        self.device_energy = float("nan")  # of the state that update 0 started from
        self.readout: readout.Readout | None = None
        warm_up()
        self._descend(torch.zeros(0, self.rbm.W.shape[0]), 0)

    def start(self, train: Split) -> None:
        """Update 0: all images against the reconstruction of one device state."""
        assert isinstance(train.x, Tensor)  # layouts "image" and "vector" are
        pixels.check(train.x)
        v = self._pixels(train.x)
        p = equations.p_hidden(self.rbm, v)
        self.errors = float(equations.reconstruction_error(v, equations.p_visible(self.rbm, p)).double().mean())
        ascend(self.rbm, self.velocity, Pair(v, p), self._device_state(), self.recipe.lr, 0.0, self.recipe.momentum)
        self.updates = 1

    def _device_state(self) -> Pair:
        """v from one Gibbs step behind the lowest-energy read v_d, with p(h|v_d)."""
        rbm, seed = self.rbm, self.seeds.training
        reads = self.recipe.sampler.sample_rbm(rbm, self.recipe.num_reads, derive(seed, _DEVICE))
        energies = equations.energy(rbm, reads.v, reads.h)
        best = int(energies.argmin())
        self.device_energy = float(energies[best])
        p, h = conditional(reads.v[best : best + 1].cpu(), rbm.W, rbm.b, derive(seed, _GIBBS))
        return Pair(conditional(h, transposed(rbm.W), rbm.a, derive(seed, _VISIBLE)).state, p)

    def learn(self, batch: Batch, at: Step) -> Mapping[str, float]:
        """An update an image, in the order of the batch; the error of each image's own reconstruction."""
        v = self._pixels(batch.x)
        error = self._descend(v, at.k)
        self.errors += error
        self.updates += len(v)
        if not all(bool(torch.isfinite(part).all()) for part in self.rbm):
            raise Divergence(f"diverged at update {at.k}: the weights are no longer finite; try a smaller lr")
        return {"reconstruction_mse": error}

    def _descend(self, v: Tensor, k: int) -> float:
        """An update for each of v (B, V). Returns the sum of their errors."""
        recipe = self.recipe
        return sequential_cd(
            v.numpy(),
            recipe.lr / recipe.decay_factor**self.updates,
            recipe.decay_factor,
            np.float32(recipe.momentum),
            kernel_key(derive(self.seeds.training, _UPDATES, k)),
            as_arrays(self.rbm),
            as_arrays(self.velocity),
        )

    def measure(self, batch: Batch) -> Mapping[str, float]:
        """The mean-field reconstruction error, summed over the batch."""
        v = self._pixels(batch.x)
        return {
            "reconstruction_mse": float(equations.reconstruction_error(v, equations.reconstruct(self.rbm, v)).sum())
        }

    def settle(self, train: Split, validation: Split) -> Mapping[str, float]:
        """Fit the readout on p(h|v) of all that is not the test set, as scikit-learn does by default."""
        f = torch.cat([self._features(train.x), self._features(validation.x)])
        y = torch.cat([train.y, validation.y])
        self.readout = self._fit(f, y)
        return {"readout_train_accuracy": readout.accuracy(self.readout, f, y), "device_energy": self.device_energy}

    def _fit(self, f: Tensor, y: Tensor, iterations: int | None = None) -> readout.Readout:
        """sum cross-entropy + |weight|^2 / 2, which is scikit-learn's default (C = 1)."""
        iterations = iterations or self.recipe.readout_iterations
        return readout.fit(f, y, self.task.n_classes, 0.5 / len(y), iterations, standardise=False)

    def predict(self, x: Any) -> Tensor:
        if self.readout is None:
            raise RuntimeError("predict before settle: the readout is not fitted yet")
        return readout.scores(self.readout, self._features(x))

    def operations(self, x: Any) -> Operations:
        assert self.readout is not None
        return counts.of_machine(self.rbm, self.readout, self._pixels(x), self._features(x), binary=True)

    def reconstruct(self, x: Any) -> Tensor:
        """Mean of p(v|h) over 10 draws of h ~ p(h|x).   -> (B, V)"""
        v, down = self._pixels(x), transposed(self.rbm.W)
        total = torch.zeros_like(v)
        for particle in range(_PARTICLES_DRAWN):
            seed = derive(self.seeds.training, _PARTICLES, particle)
            h = conditional(v, self.rbm.W, self.rbm.b, seed).state
            total += conditional(h, down, self.rbm.a, derive(seed, 1)).p
        return total / _PARTICLES_DRAWN

    def published_way(self, splits: Splits) -> Mapping[str, float]:
        """The tutorial's own figures, computed as it computed them."""
        sme = self.errors / self.updates
        printed = sme / self.recipe.steps_per_epoch
        train, test = splits.train, splits.test
        t = self._drawn_features(test.x)
        fitted = self._fit(self._drawn_features(train.x), train.y)
        return {
            "sme": printed,
            "sme_without_division": sme,
            "published_accuracy_percent": (1 - printed) * 100,
            "published_accuracy_percent_without_division": (1 - sme) * 100,
            **self._fit_and_score("lr_150", t, test.y),
            **self._fit_and_score("lr_150_pixels", self._pixels(test.x), test.y),
            "lr_all_drawn_features": readout.accuracy(fitted, t, test.y),
        }

    def _fit_and_score(self, name: str, f: Tensor, y: Tensor) -> dict[str, float]:
        """Accuracy on the very test images that were fitted, and on all others where there are any."""
        fitted = self._fit(f[:_FITTED], y[:_FITTED], iterations=10_000)
        told = {f"{name}_fit_and_scored": readout.accuracy(fitted, f[:_FITTED], y[:_FITTED])}
        if len(y) > _FITTED:
            told[f"{name}_on_the_other_9850"] = readout.accuracy(fitted, f[_FITTED:], y[_FITTED:])
        return told

    def figures(self, test: Split) -> Mapping[str, Figure]:
        from neurobench.models.qrbm import figures

        shown = test.head(50)
        inputs, outputs = self._pixels(shown.x), self.reconstruct(shown.x)
        predicted = self.predict(shown.x).argmax(1)
        return {
            "filters": figures.filters(self.rbm.W, self.task.shape),
            "reconstructions": figures.reconstructions(inputs, outputs, shown.y, predicted, self.task.shape),
        }

    def exports(self) -> Mapping[str, Callable[[], bytes]]:
        return bqm.files(self.rbm)

    def state_dict(self) -> dict[str, Any]:
        return {
            "rbm": dict(self.rbm._asdict()),
            "velocity": dict(self.velocity._asdict()),
            "errors": self.errors,
            "updates": self.updates,
            "device_energy": self.device_energy,
            "readout": None if self.readout is None else dict(self.readout._asdict()),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Copies: the state stays as it was whatever is learned afterwards."""
        self.rbm = RBM(**{name: part.clone() for name, part in state["rbm"].items()})
        self.velocity = RBM(**{name: part.clone() for name, part in state["velocity"].items()})
        self.errors, self.updates, self.device_energy = state["errors"], state["updates"], state["device_energy"]
        self.readout = None if state["readout"] is None else readout.Readout(**state["readout"])

    def _pixels(self, x: Any) -> Tensor:
        return pixels.visible(x.cpu(), self.recipe.threshold)

    def _features(self, x: Any) -> Tensor:
        """p(h|v)"""
        return equations.p_hidden(self.rbm, self._pixels(x))

    def _drawn_features(self, x: Any) -> Tensor:
        """The tutorial's h p(h|v), with h drawn."""
        drawn = conditional(self._pixels(x), self.rbm.W, self.rbm.b, derive(self.seeds.training, _FEATURES, len(x)))
        return drawn.state * drawn.p
