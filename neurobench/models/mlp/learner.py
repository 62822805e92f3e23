"""Training of the plain network, and cost of its predictions."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear, relu

from neurobench.data.dataset import Batch, Split
from neurobench.kernels.random import derive
from neurobench.metrics.operations import Operations, population
from neurobench.metrics.operations import linear as products
from neurobench.models.common.exchange import Network
from neurobench.models.common.moves import moved
from neurobench.models.common.supervised import measured, of_task, require_shapes, training_loss
from neurobench.models.common.training import Moments, at_rest, descend, one_cycle
from neurobench.models.learner import Initial, Seeds, Step, Sums, Task, TrainingRecord
from neurobench.models.mlp.spec import MLP

_DROP, _MOVE = range(2)  # purposes of random draws


class MLPLearner:
    """See `neurobench.models.learner.Learner`."""

    def __init__(self, spec: MLP, task: Task, seeds: Seeds, devices: Mapping[str, Any], device: torch.device):
        self.spec, self.task, self.seeds, self.device = spec, task, seeds, device
        draw = torch.Generator().manual_seed(seeds.init)
        sizes = (math.prod(task.shape), spec.hidden, task.n_classes)
        self.params: dict[str, Tensor] = {}
        for name, fan_in, fan_out in (("hidden", *sizes[:2]), ("out", *sizes[1:])):
            for part, shape in (("weight", (fan_out, fan_in)), ("bias", (fan_out,))):
                start = (2 * torch.rand(shape, generator=draw) - 1) * fan_in**-0.5  # as in torch's linear layers
                self.params[f"{name}.{part}"] = start.to(device).requires_grad_()
        self.moments = at_rest(list(self.params.values()))

    def start(self, train: Split, initial: Initial | None) -> None:
        """Do nothing: no data are needed."""

    def learn(self, batch: Batch, at: Step) -> Sums:
        """Take an Adam step on shifted images, with dropout of inputs and hidden units."""
        spec, p = self.spec, self.params
        x = moved(self.images(batch.x), spec.jitter, derive(self.seeds.training, _MOVE, at.k)).flatten(1)
        y = batch.y.to(self.device)
        draw = torch.Generator().manual_seed(derive(self.seeds.training, _DROP, at.k))
        hidden = relu(linear(dropout(x, spec.input_dropout, draw), p["hidden.weight"], p["hidden.bias"]))
        logits = linear(dropout(hidden, spec.dropout, draw), p["out.weight"], p["out.bias"])
        loss, sums = training_loss(logits, y, spec.smoothing, at.k)
        params, lr = list(p.values()), one_cycle(at.k, at.n) * spec.lr
        gradients, decay = torch.autograd.grad(loss, params), spec.weight_decay
        self.moments = descend(params, gradients, self.moments, lr, weight_decay=decay, decoupled=True, fused=True)
        return sums

    def measure(self, batch: Batch) -> Sums:
        return measured(self.predict(batch.x), batch.y.to(self.device), self.spec.smoothing)

    def finalize(self, train: Split, validation: Split, record: TrainingRecord) -> Mapping[str, float]:
        """Return the number of parameters."""
        return {"parameters": float(sum(part.numel() for part in self.params.values()))}

    @torch.no_grad()
    def predict(self, x: Any) -> Tensor:
        """Logits of the classes."""
        return linear(self.hidden(x), self.params["out.weight"], self.params["out.bias"])

    def hidden(self, x: Any) -> Tensor:
        return relu(linear(self.images(x).flatten(1), self.params["hidden.weight"], self.params["hidden.bias"]))

    def images(self, x: Any) -> Tensor:
        """Images (B, C, H, W) on the device. Raises UserError for any other shape."""
        return of_task(x, self.task, self.device)

    def state_dict(self) -> dict[str, Any]:
        params = {name: part.detach().clone() for name, part in self.params.items()}
        return {"params": params, "moments": copy.deepcopy(self.moments)._asdict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state. Raises UserError if it belongs to another network."""
        require_shapes(self.params, state.get("params", {}))
        with torch.no_grad():
            for name, part in self.params.items():
                part.copy_(state["params"][name])
        stored = state["moments"]
        first, second = ([m.to(self.device, copy=True) for m in stored[name]] for name in ("first", "second"))
        self.moments = Moments(first, second, stored["t"])


def dropout(x: Tensor, rate: float, draw: torch.Generator) -> Tensor:
    """Dropout: each number is 0 with probability `rate`, else multiplied by 1 / (1 - rate)."""
    if rate == 0:
        return x
    survives = torch.rand(x.shape, generator=draw) >= rate
    return x * (survives.to(x) / (1 - rate)).to(x.device)


def exports(learner: MLPLearner) -> Mapping[str, Callable[[], bytes]]:
    """Export formats, from images in [0, 1] to logits."""
    p = {name: part.detach() for name, part in learner.params.items()}

    def compute(x: Tensor) -> Tensor:
        return linear(relu(linear(x.flatten(1), p["hidden.weight"], p["hidden.bias"])), p["out.weight"], p["out.bias"])

    return Network("model=mlp", compute, learner.task.shape, lambda: p).formats()


@torch.no_grad()
def operations(learner: MLPLearner, x: Any) -> Operations:
    """Operations of predicting x. Pixels are graded, so all products are MACs."""
    hidden, params = learner.hidden(x), learner.params
    connections = [
        products("hidden", params["hidden.weight"].detach(), learner.images(x).flatten(1), spikes=False),
        products("out", params["out.weight"].detach(), hidden, spikes=False),
    ]
    return Operations(len(x), len(x), connections, [population("hidden", hidden)], parameters=params)
