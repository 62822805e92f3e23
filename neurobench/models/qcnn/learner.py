"""Training of the hybrid network, with its classical twins on the same batches; its exports and operations."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from neurobench.config.errors import UserError
from neurobench.data.dataset import Batch, Split
from neurobench.devices.circuit.protocol import CircuitDevice
from neurobench.kernels.random import derive, fingerprint
from neurobench.metrics.operations import Operations, convolution, linear, population
from neurobench.models.common.exchange import Network
from neurobench.models.common.moves import moved
from neurobench.models.common.training import FACTORS
from neurobench.models.learner import Divergence, Initial, Seeds, Step, Sums, Task, TrainingRecord
from neurobench.models.qcnn import network
from neurobench.models.qcnn.circuits import CircuitRunner, to_qasm
from neurobench.models.qcnn.heads import Readout, Ring, Sigmoid, Trainable
from neurobench.models.qcnn.spec import HybridQCNN

_LEARN, _PREDICT, _DROP, _MOVE = range(4)  # purposes of random draws
FORMAT = 1
STRUCTURE = ("head", "n_qubits", "depth", "reupload", "zz", "entangled")  # a checkpoint's shapes depend on these
CIRCUIT = (
    "a gate is not a product of an input and a weight: effective_macs and dense_operations are those of the classical "
    "layers; circuits, shots and modelled seconds are given in device_costs"
)


class HybridQCNNLearner:
    """Learner of the hybrid network; see `neurobench.models.learner.Learner`."""

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
        self.runner: CircuitRunner | None = None  # runs circuits in prediction
        self.learning_runner: CircuitRunner | None = None  # and in training
        if (program := self.main.head.program) is not None:
            circuit, factor = devices["circuit"], 1.0 if spec.shift_without_half else 0.5
            self.runner = self.learning_runner = CircuitRunner(circuit, program, spec.shots, spec.gradient, factor)
            if spec.train_on == "ideal":
                self.learning_runner = CircuitRunner(circuit.ideal(), program, None, "autograd")
        self.learning_runners = {head: self.learning_runner if head == spec.head else None for head in self.networks}

    def start(self, train: Split, initial: Initial | None) -> None:
        """Warn of the time that an epoch would take on the real device, with full jobs: at least so long."""
        cost = self._epoch_cost(len(train))
        if hours := cost.get("qpu_seconds", 0) / 3600:
            work = f"{cost['circuits']:,.0f} circuits, {cost['shots']:,.0f} shots"
            sentence = f"an epoch of training would take at least {hours:.3g} h on the real processor: {work}"
            warnings.warn(f"{sentence}, in full jobs", stacklevel=2)

    def _epoch_cost(self, samples: int) -> dict[str, float]:
        if (runner := self.learning_runner) is None:
            return {}
        measured, shots = samples * runner.measured_per_sample, runner.shots or 0
        seconds = runner.device.seconds(runner.program, measured, shots)
        modelled = {} if seconds is None else {"shots": float(measured * shots), "qpu_seconds": seconds}
        return {"circuits": samples * runner.circuits_per_sample, **modelled}

    def learn(self, batch: Batch, at: Step) -> Sums:
        """Take one step of Adam for each network, with the same dropout and jitter."""
        spec, seed = self.spec, self.seeds.training
        x, y = self.images(batch.x), batch.y.to(self.device)
        if spec.batch_one and len(y) != 1:
            sentence = f"batch_one=true, as in the tutorial's view(1, -1), takes one image at a time, not {len(y)}. "
            raise UserError(sentence + "Set training.batch_size=1, or model.batch_one=false.")
        dropout = 0.0 if spec.dropout_first_epoch_only and at.epoch else spec.dropout
        mask = network.dropout_mask(len(y), dropout, derive(seed, _DROP, at.k), self.device)
        x = moved(x, spec.jitter, derive(seed, _MOVE, at.k))
        assert spec.lr is not None  # `for_task` resolves all settings
        lr = FACTORS[spec.schedule](at.k, at.n) * spec.lr
        sums = {
            head: net.learn(x, y, mask, lr, self.learning_runners[head], derive(seed, _LEARN, at.k))
            for head, net in self.networks.items()
        }
        for loss, _ in sums.values():
            if not math.isfinite(loss):
                raise Divergence(f"diverged at update {at.k}: loss is {loss}; try a smaller model.lr")
        return self._sums(sums[spec.head][0], {head: correct for head, (_, correct) in sums.items()})

    @torch.no_grad()
    def measure(self, batch: Batch) -> Sums:
        """Metrics with circuits run as in training; `predict` always runs them on the device."""
        x, y = self.images(batch.x), batch.y.to(self.device)
        seed, runners = self.predict_seed(x), self.learning_runners
        scores = {head: net.scores(x, runners[head], seed) for head, net in self.networks.items()}
        shots = self.learning_runner.shots if self.learning_runner else None
        loss = float(self.main.head.losses(scores[self.spec.head], y, shots).sum())
        return self._sums(loss, {head: int((each.argmax(1) == y).sum()) for head, each in scores.items()})

    def _sums(self, loss: float, correct: Mapping[str, int]) -> Sums:
        extra = {f"{head}_accuracy": float(correct[head]) for head in self.classical}
        return Sums(loss, float(correct[self.spec.head]), extra)

    def finalize(self, train: Split, validation: Split, record: TrainingRecord) -> Mapping[str, float]:
        """Return the numbers of parameters, and the cost of training on the device."""
        sizes = {f"{head}_parameters": float(len(self.networks[head].params)) for head in self.classical}
        cost = {f"training_{name}": each * len(record.epochs) for name, each in self._epoch_cost(len(train)).items()}
        return {"parameters": float(len(self.main.params)), **sizes, **cost}

    @torch.no_grad()
    def predict(self, x: Any) -> Tensor:
        """Probabilities or logits, with the device's shots and noise if any. Equal x get equal draws."""
        x = self.images(x)
        return self.main.scores(x, self.runner, self.predict_seed(x))

    def state_dict(self) -> dict[str, Any]:
        members = {head: net.state_dict() for head, net in self.networks.items()}
        return {"format": FORMAT, "settings": self._settings(), "members": members}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state. Raises UserError if it belongs to another network."""
        if state.get("format") != FORMAT or "members" not in state:
            raise UserError(f"this is not a checkpoint of hybrid_qcnn in format {FORMAT}; train one with this version.")
        theirs, ours = {"entangled": True, **state["settings"]}, self._settings()  # older checkpoints lack this setting
        differing = [
            f"{key}={theirs.get(key)} in the checkpoint, {ours[key]} here" for key in ours if theirs[key] != ours[key]
        ]
        if differing:
            raise UserError(f"the checkpoint does not fit: {'; '.join(differing)}. Use the same settings, or retrain.")
        for head, net in self.networks.items():
            net.load_state_dict(state["members"][head])

    def _settings(self) -> dict[str, Any]:
        """Settings on which the parameters' shapes and meaning depend."""
        settings = {name: getattr(self.spec, name) for name in STRUCTURE}
        task = {"classes": self.task.n_classes, "shape": list(self.task.shape)}
        return {**settings, "classical": list(self.classical), **task}

    def images(self, x: Any) -> Tensor:
        """Images moved to the device. Raises UserError for anything but a batch of images of the task's shape."""
        if not isinstance(x, Tensor) or x.dtype != torch.float32 or tuple(x.shape[1:]) != self.task.shape or not len(x):
            seen = f"{x.dtype} {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
            shape = ", ".join(map(str, self.task.shape))
            raise UserError(f"images must be float32 (B, {shape}) with B at least 1, not {seen}")
        return x.to(self.device)

    def predict_seed(self, x: Tensor) -> int:
        """Seed of a prediction's draws, equal for equal images."""
        if self.spec.shots is None:
            return 0
        return derive(self.seeds.training, _PREDICT, fingerprint(x))


def exports(learner: HybridQCNNLearner) -> Mapping[str, Callable[[], bytes]]:
    """Export formats: the circuit with its learned weights, but open angles, which the trunk computes from an image;
    and the conventional part: images to the numbers z behind the angles, or to scores if the head is classical."""
    runner, net, p = learner.runner, learner.main, learner.main.named()

    def compute(x: Tensor) -> Tensor:
        return network.trunk(p, x).z if runner else net.scores(x, None, 0)

    conventional = Network("model=hybrid_qcnn", compute, learner.task.shape, lambda: p).formats()
    if runner is None:
        return conventional
    shared = p["w"].flatten().double().tolist() if "w" in p else []
    return {"qasm3": lambda: to_qasm(runner.program, None, shared).encode(), **conventional}


@torch.no_grad()
def operations(learner: HybridQCNNLearner, x: Any) -> Operations:
    """Operations of the classical layers. Pixels are graded and 0 becomes -1: all products are MACs, none is saved.
    Activations are counted where they are computed: ReLU after pooling. Rescaling by `gain` is no layer of synapses."""
    x = learner.images(x)
    head, p = learner.main.head, learner.main.named()
    act = network.trunk(p, x)
    features = learner.main.features(p, act.z, learner.runner, learner.predict_seed(x))
    activations = {"conv1": act.first, "conv2": act.second, "hidden": act.hidden}
    if isinstance(head, Sigmoid):
        activations["probability"] = (1 - features) / 2
    if isinstance(head, Readout):
        activations["tanh"] = torch.tanh(act.z)
    connections = [
        convolution("conv1", p["conv1.weight"], act.x, spikes=False),
        convolution("conv2", p["conv2.weight"], act.first, spikes=False),
        linear("hidden", p["hidden.weight"], act.second.flatten(1), spikes=False),
        linear("z", p["z.weight"], act.hidden, spikes=False),
    ]
    if "mix" in p:
        connections.append(linear("mix", p["mix"], activations["tanh"], spikes=False))
        activations["mix"] = features
    if isinstance(head, Ring):
        for k, (matrix, heard) in enumerate(zip(head.matrices(p), head.layers(p, act.z), strict=False)):
            connections.append(linear(f"ring{k + 1}", matrix, heard, spikes=False))
        activations["ring"] = features
    if "out.weight" in p:
        connections.append(linear("out", p["out.weight"], p["gain"] * features, spikes=False))
    populations = [population(name, outputs) for name, outputs in activations.items()]
    undefined = {"circuit_operations": CIRCUIT} if head.program else {}
    return Operations(len(x), len(x), connections, populations, parameters=p, undefined=undefined)
