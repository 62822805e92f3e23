"""Learner of the e-prop network, common to its engines."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurobench.data.dataset import Batch, Split
from neurobench.data.events import MANY_LATE, Events
from neurobench.devices.learning_core.specs import LearningCore
from neurobench.kernels.random import derive
from neurobench.models.common.late_events import SEEN
from neurobench.models.common.training import FACTORS
from neurobench.models.eprop.chip import ChipEngine
from neurobench.models.eprop.inputs import Spikes, one_each, pooled
from neurobench.models.eprop.minibatch import BsshslmEngine, MinibatchEngine
from neurobench.models.eprop.minibatch_torch import TorchMinibatchEngine
from neurobench.models.eprop.nest_engine import NestEngine
from neurobench.models.eprop.network import (
    Engine,
    Response,
    Weights,
    constants,
    draw,
    learning_rate,
    symmetric_feedback,
    trace_scale,
)
from neurobench.models.eprop.spec import BSSHSLM, EpropRSNN
from neurobench.models.eprop.stream import ExactEngine, OnlineEngine
from neurobench.models.learner import Divergence, Initial, Seeds, Step, Sums, Task, TrainingRecord

KINDS = ("in", "rec", "out")  # of synapses
WITHOUT_EFFECT = (
    "the chip learns by gradient descent at NEST's rate times backend.learning_core.update_scale: lr, lr_out, "
    "lr_decay, optimizer and Adam's constants, w_min, w_max and the surrogate's height and width have no effect on it"
)
_SHIFT = 0  # purpose of random draws


class Tested(NamedTuple):
    """Loss and error of an iteration of the test phase."""

    loss: float
    error: float


class EpropLearner:
    """Learner of the e-prop network, see `neurobench.models.learner.Learner`."""

    def __init__(self, spec: EpropRSNN, task: Task, seeds: Seeds, devices: Mapping[str, Any], device: torch.device):
        self.spec, self.task, self.seeds = spec, task, seeds
        core: LearningCore = devices["learning_core"]
        self.inputs = one_each(task.shape) if core.pool == "none" else pooled(task.shape, core.pool)
        self.c = constants(spec, self.inputs.size, task.n_classes)
        seed = derive(seeds.init) % 2**32 if spec.numpy_seed is None else spec.numpy_seed
        sizes = self.inputs.size, spec.hidden, task.n_classes
        self.initial = draw(seed, *sizes, trace_scale(spec), spec.sparsity)
        low, high = min(w.min() for w in self.initial[:3]), max(w.max() for w in self.initial[:3])
        if low < spec.w_min or high > spec.w_max:
            raise Divergence(
                f"initial weights lie in [{low:.3g}, {high:.3g}], outside w_min={spec.w_min}, w_max={spec.w_max}. "
                "Widen the range."
            )
        self.symmetric = symmetric_feedback(spec)
        self.engine = self._open_engine(core, device)
        self.before_pending: ExactEngine | NestEngine | None = None  # the stream before `finalize`
        self.tested: list[Tested] = []  # NEST's test phase by iteration, once it has been run
        nonzero = (np.nonzero(w) for w in self.initial[:3])  # targets, sources
        self.recorded = [tuple(index[: spec.record_weights] for index in indices) for indices in nonzero]
        self.warned = False
        self._warn(core, device)

    def _open_engine(self, core: LearningCore, device: torch.device) -> Engine:
        """Create the engine, on `device` unless it computes on the CPU only."""
        spec, c, weights = self.spec, self.c, self.initial
        if core.fixed_point is not None:
            return ChipEngine(c, core.fixed_point, weights, self.seeds.training)
        if core.simulator is not None:
            return NestEngine(spec, c, weights, core.simulator)
        if spec.neuron == BSSHSLM:
            return BsshslmEngine(c, weights, symmetric=self.symmetric)
        if spec.engine != "minibatch":
            return {"exact": ExactEngine, "online": OnlineEngine}[spec.engine](c, weights)
        if device.type != "cpu":
            return TorchMinibatchEngine(c, weights, device, symmetric=self.symmetric)
        return MinibatchEngine(c, weights, symmetric=self.symmetric)

    def _warn(self, core: LearningCore, device: torch.device) -> None:
        """Warn about effects of this device and core that a user may not expect."""
        if device.type != "cpu" and not isinstance(self.engine, TorchMinibatchEngine):
            warnings.warn(f"engine={self.spec.engine} of this neuron and core computes on the CPU only", stacklevel=2)
        if core.pool != "none":
            pixels = self.spec.demand(self.task).inputs
            pooling = f"{pixels} pixels are pooled into {self.inputs.size} inputs"
            warnings.warn(f"{pooling} (backend.learning_core.pool={core.pool})", stacklevel=2)
        if core.fixed_point is not None:
            warnings.warn(WITHOUT_EFFECT, stacklevel=2)
        iterations = self.spec.test_iterations
        if iterations is not None and not isinstance(self.engine, ExactEngine | NestEngine):
            fault = f"model.test_iterations={iterations} has no effect with engine={self.spec.engine}"
            warnings.warn(f"{fault}: NEST's test phase continues a stream of samples, and it has none", stacklevel=2)

    def start(self, train: Split, initial: Initial | None) -> None:
        """Warn of events that are ignored. The initial weights depend on the seed alone."""
        events = train.limited(SEEN).batch(slice(None)).x
        assert isinstance(events, Events)
        if (ignored := self.inputs.ignored(events)) >= MANY_LATE:
            warnings.warn(
                f"{100 * ignored:.0f} % of the events come from pixels that never see one in N-MNIST, and are ignored: "
                f"from a sensor of its size the network reads its {self.inputs.size} active pixels. With "
                "backend.learning_core.pool=16x16 it reads all pixels, in 256 cells",
                stacklevel=2,
            )

    def learn(self, batch: Batch, at: Step) -> Sums:
        """Learn a batch: one sample after the other (exact, online, a chip), or in one update (minibatch)."""
        labels, reach, shifts = batch.y.numpy(), self.spec.shift, None
        if reach:
            draws = np.random.default_rng(derive(self.seeds.training, _SHIFT, at.k))
            shifts = draws.integers(-reach, reach + 1, (len(labels), 2))
            shifts *= np.array(self.inputs.sensor[:0:-1]) > 1  # columns, rows: pixels in a row move along it
        spikes = self.encode(batch.x, shifts)
        lr = learning_rate(self.spec) * FACTORS[self.spec.lr_decay](at.k, at.n)
        response = self.engine.train_batch(spikes, labels, lr, at.k, last=at.k + 1 == at.n)
        if not response.counts.any() and not self.warned:
            self.warned = True
            warnings.warn(
                f"no recurrent neuron fired in the {len(labels)} samples of update {at.k}: a silent network learns "
                f"nothing (its loss is {self.c.W / (2 * self.c.K):g}). Lower model.v_th or model.lr.",
                stacklevel=1,
            )
        return sums(response, labels)

    def measure(self, batch: Batch) -> Sums:
        """Measure the current weights, on samples that follow the last one learned in the stream (exact, online)."""
        return sums(self.respond(batch.x), batch.y.numpy())

    def encode(self, x: Any, shifts: np.ndarray | None = None) -> Spikes:
        return self.inputs.encode(x, self.c.T, shifts, self.engine.ascending)

    def respond(self, x: Any) -> Response:
        """Response of the network without learning."""
        return self.engine.predict(self.encode(x), len(x))

    def finalize(self, train: Split, validation: Split, record: TrainingRecord) -> Mapping[str, float]:
        """Apply the gradients that wait for their source's next spike. Returns the firing rate (spikes / s) of the last
        batch that was learned."""
        if isinstance(self.engine, ExactEngine | NestEngine):
            self.before_pending = self.engine.copy()
            self.engine.apply_pending()
        spikes = record.updates.get("hidden_spikes", [0.0])[-1]
        return {"hidden_rate": spikes / self.c.T * 1000.0}

    def predict(self, x: Any) -> Tensor:
        """Mean readout over the learning window."""
        return torch.from_numpy(self.respond(x).window.mean(1, dtype=np.float64))

    def weights(self) -> Weights:
        """Current weights."""
        return self.with_feedback(Weights(*self.engine.weights(), *self.initial[3:]))

    def with_feedback(self, weights: Weights) -> Weights:
        """Weights with the feedback by which the network learns while it has them."""
        return weights._replace(feedback=self.symmetric * weights.w_out.T) if self.symmetric else weights

    def snapshot(self, label: str) -> dict[str, Tensor]:
        """Weights of the first synapses by kind, (record_weights,) float64 each, as recorded in the tutorial."""
        parts = zip(KINDS, self.engine.weights(), self.recorded, strict=True)
        return {kind: torch.from_numpy(matrix[places].astype(np.float64)) for kind, matrix, places in parts}

    def initial_recorded(self) -> list[np.ndarray]:
        """Weights of a snapshot before training, by kind."""
        return [matrix[places] for matrix, places in zip(self.initial[:3], self.recorded, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        return {"engine": self.engine.state_dict(), "warned": self.warned}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.engine.load_state_dict(state["engine"])
        self.warned = state["warned"]


def sums(response: Response, labels: np.ndarray) -> Sums:
    """Sums of a batch. loss: 1/2 of the mean over readouts of the sum over the window of (y - y*)^2; hidden_spikes:
    spikes per recurrent neuron."""
    y = response.window.astype(np.float64)
    target = np.eye(y.shape[2])[labels][:, None]
    loss = 0.5 * ((y - target) ** 2).sum(1).mean(1)
    correct = y.mean(1).argmax(1) == labels
    spikes = float(response.counts.sum()) / response.counts.shape[1]
    return Sums(float(loss.sum()), float(correct.sum()), {"hidden_spikes": spikes})
