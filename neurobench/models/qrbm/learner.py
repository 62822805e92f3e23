"""Training of the QRBM: positive phase from the images, negative phase from the sampler, one gradient step per batch;
and its exports."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from neurobench.config.errors import UserError
from neurobench.data.dataset import Batch, Split
from neurobench.devices.sampler.protocol import Sampler
from neurobench.kernels.adaptive_threads import AdaptiveThreads
from neurobench.kernels.random import derive
from neurobench.kernels.rbm.layers import Pair, ascend, coins, conditional, conditional_down, laid_out, warm_up
from neurobench.models.common.moves import moved, moved_copies
from neurobench.models.common.readout import accuracy
from neurobench.models.common.training import FACTORS
from neurobench.models.learner import Divergence, Initial, Seeds, Step, Sums, Task, TrainingRecord
from neurobench.models.qrbm import classifier, hybrid
from neurobench.models.qrbm.spec import QRBM, seen_shape
from neurobench.problems import rbm as equations
from neurobench.problems.bqm import bqm_file, coo_file, json_file, read_file
from neurobench.problems.rbm import RBM

# Purposes of random draws within one update
_POSITIVE, _NEGATIVE, _VISIBLE, _HIDDEN, _FRESH, _CHAINS, _MOVED, _COPIES, _TUNING = range(9)
_PROBE = 20  # the training error is estimated from every 20th image: all of them would cost half an update


class QRBMLearner(classifier.MachineClassifier):
    """Learner of the QRBM; see `neurobench.models.learner.Learner`."""

    spec: QRBM

    def __init__(self, spec: QRBM, task: Task, seeds: Seeds, devices: Mapping[str, Sampler], device: torch.device):
        super().__init__(spec, task, seeds, devices, device)
        self.sampler = devices["sampler"]
        self.rbm = laid_out(classifier.random_rbm(spec.demand(task).layers, spec.init_sd, seeds.init, device))
        self.velocity = laid_out(RBM(*(torch.zeros_like(part) for part in self.rbm)))
        self.chains = self._coins(_CHAINS)  # (R, H), not used if negative = cd
        self.threads = AdaptiveThreads()
        warm_up()

    @property
    def threshold(self) -> float | None:
        return self.spec.threshold if self.spec.pixels == "binary" else None

    @property
    def shape(self) -> tuple[int, ...]:
        return seen_shape(self.task.shape, self.spec.downsample)

    def start(self, train: Split, initial: Initial | None) -> None:
        """Start from the machine of `initial`, else with a = logit of each pixel's mean, clamped to [0.01, 0.99], which
        first draws the mean image."""
        super().start(train, initial)
        if initial is not None:
            self.rbm = laid_out(RBM(*(part.to(self.device) for part in initial_rbm(initial, *self.rbm.W.shape))))
            return
        self.rbm.a.copy_(torch.logit(self.pixels(train.x).mean(0).clamp(0.01, 0.99)))

    def learn(self, batch: Batch, at: Step) -> Sums:
        """Perform one update. `reconstruction_mse` is estimated from every 20th image of the batch."""
        return self.threads(self._update, batch, at)

    def _update(self, batch: Batch, at: Step) -> Sums:
        rbm, spec = self.rbm, self.spec
        images: Any = batch.x  # no event recordings reach a machine
        v = self.pixels(moved(images, spec.jitter, derive(self.seeds.training, at.k, _MOVED)))
        p, h = conditional(v, rbm.W, rbm.b, derive(self.seeds.training, at.k, _POSITIVE))
        wrong = (v[::_PROBE] - equations.p_visible(rbm, p[::_PROBE])).flatten()
        u = self._negative(h, at)
        goes_on = spec.negative != "cd"
        q, after = conditional(u, rbm.W, rbm.b, derive(self.seeds.training, at.k, _NEGATIVE), states=goes_on)
        self.chains = after if goes_on else self.chains
        rate = spec.lr * FACTORS[spec.lr_schedule](at.k, at.n)
        if not ascend(rbm, self.velocity, Pair(v, p), Pair(u, q), rate, spec.weight_decay, spec.momentum):
            rates = f"lr={spec.lr:g}, momentum={spec.momentum:g}"
            raise Divergence(f"diverged at update {at.k}: the weights are no longer finite ({rates}); try a smaller lr")
        return Sums(extra={"reconstruction_mse": float(wrong @ wrong) / len(wrong) * len(v)})

    def _negative(self, h: Tensor, at: Step) -> Tensor:
        """States (R, V) of the model, `gibbs_steps` steps after the start of the chains."""
        u = self._step(self._begin(h, at), at, 0)
        for step in range(1, self.spec.gibbs_steps):
            seed = derive(self.seeds.training, at.k, _HIDDEN, step)
            u = self._step(conditional(u, self.rbm.W, self.rbm.b, seed).state, at, step)
        return u

    def _begin(self, h: Tensor, at: Step) -> Tensor:
        """Hidden states (R, H) in which the chains start: the data's, those of the last update, or fresh ones."""
        spec = self.spec
        if spec.negative == "cd":
            return h
        if spec.negative == "pcd" or at.k % spec.device_every > 0:
            return self.chains
        if spec.negative == "random":
            return self._coins(at.k, _FRESH)
        return self.sampler.sample_rbm(self.rbm, spec.chains, derive(self.seeds.training, at.k, _FRESH)).h

    def _coins(self, *purpose: int) -> Tensor:
        """Random hidden states (R, H)."""
        return coins(derive(self.seeds.training, *purpose), (self.spec.chains, self.spec.n_hidden), self.device)

    def _step(self, h: Tensor, at: Step, step: int) -> Tensor:
        """Sample v ~ p(v|h) on the device, or on the host between two fresh starts."""
        seed = derive(self.seeds.training, at.k, _VISIBLE, step)
        if self.spec.negative in ("device", "random"):
            return conditional_down(h, self.rbm.W, self.rbm.a, seed, probabilities=False).state
        return self.sampler.sample_rbm(self.rbm, len(h), seed, h).v

    def finalize(self, train: Split, validation: Split, record: TrainingRecord) -> Mapping[str, float]:
        """Fit the readout, also on shifted copies, and warn if most hidden units are constant; or fine-tune the machine
        together with it, on the training split alone."""
        spec, units = self.spec, self.spec.n_hidden
        if spec.fine_tune:
            return self._fine_tune(train, validation)
        x: Any = train.x
        seed = derive(self.seeds.training, _COPIES)
        copies = moved_copies(x, spec.jitter, spec.readout_copies, seed) if spec.readout_copies else ()
        figures = self.fit_readout(train, validation, [x, *copies])
        stuck = int((self.fitted.scale[:units] < 2e-3).sum())  # scale is sd + 1e-3; probabilities come first
        if stuck > units / 2:
            warnings.warn(
                f"{stuck} of {units} hidden units respond identically to every image: the readout has little to use. "
                "A smaller lr, or images within [0, 1], may help",
                stacklevel=2,
            )
        return figures

    def pixels(self, x: Any) -> Tensor:
        return classifier.visible(x, self.threshold, self.spec.downsample).to(self.device)

    def features_of(self, v: Tensor) -> Tensor:
        """Features p(h|v), and with features = both also b + vW."""
        if self.spec.features == "probability":
            return super().features_of(v)
        return classifier.both(self.rbm, v)

    def _fine_tune(self, train: Split, validation: Split) -> Mapping[str, float]:
        spec, x, y = self.spec, train.x, train.y.to(self.device)
        assert isinstance(x, Tensor)  # holds for the layouts that it reads
        settings = spec.fine_tune, spec.fine_tune_lr, spec.fine_tune_dropout
        tuning = hybrid.Tuning(*settings, derive(self.seeds.training, _TUNING))

        def images(index: Tensor, seed: int) -> Tensor:
            return self.pixels(moved(x[index], spec.jitter, seed))

        self.rbm, self.readout = hybrid.fine_tune(self.rbm, images, y, self.task.n_classes, tuning)
        splits = {"train": (x, y), "validation": (validation.x, validation.y.to(self.device))}
        return {
            f"readout_{name}_accuracy": accuracy(self.readout, self.features(x), labels)
            for name, (x, labels) in splits.items()
            if len(labels)
        }

    def state_dict(self) -> dict[str, Any]:
        machine = {
            name: {part: values.contiguous() for part, values in each._asdict().items()}
            for name, each in (("rbm", self.rbm), ("velocity", self.velocity))
        }
        return {**machine, "chains": self.chains, **super().state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.rbm = laid_out(RBM(**classifier.copied(state["rbm"], self.device)))
        self.velocity = laid_out(RBM(**classifier.copied(state["velocity"], self.device)))
        self.chains = state["chains"].to(self.device, copy=True)


def exports(learner: classifier.MachineClassifier) -> Mapping[str, Callable[[], bytes]]:
    """Export formats of the machine, and of the whole classifier from images to scores."""
    machine = {"bqm": bqm_file, "coo": coo_file, "json": json_file}
    return {**{name: partial(write, learner.rbm) for name, write in machine.items()}, **classifier.exports(learner)}


def initial_rbm(initial: Initial, visible: int, hidden: int) -> RBM:
    """RBM of a file or of another run's learner. Raises UserError if it is not one, has other sizes or numbers that are
    not finite."""
    source = f"model.init_from={initial.reference}"
    if initial.state is None:
        try:
            rbm = read_file(initial.path.read_bytes(), visible)
        except (ValueError, KeyError, TypeError) as fault:
            raise UserError(
                f"{source} is not an RBM of {visible} visible units: {fault}. "
                "`neurobench export RUN --format bqm` writes one."
            ) from fault
    elif (stored := initial.state.get("rbm")) is None:
        raise UserError(f"{source}: {initial.path} contains no RBM.")
    else:
        rbm = RBM(**stored)
    shape = (len(rbm.a), len(rbm.b))
    if shape != (visible, hidden) or rbm.W.shape != shape:
        raise UserError(
            f"{source} has {shape[0]} visible and {shape[1]} hidden units; this run needs {visible} and {hidden}. "
            "Set model.n_hidden and model.downsample as in the checkpoint."
        )
    if not all(bool(torch.isfinite(part).all()) for part in rbm):
        raise UserError(f"{source} contains numbers that are not finite; choose another one.")
    return rbm
