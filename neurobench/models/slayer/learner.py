"""Learner of the SLAYER network: binning, forward pass on the core, loss on the output spikes, backward scan, Adam."""

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurobench.data.dataset import Batch, Split
from neurobench.devices.core.specs import Core
from neurobench.kernels.adaptive_threads import AdaptiveThreads
from neurobench.kernels.random import derive
from neurobench.models.common.late_events import warn_of_late_events
from neurobench.models.learner import Divergence, Initial, Seeds, Step, Sums, Task, TrainingRecord
from neurobench.models.slayer import losses, spikes
from neurobench.models.slayer.engine import Activity, Dropout, LayerGradient, joined
from neurobench.models.slayer.gpu_engine import GpuEngine, engine_on
from neurobench.models.slayer.network import (
    HIGH,
    LOW,
    Layer,
    QuantizedLayer,
    copy_parameters,
    initial_layers,
    quantize,
    runs_triton,
    synaptic,
    weights_of,
)
from neurobench.models.slayer.neuron import GRID, POINT, FixedNeuron, FloatNeuron, Surrogate, lava_surrogate
from neurobench.models.slayer.spec import SlayerSNN
from neurobench.models.slayer.spikes import Spikes
from neurobench.models.slayer.update import copied_moments, update, update_by_triton, zero_moments

_AUGMENT, _DROPOUT = range(2)  # purposes of random draws
BLOCK = 32  # samples per forward pass without learning: the tutorial's batch size; it bounds memory
GPU_BLOCK = 128  # the same on a GPU
FAR = 0.25  # share of the sensor; images of 8 x 8 pixels shifted by half of it were not learned at all
REPORTED = 100  # samples over which `finalize` computes its figures
_EPSILON = 0.01 / POINT  # lava-dl adds it to a threshold in integers, so that its >= is > here
_A16 = 32767  # lava declares sums of 16 bits but does not enforce them


class SlayerLearner:
    """Learner of the SLAYER network, see `neurobench.models.learner.Learner`."""

    loss_batch = BLOCK

    def __init__(self, spec: SlayerSNN, task: Task, seeds: Seeds, devices: Mapping[str, Any], device: torch.device):
        self.spec, self.task, self.seeds, self.device = spec, task, seeds, device
        self.core: Core = devices["core"].arithmetic
        self.sizes = spec.sizes(task)
        self.engine = engine_on(device)
        self.threads, self.threads_without_learning = AdaptiveThreads(), AdaptiveThreads()
        self._begin_with(initial_layers(self.sizes, spec, seeds.init, spec.convolved(task)))

    def _warn_of_far_shifts(self) -> None:
        """The default is that of the tutorial's sensor of 34 x 34 pixels."""
        side = min((side for side in self.task.shape[1:] if side > 1), default=1)
        farthest = max(map(abs, self.spec.shift))
        if self.spec.augment and farthest > FAR * side:
            rows, columns = self.task.shape[1:]
            warnings.warn(
                f"model.shift={list(self.spec.shift)} moves training samples by up to {farthest} pixels on a sensor of "
                f"{rows} x {columns}; a smaller shift or model.augment=false may help",
                stacklevel=2,
            )

    def _begin_with(self, layers: list[Layer]) -> None:
        self.layers = [layer.to(self.device) for layer in layers]
        self.moments = [zero_moments(layer) for layer in self.layers]
        self.flow: list[float] = []  # size of each layer's gradient at the last update, see `update`
        self.quantized = self._quantize()

    def start(self, train: Split, initial: Initial | None) -> None:
        self._warn_of_far_shifts()
        warn_of_late_events(train, self.spec.length)
        if initial is not None:
            from neurobench.models.slayer.initial import read

            self._begin_with(read(initial, self.layers, self.spec, self.core))

    @property
    def surrogate(self) -> Surrogate:
        neuron = self.quantized[0].neuron
        epsilon = _EPSILON if isinstance(neuron, FixedNeuron) else 0.0
        return lava_surrogate(neuron.threshold * neuron.lsb, self.spec.tau_grad, self.spec.scale_grad, epsilon)

    def learn(self, batch: Batch, at: Step) -> Sums:
        """Perform one update. `lava_loss` is the loss as lava-dl prints it: that of the batch, times its size."""
        return self.threads(self._learn, batch, at)

    def _learn(self, batch: Batch, at: Step) -> Sums:
        spec, motion = self.spec, None
        if spec.augment:
            seed = derive(self.seeds.training, at.k, _AUGMENT)
            motion = spikes.motion(len(batch.x), seed, spec.shift, spec.angle, self.task.shape)
        dropout = self._dropout(len(batch.y), at.k)
        act = self.engine.run(self.arriving(batch.x, motion), self.quantized, dropout, learns=True)
        label = batch.y.to(self.device)
        y = act.y.detach().requires_grad_()
        total = self._loss(y, label)
        (g,) = torch.autograd.grad(total, y)
        loss = float(total.detach())
        if not math.isfinite(loss):
            raise Divergence(f"diverged at update {at.k}: the loss is {loss}; try a smaller lr than {spec.lr:g}")
        self._update(self.engine.gradients(g.contiguous(), self.surrogate, spec.learn_decays), at)
        return _sums(act, label, [loss], len(label))

    def _update(self, gradients: list[LayerGradient], at: Step) -> None:
        spec = self.spec
        lr = spec.lr * (0.5 * (1 + math.cos(math.pi * at.k / at.n)) if spec.lr_schedule == "cosine" else 1)
        layers = list(zip(self.layers, self.quantized, gradients, self.moments, strict=True))
        if runs_triton(self.device):
            self.flow = update_by_triton(layers, lr, at.k, spec)
        else:
            self.flow = [update(*layer, lr, at.k, spec) for layer in layers]
        for k, size in enumerate(self.flow, 1):
            if not math.isfinite(size):
                advice = f"try a smaller lr than {spec.lr:g} or scale_grad than {spec.scale_grad:g}"
                raise Divergence(f"diverged at update {at.k}: the gradient of layer {k} is not finite; {advice}")
        self.quantized = self._quantize()

    def measure(self, batch: Batch, layers: list[QuantizedLayer] | None = None) -> Sums:
        """Return the sums of `learn` without augmentation, dropout and update, for the current network or `layers`;
        `lava_loss` is that of batches of 32, as in the tutorial's test, also if a GPU runs more samples at once."""
        totals: dict[str, float] = {}
        for block in self._blocks(len(batch.y)):
            act = self._respond(batch.x[block], layers or self.quantized)
            label = batch.y[block].to(self.device)
            parts = [slice(first, first + BLOCK) for first in range(0, len(label), BLOCK)]
            losses = [float(self._loss(act.y[part], label[part])) for part in parts]
            for name, value in _sums(act, label, losses).named().items():
                totals[name] = totals.get(name, 0.0) + value
        return Sums(totals.pop("loss"), totals.pop("correct"), totals)

    def finalize(self, train: Split, validation: Split, record: TrainingRecord) -> Mapping[str, float]:
        """Return figures of each layer, numbered from 1, on held-out samples if there are any: saturated weights,
        states at their limits, spikes, operations, silence; spikes and operations are means over samples."""
        split = (validation if len(validation) else train).limited(REPORTED)
        x, blocks = split.batch(slice(None)).x, self._blocks(len(split))
        act = joined([self.engine.run(self.inputs(x[block]), self.quantized, counted=True) for block in blocks])
        report: dict[str, float] = {}
        for k, (layer, quantized) in enumerate(zip(self.layers, self.quantized, strict=True)):
            figures = _layer_report(layer, quantized, act, k, self.spec)
            report |= {f"layer{k + 1}_{name}": float(value) for name, value in figures.items()}
        return report

    def predict(self, x: Any) -> Tensor:
        """Return the rates of the output neurons in spikes per step."""
        return torch.cat([losses.rates(self._respond(x[block], self.quantized).y) for block in self._blocks(len(x))])

    def _respond(self, x: Any, layers: list[QuantizedLayer]) -> Activity:
        return self.threads_without_learning(lambda: self.engine.run(self.arriving(x), layers))

    def inputs(self, x: Any, motion: np.ndarray | None = None) -> Spikes:
        """Bin recordings, moved by `motion` as drawn by `spikes.motion`."""
        return spikes.binned(*self._recorded(x, motion))

    def arriving(self, x: Any, motion: np.ndarray | None = None) -> Any:
        """Return `inputs` in the form that the engine takes; for `GpuEngine` they are binned on the GPU."""
        if isinstance(self.engine, GpuEngine):
            from neurobench.kernels.cuba.gpu_events import bin_dense

            return bin_dense(*self._recorded(x, motion), self.device)
        return self.inputs(x, motion)

    def _recorded(self, x: Any, motion: np.ndarray | None) -> tuple[Any, int, float, np.ndarray | None, bool, int]:
        spec, events = self.spec, spikes.polarities_from_zero(x) if self.spec.as_lava("polarity") else x
        return events, spec.steps, spec.sampling_time, motion, spec.as_lava("augment"), spec.saccades

    def _blocks(self, n: int) -> list[slice]:
        size = BLOCK if self.device.type == "cpu" else GPU_BLOCK
        return [slice(first, min(first + size, n)) for first in range(0, n, size)]

    def snapshot(self, label: str) -> Any:
        """Snapshot by label. flow/EPOCH: size of each layer's gradient at the last update; epoch/EPOCH: the network as
        stored on the core."""
        if label.startswith("flow/"):
            return list(self.flow)
        parts = ((layer.W.clone(), list(layer.neuron), layer.delay.clone()) for layer in self.quantized)
        return [{"W": W, "neuron": neuron, "delay": delay} for W, neuron, delay in parts]

    def revived(self, snapshot: list[dict[str, Any]]) -> list[QuantizedLayer]:
        """Rebuild the network from a snapshot `epoch/EPOCH`."""
        layers = []
        for layer, present in zip(snapshot, self.layers, strict=True):
            W, delay = layer["W"].to(self.device), layer["delay"].to(self.device)
            fixed = W.dtype == torch.int8
            neuron = FixedNeuron(*layer["neuron"]) if fixed else FloatNeuron(*layer["neuron"])
            scale = torch.ones(W.shape[1], device=self.device)
            layers.append(QuantizedLayer(W, weights_of(W) if fixed else W, neuron, delay, scale, present.conv))
        return layers

    def state_dict(self) -> dict[str, Any]:
        return {
            "layers": [{name: each.clone() for name, each in layer.tensors().items()} for layer in self.layers],
            "moments": [copied_moments(moments, self.device) for moments in self.moments],
            "threshold": self.spec.threshold,  # for runs that start from this one
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Copy parameters and moments from a state. Raises UserError if it belongs to another network."""
        copy_parameters(state["layers"], self.layers, "the state's layers")
        self.moments = [copied_moments(moments, self.device) for moments in state["moments"]]
        self.quantized = self._quantize()

    def _quantize(self) -> list[QuantizedLayer]:
        return [quantize(layer, self.core, self.spec) for layer in self.layers]

    def _dropout(self, n: int, k: int) -> Dropout | None:
        spec = self.spec
        if spec.dropout == 0:
            return None
        seeds = [derive(self.seeds.training, k, _DROPOUT, layer) for layer in range(len(self.sizes) - 2)]
        shapes = [(n, width) for width in self.sizes[1:-1]]
        masks = [self.engine.dropout_mask(*each, spec.dropout) for each in zip(seeds, shapes, strict=True)]
        return Dropout(masks, 1 - spec.dropout)

    def _loss(self, y: Tensor, label: Tensor) -> Tensor:
        spec = self.spec
        if spec.loss == "rate":
            return losses.spike_rate(y, label, spec.true_rate, spec.false_rate, spec.window)
        if spec.loss == "max":
            return losses.spike_max(y, label, spec.max_mode, spec.window)
        desired = losses.regular_trains(label, y.shape[2], y.shape[1], spec.true_rate, spec.false_rate)
        return losses.spike_time(y, desired, spec.time_tau, spec.time_order)


def _layer_report(layer: Layer, quantized: QuantizedLayer, act: Activity, k: int, spec: SlayerSNN) -> dict[str, float]:
    tally, n = act.tally[k], len(act.y)
    figures = {
        "spikes_a_sample": tally["spikes"] / n,
        "operations_a_sample": tally["operations"] / n,
        "rate": tally["spikes"] / (n * spec.steps * act.fired[k].shape[1]),
        "silent_neurons": int((act.fired[k].sum(0) == 0).sum()),
        "current_decay": float(layer.D[0]) / POINT,
        "voltage_decay": float(layer.D[1]) / POINT,
    }
    if isinstance(quantized.neuron, FixedNeuron):
        W = synaptic(quantized.W, layer.conv)
        figures["saturated_weights"] = float(((W == LOW) | (W == HIGH)).float().mean())
        if "wraps" in tally:
            figures |= {name: tally[name] for name in ("wraps", "clips")}
            figures |= {"most_u": tally["most_u"] / POINT, "most_v": tally["most_v"] / POINT}
            figures |= {"most_a": tally["most_a"] / GRID, "a_beyond_16_bits": int(tally["most_a"] > _A16)}
            figures["states_beyond_24_bits"] = tally["beyond"]
    if layer.delay is not None:
        figures["longest_delay"] = int(quantized.delay.max())
        figures["delays_at_limit"] = int((quantized.delay == spec.max_delay).sum())
    return figures


def _sums(act: Activity, label: Tensor, batch_losses: list[float], size: int = BLOCK) -> Sums:
    """Sums over samples. batch_losses: loss of each batch of `size` samples, the last of which may be smaller.
    `silent_outputs`: samples without output spikes, `silent_labels`: without any of the label."""
    silent_outputs = (act.y.sum((1, 2)) == 0).sum()
    figures = ((losses.predicted(act.y) == label).sum(), silent_outputs, losses.silent_labels(act.y, label))
    correct, *silent = map(float, torch.stack(figures).tolist())  # a single read: each one waits on a GPU
    sizes = (min(size, len(label) - size * k) for k in range(len(batch_losses)))
    lava_loss = sum(loss * n for loss, n in zip(batch_losses, sizes, strict=True))
    extra = {"lava_loss": lava_loss, "silent_outputs": silent[0], "silent_labels": silent[1]}
    return Sums(sum(batch_losses), correct, extra)
