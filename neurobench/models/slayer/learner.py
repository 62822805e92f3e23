"""The SLAYER network learns: bin, run on the core, loss on the output spikes, scan back, Adam."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from neurobench.config.errors import UserError
from neurobench.devices.core.protocol import Core
from neurobench.kernels.random import derive, uniforms
from neurobench.models.common.schedules import FACTORS
from neurobench.models.learner import Divergence, Seeds, Step, Task
from neurobench.models.slayer import adam, losses, parameters, report, spikes
from neurobench.models.slayer.dense import DenseEngine
from neurobench.models.slayer.engine import Activity, EventEngine
from neurobench.models.slayer.history import History
from neurobench.models.slayer.neuron import GRID, POINT, Slope, slope_of
from neurobench.models.slayer.parameters import Held, Layer
from neurobench.models.slayer.spec import SlayerSNN
from neurobench.models.slayer.spikes import Spikes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neurobench.data.dataset import Batch, Split, Splits
    from neurobench.data.events import Events
    from neurobench.metrics.operations import Operations

_AUGMENT, _DROPOUT = range(2)  # purposes of a draw
BLOCK = 32  # samples run at once where nothing is learned: the tutorial's batch, and it bounds memory
_EPSILON = 0.01 / POINT  # that lava-dl adds to a threshold in integers, so that >= there is > here


class SlayerLearner:
    """See `neurobench.models.learner.Learner`."""

    def __init__(self, recipe: SlayerSNN, task: Task, seeds: Seeds, device: torch.device):
        self.recipe, self.task, self.seeds, self.device = recipe, task, seeds, device
        self.core: Core = recipe.core
        faults = recipe.unfit(self.core)
        if faults:
            raise UserError("\n".join(faults))
        self.sizes = (math.prod(task.shape), *recipe.hidden, task.n_classes)
        self.layers = [_moved(layer, device) for layer in parameters.initial(self.sizes, recipe, seeds.init)]
        self.engine = EventEngine() if device.type == "cpu" else DenseEngine(device)
        self.moments = [adam.at_rest(layer) for layer in self.layers]
        self.history = History()
        self.held = self._on_core()

    def start(self, train: Split) -> None:
        """With `init_from`, the network found there."""
        if self.recipe.init_from is not None:
            from neurobench.models.slayer.files import loaded

            self.layers = [_moved(layer, self.device) for layer in loaded(self.recipe, self.sizes, self.core)]
            self.moments = [adam.at_rest(layer) for layer in self.layers]
            self.held = self._on_core()

    @property
    def slope(self) -> Slope:
        recipe = self.recipe
        if self.core.arithmetic == "float":
            return slope_of(recipe.threshold, recipe.tau_grad, recipe.scale_grad, 0.0)
        threshold = parameters.mantissa(recipe.threshold) / GRID
        return slope_of(threshold, recipe.tau_grad, recipe.scale_grad, _EPSILON)

    def learn(self, batch: Batch, at: Step) -> Mapping[str, float]:
        """One update. `lava_loss` is the loss as lava-dl prints it: of the batch, times its size."""
        recipe, n = self.recipe, len(batch.y)
        if at.epoch not in self.history.sums and at.epoch > 0:
            self.history.keep(at.epoch - 1, self.held)
        kept = self._kept(n, at.k)
        act = self.engine.run(self._moved_inputs(batch.x, at.k), self.held, kept, 1 - recipe.dropout, learns=True)
        label = batch.y.to(self.device)
        loss, g = self._loss_and_gradient(act.y, label)
        if not math.isfinite(loss):
            raise Divergence(f"diverged at update {at.k}: the loss is {loss}; try a smaller lr than {recipe.lr:g}")
        gradients = self.engine.gradients(g, self.slope, recipe.learn_decays)
        rate = recipe.lr * FACTORS[recipe.lr_schedule](at.k, at.n)
        flow = [
            adam.update(layer, there, gradient, moments, rate, at.k, recipe)
            for layer, there, gradient, moments in zip(self.layers, self.held, gradients, self.moments, strict=True)
        ]
        if not all(math.isfinite(size) for size in flow):
            layer = [math.isfinite(size) for size in flow].index(False) + 1
            raise Divergence(
                f"diverged at update {at.k}: the gradient of layer {layer} is not finite; "
                f"try a smaller lr than {recipe.lr:g} or scale_grad than {recipe.scale_grad:g}"
            )
        self.held = self._on_core()
        figures = self._figures(act, label, loss)
        self.history.note(at.epoch, n, figures, flow)
        return figures

    def measure(self, batch: Batch) -> Mapping[str, float]:
        """The same sums without augmentation and dropout, by blocks of 32 as the tutorial's test."""
        return self.measure_on(self.held, batch)

    def measure_on(self, held: list[Held], batch: Batch) -> Mapping[str, float]:
        sums: dict[str, float] = {}
        for index in torch.arange(len(batch.y)).split(BLOCK):
            act = self.engine.run(self.inputs(batch.x[index]), held)
            label = batch.y[index].to(self.device)
            for name, value in self._figures(act, label, float(self._loss(act.y, label))).items():
                sums[name] = sums.get(name, 0.0) + value
        return sums

    def settle(self, train: Split, validation: Split) -> Mapping[str, float]:
        """Nothing is left to learn. For the record: what the core has to report, on held-out samples where there are
        any."""
        if self.history.sums:
            self.history.keep(max(self.history.sums), self.held)
        shown = (validation if len(validation) else train).head(report.SAMPLES)
        return report.figures(self, shown)

    def predict(self, x: Any) -> Tensor:
        """Rates of the output neurons, spikes a step."""
        blocks = torch.arange(len(x)).split(BLOCK)
        return torch.cat([losses.rates(self.engine.run(self.inputs(x[index]), self.held).y) for index in blocks])

    def published_way(self, splits: Splits) -> Mapping[str, float]:
        """Figures after the epochs that the tutorial shows; its losses. Nothing was chosen by them."""
        figures = {}
        for epoch, net in self.history.nets.items():
            own = self.history.sums[epoch]
            figures[f"epoch{epoch}_train_loss"] = own["lava_loss"] / own["samples"]
            figures[f"epoch{epoch}_train_accuracy"] = own["correct"] / own["samples"]
            measured = self.measure_on([_revived(layer, self.device) for layer in net], splits.test.batch(slice(None)))
            figures[f"epoch{epoch}_test_loss"] = measured["lava_loss"] / len(splits.test)
            figures[f"epoch{epoch}_test_accuracy"] = measured["correct"] / len(splits.test)
        return figures

    def figures(self, test: Split) -> Mapping[str, Figure | bytes]:
        from neurobench.models.slayer.figures import all_figures

        return all_figures(self, test)

    def exports(self) -> Mapping[str, Callable[[], bytes]]:
        from neurobench.models.slayer.files import formats

        return formats(self)

    def operations(self, x: Any) -> Operations:
        return report.operations(self, x)

    def inputs(self, x: Any) -> Spikes:
        """Binned, as they are."""
        return spikes.binned(self._polarities(x), self.recipe.steps, self.recipe.sampling_time)

    def state_dict(self) -> dict[str, Any]:
        return {
            "sizes": list(self.sizes),
            "layers": parameters.copied(self.layers),
            "moments": [{name: [part.clone() for part in pair] for name, pair in own.items()} for own in self.moments],
            "history": self.history.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Copies. Raises UserError where the state is of another network."""
        for k, (layer, stored) in enumerate(zip(self.layers, state["layers"], strict=True)):
            for name, tensor in layer.tensors().items():
                if name not in stored or stored[name].shape != tensor.shape:
                    there = tuple(stored[name].shape) if name in stored else "nothing"
                    raise UserError(
                        f"the state's layers.{k}.{name} has shape {there}; this network needs {tuple(tensor.shape)}"
                    )
                tensor.copy_(stored[name])
        self.moments = [adam.restored(stored, self.device) for stored in state["moments"]]
        self.history = History(**{name: dict(value) for name, value in state["history"].items()})
        self.held = self._on_core()

    def _on_core(self) -> list[Held]:
        return [adam.on_core(layer, self.core, self.recipe) for layer in self.layers]

    def _moved_inputs(self, x: Any, k: int) -> Spikes:
        recipe = self.recipe
        moved = None
        if recipe.augment:
            seed = derive(self.seeds.training, k, _AUGMENT)
            moved = spikes.motion(len(x), seed, recipe.shift, recipe.angle)
        sheared = recipe.as_lava("augment")
        return spikes.binned(self._polarities(x), recipe.steps, recipe.sampling_time, moved, sheared)

    def _polarities(self, x: Events) -> Events:
        return spikes.polarities_from_zero(x) if self.recipe.as_lava("polarity") else x

    def _kept(self, n: int, k: int) -> list[Tensor] | None:
        """(n, C) uint8 of each hidden layer: which neurons dropout leaves, for all time."""
        if self.recipe.dropout == 0:
            return None
        seeds = [derive(self.seeds.training, k, _DROPOUT, layer) for layer in range(len(self.recipe.hidden))]
        draws = [uniforms(seed, (n, width)) for seed, width in zip(seeds, self.recipe.hidden, strict=True)]
        return [(draw >= self.recipe.dropout).to(torch.uint8) for draw in draws]

    def _loss(self, y: Tensor, label: Tensor) -> Tensor:
        recipe = self.recipe
        if recipe.loss == "rate":
            return losses.spike_rate(y, label, recipe.true_rate, recipe.false_rate, recipe.window)
        if recipe.loss == "max":
            return losses.spike_max(y, label, recipe.max_mode, recipe.window)
        wanted = losses.regular_trains(label, y.shape[2], y.shape[1], recipe.true_rate, recipe.false_rate)
        return losses.spike_time(y, wanted, recipe.time_tau, recipe.time_order)

    def _loss_and_gradient(self, y: Tensor, label: Tensor) -> tuple[float, Tensor]:
        y = y.detach().requires_grad_()
        loss = self._loss(y, label)
        (g,) = torch.autograd.grad(loss, y)
        return float(loss.detach()), g.contiguous()

    def _figures(self, act: Activity, label: Tensor, loss: float) -> dict[str, float]:
        """Sums over a batch; `silent_outputs`: samples none of whose output neurons fired, `silent_labels`: whose own
        class did not."""
        predicted = losses.predicted(act.y)
        return {
            "loss": loss,
            "lava_loss": loss * len(label),
            "correct": float((predicted == label).sum()),
            "silent_outputs": float((act.y.sum((1, 2)) == 0).sum()),
            "silent_labels": float(losses.silent_labels(act.y, label)),
        }


def _moved(layer: Layer, device: torch.device) -> Layer:
    own = {name: tensor.to(device) for name, tensor in layer.tensors().items()}
    return Layer(own["v"], own.get("g"), own["D"], own.get("delay"))


def _revived(net: Mapping[str, Any], device: torch.device) -> Held:
    W = net["W"].to(device)
    w = W.float() / (GRID / 2) if net["unit"] != 1 else W
    cuba = parameters.Cuba(*net["cuba"])
    return Held(W, w, cuba, net["unit"], net["delay"].to(device), torch.ones(W.shape[1], device=device))
