"""The e-prop network learns: one learner over its engines."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from neurobench.config.errors import UserError
from neurobench.kernels.random import derive
from neurobench.models.common.schedules import FACTORS
from neurobench.models.eprop import counts
from neurobench.models.eprop.constants import constants, eta, scale
from neurobench.models.eprop.engines import make_engine
from neurobench.models.eprop.exact import Answer, ExactEngine, Spikes
from neurobench.models.eprop.history import History, restored_history
from neurobench.models.eprop.initial import draw
from neurobench.models.eprop.inputs import wiring
from neurobench.models.eprop.spec import EpropRSNN
from neurobench.models.learner import Divergence, Seeds, Step, Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neurobench.data.dataset import Batch, Split, Splits
    from neurobench.metrics.operations import Operations

_SHIFT = 0  # purpose of a draw


class EpropLearner:
    """See `neurobench.models.learner.Learner`."""

    def __init__(self, recipe: EpropRSNN, task: Task, seeds: Seeds, device: torch.device):
        self.recipe, self.task, self.seeds = recipe, task, seeds
        sensor = (task.shape[0], task.shape[1], task.shape[2])
        core = recipe.learning_core
        faults = recipe.unfit(core)
        if faults:
            raise UserError("\n".join(faults))
        if device.type != "cpu" and recipe.on_cpu_alone:
            warnings.warn(f"engine={recipe.engine} of this neuron and core computes on the CPU alone", stacklevel=1)
        self.wiring = wiring(sensor, core.pool)
        if core.pool != "none":
            pixels = recipe.layers(task.shape)[0]
            warnings.warn(
                f"{pixels} pixels are pooled into {self.wiring.inputs} inputs (backend.learning_core.pool={core.pool})",
                stacklevel=1,
            )
        self.c = constants(recipe, self.wiring.inputs, task.n_classes)
        seed = derive(seeds.init) % 2**32 if recipe.numpy_seed is None else recipe.numpy_seed
        sizes = self.wiring.inputs, recipe.hidden, task.n_classes
        sparsity = (recipe.sparsity[0], recipe.sparsity[1], recipe.sparsity[2])
        self.initial = draw(seed, *sizes, scale(recipe), sparsity)
        self.places = [_first(w, recipe.record_weights) for w in self.initial[:3]]
        self._require_range()
        self.engine = make_engine(recipe, self.c, self.initial, seeds.training, device)
        self.trained: ExactEngine | None = None  # before the last pending gradients were applied
        self.history = History()
        self.warned = False

    def _require_range(self) -> None:
        low = min(w.min() for w in self.initial[:3])
        high = max(w.max() for w in self.initial[:3])
        if low < self.recipe.w_min or high > self.recipe.w_max:
            raise Divergence(
                f"initial weights lie in [{low:.3g}, {high:.3g}], outside w_min={self.recipe.w_min}, "
                f"w_max={self.recipe.w_max}. Widen the range."
            )

    def start(self, train: Split) -> None:
        """The initial weights depend on the seed alone."""

    def learn(self, batch: Batch, at: Step) -> Mapping[str, float]:
        """A group of samples: one after the other (exact, online, a chip), or one update (minibatch)."""
        labels = batch.y.numpy()
        spikes = self._encode(batch.x, self._shifts(len(labels), at))
        answer = self.engine.group(spikes, labels, self.rate(at), at.k)
        sums = _sums(answer, labels)
        if not math.isfinite(sums["loss"]):
            raise Divergence(f"diverged at update {at.k}: loss is {sums['loss']}. Try a smaller model.lr.")
        if not answer.counts.any() and not self.warned:
            self.warned = True
            warnings.warn(
                f"no recurrent neuron fired in the {len(labels)} samples of update {at.k}: a silent network learns "
                "nothing (loss 0.5 with error 0.9). Lower model.v_th or model.lr.",
                stacklevel=1,
            )
        self.history.note(sums, len(labels), self._recorded)
        return sums

    def rate(self, at: Step) -> float:
        return eta(self.recipe) * FACTORS[self.recipe.lr_decay](at.k, at.n)

    def _recorded(self) -> list[list[float]]:
        """The first synapses of each kind, which the tutorial records as well."""
        found = zip(self.engine.weights(), self.places, strict=True)
        return [matrix[place].astype(np.float64).tolist() for matrix, place in found]

    def _shifts(self, n: int, at: Step) -> np.ndarray | None:
        most = self.recipe.shift
        if not most:
            return None
        draws = np.random.default_rng(derive(self.seeds.training, _SHIFT, at.k))
        return draws.integers(-most, most + 1, (n, 2))

    def measure(self, batch: Batch) -> Mapping[str, float]:
        """With the weights as they are, on samples that go on from the last one learned (exact, online)."""
        return _sums(self._answer(batch.x), batch.y.numpy())

    def _encode(self, x: Any, shifts: np.ndarray | None = None) -> Spikes:
        return self.wiring.encode(x, self.c.T, shifts, self.engine.ascending)

    def _answer(self, x: Any) -> Answer:
        return self.engine.answer(self._encode(x), len(x))

    def settle(self, train: Split, validation: Split) -> Mapping[str, float]:
        """Apply the gradients that wait for their source's next spike."""
        if isinstance(self.engine, ExactEngine):
            self.trained = self.engine.copy()
            self.engine.settle()
        rate = self.history.rate / self.c.T * 1000.0 if self.history.loss else 0.0
        return {"hidden_rate": rate}

    def predict(self, x: Any) -> Tensor:
        """Mean readout over the learning window."""
        return torch.from_numpy(self._answer(x).window.mean(1, dtype=np.float64))

    def operations(self, x: Any) -> Operations:
        """Of the network on its engine, from the same state as `predict`."""
        return counts.of_network(self.engine, self.wiring.encode(x, self.c.T), len(x))

    def published_way(self, splits: Splits) -> Mapping[str, float]:
        """NEST's test phase: the stream goes on, with targets, at learning rate 0. A source that is silent when the
        test begins still applies its last gradient, to which errors on the test's first targets can belong."""
        found = {}
        for g in range(len(self.history.loss)):
            if g + 1 in (1, 2, 3, 4, 5, 10, 20, 50, 100, 200):
                found[f"loss_iteration_{g + 1}"] = self.history.loss[g]
                found[f"error_iteration_{g + 1}"] = 1.0 - self.history.accuracy[g]
        if self.trained is not None:
            batch = splits.test.batch(slice(None))
            spikes = self.wiring.encode(batch.x, self.c.T)  # type: ignore[arg-type]
            sums = _sums(self.trained.copy().learn(spikes, batch.y.numpy(), 0.0), batch.y.numpy())
            found["nest_test_loss"] = sums["loss"] / len(batch.y)
            found["nest_test_error"] = 1.0 - sums["correct"] / len(batch.y)
        return found

    def figures(self, test: Split) -> Mapping[str, Figure | bytes]:
        from neurobench.models.eprop.figures import all_figures

        return all_figures(self, test)

    def state_dict(self) -> dict[str, Any]:
        return {"engine": self.engine.state_dict(), "history": self.history.state_dict(), "warned": self.warned}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.engine.load_state_dict(state["engine"])
        self.history = restored_history(state["history"])
        self.warned = state["warned"]


def _first(matrix: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """[target], [source] of the first n weights that are not 0."""
    target, source = np.nonzero(matrix)
    return target[:n], source[:n]


def _sums(answer: Answer, labels: np.ndarray) -> dict[str, float]:
    """loss: 1/2 of the mean over readouts of the sum over the window of (y - y*)^2."""
    y = answer.window.astype(np.float64)
    target = np.eye(y.shape[2])[labels][:, None]
    loss = 0.5 * ((y - target) ** 2).sum(1).mean(1)
    correct = y.mean(1).argmax(1) == labels
    spikes = float(answer.counts.sum()) / answer.counts.shape[1]
    return {"loss": float(loss.sum()), "correct": float(correct.sum()), "hidden_spikes": spikes}
