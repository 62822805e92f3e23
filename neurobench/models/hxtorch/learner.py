"""The hxtorch perceptron learns: forward on the device or on its linear model, gradient always from the model."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from neurobench.config.errors import UserError
from neurobench.devices.mac.protocol import AnalogMac
from neurobench.kernels.random import derive, fingerprint
from neurobench.metrics.operations import Operations
from neurobench.models.common.optim import Moments, at_rest, descend
from neurobench.models.hxtorch import checkpoint, counts, network
from neurobench.models.hxtorch.history import History, restored_history
from neurobench.models.hxtorch.layers import softmax_gradient
from neurobench.models.hxtorch.network import Activity, Network
from neurobench.models.hxtorch.schedule import place, rate
from neurobench.models.hxtorch.spec import HXTorchMLP, Phase
from neurobench.models.learner import Divergence, Seeds, Step, Task
from neurobench.runs.finished import learned

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neurobench.data.dataset import Batch, Split, Splits

_LEARN, _PREDICT, _PASS = range(3)  # purposes of a draw
_BLOCK = 1000  # samples evaluated at once: bounds memory


class HXTorchMLPLearner:
    """See `neurobench.models.learner.Learner`."""

    def __init__(self, recipe: HXTorchMLP, task: Task, seeds: Seeds, device: torch.device):
        if recipe.half_lsb and task.shape != (4,):
            raise UserError(f"half_lsb=true is for the inputs x, y, 1 - x, 1 - y; the data have shape {task.shape}")
        self.recipe, self.task, self.seeds, self.device = recipe, task, seeds, device
        self.mac, self.host = recipe.mac, recipe.mac.host()
        inputs = 1
        for size in task.shape:
            inputs *= size
        net = network.initial(
            inputs,
            recipe.hidden,
            task.n_classes,
            self.mac.gain,
            seeds.init,
            num_sends=recipe.num_sends,
            bias=recipe.bias,
            avg=recipe.avg,
            shift=recipe.shift,
        )
        self.net = net.to(device)
        self.plan = recipe.plan()
        self.moments = at_rest(self.net.parameters())
        self.history = History()
        self.cap: float | None = None  # what no model can exceed, with inputs rounded like these
        self.source: str | None = None  # the run that this one went on from

    def start(self, train: Split) -> None:
        """With `init_from`, take over another run's weights and its num_sends."""
        if self.task.shape == (4,) and not self.recipe.exact:
            self.cap = network.input_cap(self.inputs(train.x), train.y.to(self.device))
        if self.recipe.init_from is None:
            return
        run, state = learned(self.recipe.init_from)
        self.source = str(run.path)
        checkpoint.require_transferable(state, self.net, self.recipe, self.mac)
        self.net = checkpoint.restored(state["weights"], state["num_sends"], self.net)
        self.history.ended["host"] = checkpoint.weights(self.net)

    def learn(self, batch: Batch, at: Step) -> Mapping[str, float]:
        """One step of Adam. The loss is the mean cross-entropy of the scaled logits."""
        now = place(self.plan, at)
        phase = self.plan[now.name]
        x, y = self.inputs(batch.x), batch.y.to(self.device)
        act = self.forward(x, self.device_of(phase), derive(self.seeds.training, _LEARN, at.k))
        g = softmax_gradient(act.logits, y, phase.logit_scale)
        if now.j == 0:
            self.moments = at_rest(self.net.parameters())
        gradients = network.backward(g, act, self.net, self.mac.gain)
        self.moments = descend(self.net.parameters(), gradients, self.moments, rate(phase, now))
        sums = _sums(act.logits, y, phase.logit_scale)
        if not sums["loss"] < float("inf"):
            raise Divergence(f"diverged at update {at.k}: loss is {sums['loss']}; try a smaller lr in {now.name}")
        self.history.note(sums, len(y), now, at, lambda: checkpoint.weights(self.net))
        return sums

    def device_of(self, phase: Phase) -> AnalogMac:
        return self.host if phase.where == "host" else self.mac

    def forward(self, x: Tensor, mac: AnalogMac, seed: int, net: Network | None = None) -> Activity:
        net = self.net if net is None else net
        if self.recipe.exact:
            return network.exact_forward(x, net, mac.gain)
        return network.forward(x, net, mac, seed)

    def measure(self, batch: Batch) -> Mapping[str, float]:
        """On the device, whatever the phase; logits unscaled."""
        return _sums(self.predict(batch.x), batch.y.to(self.device), 1.0)

    def settle(self, train: Split, validation: Split) -> Mapping[str, float]:
        """Nothing is left to learn. For the record: what the inputs allow, and what calibration measured."""
        return {
            **({} if self.cap is None else {"input_cap": self.cap}),
            "gain": self.mac.gain,
            "noise_std": self.mac.noise_std,
            **{f"calibrated_{name}": value for name, value in self.mac.calibration.items()},
        }

    def predict(self, x: Any) -> Tensor:
        """Logits in LSB, computed on the device. The same x meets the same noise."""
        x = self.inputs(x)
        return self.forward(x, self.mac, derive(self.seeds.training, _PREDICT, fingerprint(x))).logits

    def operations(self, x: Any) -> Operations:
        x = self.inputs(x)
        act = self.forward(x, self.mac, derive(self.seeds.training, _PREDICT, fingerprint(x)))
        return counts.of_network(self.net, act, exact=self.recipe.exact)

    def published_way(self, splits: Splits) -> Mapping[str, float]:
        """Accuracy after each phase, mean over `passes` noisy passes over the test set.

        host: on the linear model; transfer: the same weights on the device; others: on the device.
        """
        ended = self.history.ended
        host = [name for name in ended if name not in self.plan or self.plan[name].where == "host"]
        stages = {name: (name, self.mac) for name in ended if name not in host}
        if host and self.host is not self.mac:
            stages = {"transfer": (host[-1], self.mac), **stages}
        if host:
            stages = {host[-1]: (host[-1], self.host), **stages}
        figures = {}
        for stage, (name, mac) in stages.items():
            net = checkpoint.restored(ended[name], self.sends(), self.net)
            figures[f"{stage}_accuracy"] = self.accuracy(splits.test, net, mac)
        return figures

    def accuracy(self, split: Split, net: Network, mac: AnalogMac) -> float:
        """Mean over `passes`, noise anew each time."""
        correct = 0
        for number in range(self.recipe.passes):
            for block, index in enumerate(torch.arange(len(split)).split(_BLOCK)):
                x, y = split.batch(index)
                seed = derive(self.seeds.training, _PASS, number, block)
                logits = self.forward(self.inputs(x), mac, seed, net).logits
                correct += int((logits.argmax(1) == y.to(self.device)).sum())
        return correct / (self.recipe.passes * len(split))

    def figures(self, test: Split) -> Mapping[str, Figure | bytes]:
        from neurobench.models.hxtorch.figures import all_figures

        return all_figures(self, test)

    def state_dict(self) -> dict[str, Any]:
        return {
            **checkpoint.describe(self.net, self.recipe, self.mac),
            "weights": checkpoint.weights(self.net),
            "moments": dict(copy.deepcopy(self.moments)._asdict()),
            "history": self.history.state_dict(),
            "cap": self.cap,
            "source": self.source,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Raises Refused where the state is of another network or for another device."""
        checkpoint.require_same(state, self.net, self.recipe, self.mac)
        self.net = checkpoint.restored(state["weights"], state["num_sends"], self.net)
        stored = state["moments"]
        first, second = ([m.to(self.device, copy=True) for m in stored[name]] for name in ("first", "second"))
        self.moments = Moments(first, second, stored["t"])
        self.history = restored_history(state["history"])
        self.cap, self.source = state["cap"], state["source"]

    def sends(self) -> list[int]:
        return [self.net.first.num_sends, self.net.second.num_sends]

    def inputs(self, x: Any) -> Tensor:
        return network.to_inputs(x.to(self.device).flatten(1), self.recipe.half_lsb)


def _sums(logits: Tensor, y: Tensor, scale: float) -> dict[str, float]:
    loss = cross_entropy(scale * logits, y, reduction="sum")
    return {"loss": float(loss), "correct": float((logits.argmax(1) == y).sum())}
