"""The QRBM learns: positive phase from the images, negative phase from the sampler, one gradient step a batch."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from neurobench.kernels.random import derive, uniforms
from neurobench.kernels.rbm.layers import Pair, ascend, conditional, transposed, warm_up
from neurobench.metrics.operations import Operations
from neurobench.models.common import readout
from neurobench.models.common.schedules import FACTORS
from neurobench.models.learner import Divergence, Seeds, Step, Task
from neurobench.models.qrbm import counts, initial, pixels
from neurobench.models.qrbm import rbm as equations
from neurobench.models.qrbm.spec import QRBM, seen_shape
from neurobench.problems import bqm
from neurobench.problems.rbm import RBM

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neurobench.data.dataset import Batch, Split

# Purposes of a draw within one update
_POSITIVE, _NEGATIVE, _VISIBLE, _HIDDEN, _FRESH, _CHAINS = range(6)
_PROBE = 20  # the training loss is taken on every 20th image: on all of them it would cost half an update


class QRBMLearner:
    """See `neurobench.models.learner.Learner`."""

    def __init__(self, recipe: QRBM, task: Task, seeds: Seeds, device: torch.device):
        self.recipe, self.task, self.seeds, self.device = recipe, task, seeds, device
        self.shape = seen_shape(task.shape, recipe.downsample)
        visible, hidden = recipe.layers(task.shape)
        self.rbm = initial.drawn(visible, hidden, recipe.init_sd, seeds.init, device)
        self.velocity = RBM(*(torch.zeros_like(part) for part in self.rbm))
        self.chains = self._coins(_CHAINS)  # (R, H), all but negative = cd
        self.readout: readout.Readout | None = None
        warm_up()

    def start(self, train: Split) -> None:
        """a = logit of each pixel's mean, kept within [0.01, 0.99]: the machine starts by drawing the mean image.

        With `init_from`, the machine found there.
        """
        assert isinstance(train.x, Tensor)  # layouts "image" and "vector" are
        pixels.check(train.x)
        if self.recipe.init_from is not None:
            there = initial.loaded(self.recipe.init_from, *self.rbm.W.shape)
            self.rbm = RBM(*(part.to(self.device) for part in there))
            return
        mean = self._pixels(train.x).mean(0).clamp(0.01, 0.99)
        self.rbm.a.copy_(torch.logit(mean))

    def learn(self, batch: Batch, at: Step) -> Mapping[str, float]:
        """One update. `reconstruction_mse` is estimated from every 20th image of the batch."""
        rbm, recipe = self.rbm, self.recipe
        v = self._pixels(batch.x)
        p, h = conditional(v, rbm.W, rbm.b, derive(self.seeds.training, at.k, _POSITIVE))
        error = equations.reconstruction_error(v[::_PROBE], equations.p_visible(rbm, p[::_PROBE]))
        u = self._negative(h, at)
        q, after = conditional(u, rbm.W, rbm.b, derive(self.seeds.training, at.k, _NEGATIVE))
        self.chains = after if recipe.negative != "cd" else self.chains

        rate = recipe.lr * FACTORS[recipe.lr_schedule](at.k, at.n)
        finite = ascend(
            rbm, self.velocity, Pair(v, p), Pair(u, q), rate, decay=recipe.weight_decay, momentum=recipe.momentum
        )
        if not finite:
            raise Divergence(
                f"diverged at update {at.k}: the weights are no longer finite (lr={recipe.lr:g}, "
                f"momentum={recipe.momentum:g}); try a smaller lr"
            )
        return {"reconstruction_mse": float(error.mean()) * len(v)}

    def _negative(self, h: Tensor, at: Step) -> Tensor:
        """States (R, V) of the model, `gibbs_steps` steps away from where the chains begin."""
        u = self._step(self._begin(h, at), at, 0)
        for step in range(1, self.recipe.gibbs_steps):
            seed = derive(self.seeds.training, at.k, _HIDDEN, step)
            u = self._step(conditional(u, self.rbm.W, self.rbm.b, seed).state, at, step)
        return u

    def _begin(self, h: Tensor, at: Step) -> Tensor:
        """Hidden states (R, H): the data's own, those kept from the last update, or fresh ones."""
        recipe = self.recipe
        if recipe.negative == "cd":
            return h
        if recipe.negative == "pcd" or at.k % recipe.device_every > 0:
            return self.chains
        if recipe.negative == "random":
            return self._coins(at.k, _FRESH)
        return recipe.sampler.sample_rbm(self.rbm, recipe.chains, derive(self.seeds.training, at.k, _FRESH)).h

    def _coins(self, *purpose: int) -> Tensor:
        """Hidden states (R, H) by chance."""
        draws = uniforms(derive(self.seeds.training, *purpose), (self.recipe.chains, self.recipe.n_hidden), self.device)
        return (draws < 0.5).float()

    def _step(self, h: Tensor, at: Step, step: int) -> Tensor:
        """v ~ p(v|h): by the device, or by the host that fills in between two fresh starts."""
        seed = derive(self.seeds.training, at.k, _VISIBLE, step)
        if self.recipe.negative in ("device", "random"):
            return conditional(h, transposed(self.rbm.W), self.rbm.a, seed).state
        return self.recipe.sampler.sample_rbm(self.rbm, len(h), seed, initial_hidden=h).v

    def measure(self, batch: Batch) -> Mapping[str, float]:
        """The mean-field reconstruction error, summed over the batch."""
        v = self._pixels(batch.x)
        return {
            "reconstruction_mse": float(equations.reconstruction_error(v, equations.reconstruct(self.rbm, v)).sum())
        }

    def settle(self, train: Split, validation: Split) -> Mapping[str, float]:
        """Fit the readout: l2 chosen on the validation split, weights on both."""
        features = self._features(train.x)
        units = self.recipe.n_hidden  # their probabilities come first
        stuck = int((features[:, :units].std(0) < 1e-3).sum())
        if stuck > units / 2:
            warnings.warn(
                f"{stuck} of {units} hidden units answer every image alike: the readout has little to "
                "go by. A smaller lr, or images within [0, 1], may help",
                stacklevel=2,
            )
        chosen = readout.choose(
            features,
            train.y.to(self.device),
            self._features(validation.x),
            validation.y.to(self.device),
            self.task.n_classes,
            readout.Search(
                self.recipe.l2, self.recipe.l2_candidates, self.recipe.readout_iterations, self.seeds.training
            ),
        )
        self.readout = chosen.readout
        return chosen.figures

    def predict(self, x: Any) -> Tensor:
        if self.readout is None:
            raise RuntimeError("predict before settle: the readout is not fitted yet")
        return readout.scores(self.readout, self._features(x))

    def operations(self, x: Any) -> Operations:
        """Of the features and the readout: the sampler is needed for learning alone."""
        assert self.readout is not None
        v = self._pixels(x)
        binary = self.recipe.pixels == "binary"
        return counts.of_machine(self.rbm, self.readout, v, self._block_features(v), binary=binary)

    def reconstruct(self, x: Any) -> Tensor:
        """Mean-field reconstruction (B, V) of images in [0, 1]."""
        return equations.reconstruct(self.rbm, self._pixels(x))

    def figures(self, test: Split) -> Mapping[str, Figure]:
        from neurobench.models.qrbm import figures

        shown = test.head(50)
        return {
            "filters": figures.filters(self.rbm.W.cpu(), self.shape),
            "reconstructions": figures.reconstructions(
                self._pixels(shown.x).cpu(),
                self.reconstruct(shown.x).cpu(),
                shown.y,
                self.predict(shown.x).argmax(1).cpu(),
                self.shape,
            ),
        }

    def exports(self) -> Mapping[str, Callable[[], bytes]]:
        return bqm.files(self.rbm)

    def state_dict(self) -> dict[str, Any]:
        return {
            "rbm": dict(self.rbm._asdict()),
            "velocity": dict(self.velocity._asdict()),
            "chains": self.chains,
            "readout": None if self.readout is None else dict(self.readout._asdict()),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Copies: the state stays as it was whatever is learned afterwards."""

        def own(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return {name: tensor.to(self.device, copy=True) for name, tensor in tensors.items()}

        self.rbm = RBM(**own(state["rbm"]))
        self.velocity = RBM(**own(state["velocity"]))
        self.chains = state["chains"].to(self.device, copy=True)
        self.readout = None if state["readout"] is None else readout.Readout(**own(state["readout"]))

    def _pixels(self, x: Any) -> Tensor:
        recipe = self.recipe
        threshold = recipe.threshold if recipe.pixels == "binary" else None
        return pixels.visible(x, threshold, recipe.downsample).to(self.device)

    def _features(self, x: Any) -> Tensor:
        """What the readout sees, the same at every call. A block of images at a time: their pixels need not fit
        memory twice."""
        return torch.cat([self._block_features(self._pixels(block)) for block in x.split(5000)])

    def _block_features(self, v: Tensor) -> Tensor:
        """p(h|v), and with features = both also b + vW."""
        if self.recipe.features == "probability":
            return equations.p_hidden(self.rbm, v)
        field = self.rbm.b + v @ self.rbm.W
        return torch.cat([torch.sigmoid(field), field], dim=1)
