"""The hybrid network learns, and its classical twins beside it on the same batches."""

from __future__ import annotations

import math
import warnings
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from neurobench.config.errors import UserError
from neurobench.kernels.random import derive
from neurobench.models.common.training import FACTORS, moved
from neurobench.models.learner import Divergence, Initial, Seeds, Step, Sums, Task, TrainingRecord
from neurobench.models.qcnn import network
from neurobench.models.qcnn.circuits import CircuitRunner
from neurobench.models.qcnn.spec import HybridQCNN
from neurobench.models.qcnn.trainable import Trainable

if TYPE_CHECKING:
    from neurobench.data.dataset import Batch, Split
    from neurobench.devices.circuit.protocol import CircuitDevice

_LEARN, _PREDICT, _DROP, _MOVE = range(4)  # purposes of a draw
FORMAT = 1


class HybridQCNNLearner:
    """See `neurobench.models.learner.Learner`."""

    def __init__(
        self, spec: HybridQCNN, task: Task, seeds: Seeds, devices: Mapping[str, CircuitDevice], device: torch.device
    ):
        self.spec = spec = spec.for_task(task)
        self.task, self.seeds, self.device = task, seeds, device
        self.classical = spec.classical or ()
        self.networks = {
            head: Trainable(spec, head, task.shape, task.n_classes, derive(seeds.init, number), device)
            for number, head in enumerate((spec.head, *self.classical))
        }
        self.main = self.networks[spec.head]
        self.runner: CircuitRunner | None = None  # of circuits, to predict
        self.learning_runner: CircuitRunner | None = None  # and to learn
        program = self.main.head.program
        if program is not None:
            circuit, factor = devices["circuit"], 1.0 if spec.shift_without_half else 0.5
            self.runner = self.learning_runner = CircuitRunner(circuit, program, spec.shots, spec.gradient, factor)
            if spec.train_on == "ideal":
                self.learning_runner = CircuitRunner(circuit.ideal(), program, None, "autograd")

    def start(self, train: Split, initial: Initial | None) -> None:
        """Warn what an epoch would cost on the device, before any of it is spent."""
        cost = self._epoch_cost(len(train))
        if cost.get("qpu_seconds"):
            work = f"{cost['circuits']:,.0f} circuits, {cost['shots']:,.0f} shots"
            hours = f"{cost['qpu_seconds'] / 3600:.3g} h"
            warnings.warn(f"an epoch of training would take {hours} on the real processor: {work}", stacklevel=2)

    def _epoch_cost(self, samples: int) -> dict[str, float]:
        if (runner := self.learning_runner) is None:
            return {}
        circuits, shots = samples * runner.circuits_per_sample, runner.shots or 0
        seconds = runner.device.seconds(runner.program, circuits, shots)
        modelled = {} if seconds is None else {"shots": float(circuits * shots), "qpu_seconds": seconds}
        return {"circuits": circuits, **modelled}

    def learn(self, batch: Batch, at: Step) -> Sums:
        """One step of Adam of each network, with the same images dropped in the same places."""
        spec, seed = self.spec, self.seeds.training
        x, y = self.images(batch.x), batch.y.to(self.device)
        if spec.batch_one and len(y) != 1:
            raise UserError(
                f"batch_one=true, as in the tutorial's view(1, -1), takes one image at a time, not {len(y)}. "
                "Set training.batch_size=1, or model.batch_one=false."
            )
        dropout = 0.0 if spec.dropout_first_epoch_only and at.epoch else spec.dropout
        mask = network.dropout_mask(len(y), dropout, derive(seed, _DROP, at.k), self.device)
        x = moved(x, spec.jitter, derive(seed, _MOVE, at.k))
        assert spec.lr is not None  # `for_task` leaves nothing open
        lr = FACTORS[spec.schedule](at.k, at.n) * spec.lr
        sums = {
            head: net.learn(x, y, mask, lr, self._learning_runner_of(net), derive(seed, _LEARN, at.k))
            for head, net in self.networks.items()
        }
        for loss, _ in sums.values():
            if not math.isfinite(loss):
                raise Divergence(f"diverged at update {at.k}: loss is {loss}; try a smaller model.lr")
        return self._sums(sums[spec.head][0], {head: correct for head, (_, correct) in sums.items()})

    @torch.no_grad()
    def measure(self, batch: Batch) -> Sums:
        """With circuits run as they are to learn; `predict` runs them on the device in any case."""
        x, y = self.images(batch.x), batch.y.to(self.device)
        scores = {
            head: net.scores(x, self._learning_runner_of(net), self.predict_seed(x))
            for head, net in self.networks.items()
        }
        loss = float(self.main.losses(scores[self.spec.head], y, self.learning_runner).sum())
        return self._sums(loss, {head: int((each.argmax(1) == y).sum()) for head, each in scores.items()})

    def _learning_runner_of(self, net: Trainable) -> CircuitRunner | None:
        return self.learning_runner if net is self.main else None

    def _sums(self, loss: float, correct: Mapping[str, int]) -> Sums:
        """`correct` by head."""
        extra = {f"{head}_accuracy": float(correct[head]) for head in self.classical}
        return Sums(loss, float(correct[self.spec.head]), extra)

    def finalize(self, train: Split, validation: Split, record: TrainingRecord) -> Mapping[str, float]:
        """Nothing is left to learn. For the record: parameters, and what training would cost on the device."""
        figures = {"parameters": float(len(self.main.params))}
        for head in self.classical:
            figures[f"{head}_parameters"] = float(len(self.networks[head].params))
        cost, epochs = self._epoch_cost(len(train)), len(record.epochs)
        return figures | {f"training_{name}": value * epochs for name, value in cost.items()}

    @torch.no_grad()
    def predict(self, x: Any) -> Tensor:
        """Probabilities or logits; with shots or noise as the device gives them. The same x meets the same draws."""
        x = self.images(x)
        return self.main.scores(x, self.runner, self.predict_seed(x))

    def state_dict(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "settings": self._settings(),
            "members": {head: net.state_dict() for head, net in self.networks.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Raises UserError where the state is of another network."""
        if state.get("format") != FORMAT or "members" not in state:
            raise UserError(
                f"the checkpoint is not one of hybrid_qcnn in format {FORMAT}; train one with this version."
            )
        theirs, ours = state["settings"], self._settings()
        differing = [f"{key}={theirs.get(key)} there, {ours[key]} here" for key in ours if theirs[key] != ours[key]]
        if differing:
            raise UserError(
                f"the checkpoint does not fit: {'; '.join(differing)}. Use the same settings, or train anew."
            )
        for head, net in self.networks.items():
            net.load_state_dict(state["members"][head])

    def _settings(self) -> dict[str, Any]:
        """All that the parameters' shapes and meaning depend on."""
        settings = {name: getattr(self.spec, name) for name in ("head", "n_qubits", "depth", "reupload", "zz")}
        task = {"classes": self.task.n_classes, "shape": list(self.task.shape)}
        return {**settings, "classical": list(self.classical), **task}

    def images(self, x: Any) -> Tensor:
        """Raises UserError for what is no batch of images like those that the network was built for."""
        if not isinstance(x, Tensor) or x.dtype != torch.float32 or tuple(x.shape[1:]) != self.task.shape or not len(x):
            seen = f"{x.dtype} {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
            raise UserError(
                f"images must be float32 (B, {', '.join(map(str, self.task.shape))}) with B at least 1, not {seen}"
            )
        return x.to(self.device)

    def predict_seed(self, x: Tensor) -> int:
        """The same images meet the same draws."""
        if self.spec.shots is None:
            return 0
        return derive(self.seeds.training, _PREDICT, zlib.crc32(x.cpu().contiguous().numpy().tobytes()))
