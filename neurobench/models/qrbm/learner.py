"""The QRBM learns: positive phase from the images, negative phase from the sampler, one gradient step a batch."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from neurobench.devices.sampler.protocol import Sampler
from neurobench.kernels.random import derive, uniforms
from neurobench.kernels.rbm.layers import Pair, ascend, conditional, transposed, warm_up
from neurobench.models.common.training import FACTORS
from neurobench.models.learner import Divergence, Initial, Seeds, Step, Sums, Task, TrainingRecord
from neurobench.models.qrbm import classifier
from neurobench.models.qrbm.exports import initial_rbm
from neurobench.models.qrbm.spec import QRBM, seen_shape
from neurobench.problems import rbm as equations
from neurobench.problems.rbm import RBM

if TYPE_CHECKING:
    from neurobench.data.dataset import Batch, Split

# Purposes of a draw within one update
_POSITIVE, _NEGATIVE, _VISIBLE, _HIDDEN, _FRESH, _CHAINS = range(6)
_PROBE = 20  # the training error is taken on every 20th image: on all of them it would cost half an update
_BLOCK = 5000  # images whose features are computed at a time: their pixels need not fit memory twice


class QRBMLearner(classifier.MachineClassifier):
    """See `neurobench.models.learner.Learner`."""

    spec: QRBM

    def __init__(self, spec: QRBM, task: Task, seeds: Seeds, devices: Mapping[str, Sampler], device: torch.device):
        super().__init__(spec, task, seeds, device)
        self.sampler = devices["sampler"]
        self.rbm = classifier.random_rbm(spec.demand(task).layers, spec.init_sd, seeds.init, device)
        self.velocity = RBM(*(torch.zeros_like(part) for part in self.rbm))
        self.chains = self._coins(_CHAINS)  # (R, H), all but negative = cd
        warm_up()

    @property
    def threshold(self) -> float | None:
        return self.spec.threshold if self.spec.pixels == "binary" else None

    @property
    def shape(self) -> tuple[int, ...]:
        return seen_shape(self.task.shape, self.spec.downsample)

    def start(self, train: Split, initial: Initial | None) -> None:
        """a = logit of each pixel's mean, clamped to [0.01, 0.99]: the machine starts by drawing the mean image.

        With `initial`, that machine.
        """
        classifier.require_images(train.x)
        if initial is not None:
            self.rbm = RBM(*(part.to(self.device) for part in initial_rbm(initial, *self.rbm.W.shape)))
            return
        mean = self.pixels(train.x).mean(0).clamp(0.01, 0.99)
        self.rbm.a.copy_(torch.logit(mean))

    def learn(self, batch: Batch, at: Step) -> Sums:
        """One update. `reconstruction_mse` is estimated from every 20th image of the batch."""
        rbm, spec = self.rbm, self.spec
        v = self.pixels(batch.x)
        p, h = conditional(v, rbm.W, rbm.b, derive(self.seeds.training, at.k, _POSITIVE))
        error = equations.reconstruction_error(v[::_PROBE], equations.p_visible(rbm, p[::_PROBE]))
        u = self._negative(h, at)
        q, after = conditional(u, rbm.W, rbm.b, derive(self.seeds.training, at.k, _NEGATIVE))
        self.chains = after if spec.negative != "cd" else self.chains

        rate = spec.lr * FACTORS[spec.lr_schedule](at.k, at.n)
        data, model = Pair(v, p), Pair(u, q)
        if not ascend(rbm, self.velocity, data, model, rate, decay=spec.weight_decay, momentum=spec.momentum):
            raise Divergence(
                f"diverged at update {at.k}: the weights are no longer finite (lr={spec.lr:g}, "
                f"momentum={spec.momentum:g}); try a smaller lr"
            )
        return classifier.error_sums(float(error.mean()) * len(v))

    def _negative(self, h: Tensor, at: Step) -> Tensor:
        """States (R, V) of the model, `gibbs_steps` steps away from where the chains begin."""
        u = self._step(self._begin(h, at), at, 0)
        for step in range(1, self.spec.gibbs_steps):
            seed = derive(self.seeds.training, at.k, _HIDDEN, step)
            u = self._step(conditional(u, self.rbm.W, self.rbm.b, seed).state, at, step)
        return u

    def _begin(self, h: Tensor, at: Step) -> Tensor:
        """Hidden states (R, H): the data's own, those of the last update, or fresh ones."""
        spec = self.spec
        if spec.negative == "cd":
            return h
        if spec.negative == "pcd" or at.k % spec.device_every > 0:
            return self.chains
        if spec.negative == "random":
            return self._coins(at.k, _FRESH)
        return self.sampler.sample_rbm(self.rbm, spec.chains, derive(self.seeds.training, at.k, _FRESH)).h

    def _coins(self, *purpose: int) -> Tensor:
        """Hidden states (R, H) by chance."""
        draws = uniforms(derive(self.seeds.training, *purpose), (self.spec.chains, self.spec.n_hidden), self.device)
        return (draws < 0.5).float()

    def _step(self, h: Tensor, at: Step, step: int) -> Tensor:
        """v ~ p(v|h): by the device, or by the host that goes on between two fresh starts."""
        seed = derive(self.seeds.training, at.k, _VISIBLE, step)
        if self.spec.negative in ("device", "random"):
            return conditional(h, transposed(self.rbm.W), self.rbm.a, seed).state
        return self.sampler.sample_rbm(self.rbm, len(h), seed, initial_hidden=h).v

    def finalize(self, train: Split, validation: Split, record: TrainingRecord) -> Mapping[str, float]:
        """Fit the readout."""
        features, units = self.features(train.x), self.spec.n_hidden  # their probabilities come first
        stuck = int((features[:, :units].std(0) < 1e-3).sum())
        if stuck > units / 2:
            warnings.warn(
                f"{stuck} of {units} hidden units answer every image alike: the readout has little to "
                "go by. A smaller lr, or images within [0, 1], may help",
                stacklevel=2,
            )
        return self.fit_readout(features, train, validation)

    def pixels(self, x: Any) -> Tensor:
        return classifier.visible(x, self.threshold, self.spec.downsample).to(self.device)

    def features_of(self, v: Tensor) -> Tensor:
        """p(h|v), and with features = both also b + vW."""
        if self.spec.features == "probability":
            return super().features_of(v)
        field = self.rbm.b + v @ self.rbm.W
        return torch.cat([torch.sigmoid(field), field], dim=1)

    def features(self, x: Any) -> Tensor:
        return torch.cat([self.features_of(self.pixels(block)) for block in x.split(_BLOCK)])

    def state_dict(self) -> dict[str, Any]:
        return {
            "rbm": dict(self.rbm._asdict()),
            "velocity": dict(self.velocity._asdict()),
            "chains": self.chains,
            **super().state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.rbm = RBM(**classifier.copied(state["rbm"], self.device))
        self.velocity = RBM(**classifier.copied(state["velocity"], self.device))
        self.chains = state["chains"].to(self.device, copy=True)
