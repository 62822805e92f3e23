"""The plain network learns."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear, relu

from neurobench.config.errors import UserError
from neurobench.kernels.random import derive
from neurobench.metrics.operations import Operations, population
from neurobench.metrics.operations import linear as connection
from neurobench.models.common.augment import moved
from neurobench.models.common.optim import Moments, at_rest, descend
from neurobench.models.common.schedules import one_cycle
from neurobench.models.learner import Divergence, Seeds, Step, Task
from neurobench.models.mlp.spec import MLP

if TYPE_CHECKING:
    from neurobench.data.dataset import Batch, Split

_DROP, _MOVE = range(2)  # purposes of a draw


class MLPLearner:
    """See `neurobench.models.learner.Learner`."""

    def __init__(self, recipe: MLP, task: Task, seeds: Seeds, device: torch.device):
        self.recipe, self.task, self.seeds, self.device = recipe, task, seeds, device
        draw = torch.Generator().manual_seed(seeds.init)
        sizes = (math.prod(task.shape), recipe.hidden, task.n_classes)
        self.params: dict[str, Tensor] = {}
        for name, fan_in, fan_out in (("hidden", *sizes[:2]), ("out", *sizes[1:])):
            for part, shape in (("weight", (fan_out, fan_in)), ("bias", (fan_out,))):
                start = (2 * torch.rand(shape, generator=draw) - 1) * fan_in**-0.5  # as torch's linear layers
                self.params[f"{name}.{part}"] = start.to(device).requires_grad_()
        self.moments = at_rest(list(self.params.values()))

    def start(self, train: Split) -> None:
        """Nothing to see of the data."""

    def learn(self, batch: Batch, at: Step) -> Mapping[str, float]:
        """One step of Adam on moved images with inputs and hidden units left out at random."""
        recipe = self.recipe
        x = moved(self._images(batch.x), recipe.jitter, derive(self.seeds.training, _MOVE, at.k)).flatten(1)
        y = batch.y.to(self.device)
        draw = torch.Generator().manual_seed(derive(self.seeds.training, _DROP, at.k))
        p = self.params
        seen = relu(linear(_kept(x, recipe.input_dropout, draw), p["hidden.weight"], p["hidden.bias"]))
        found = linear(_kept(seen, recipe.dropout, draw), p["out.weight"], p["out.bias"])
        loss = cross_entropy(found, y, label_smoothing=recipe.smoothing)
        if not torch.isfinite(loss):
            raise Divergence(f"diverged at update {at.k}: loss is {float(loss.detach())}; try a smaller model.lr")
        params = list(p.values())
        gradients = torch.autograd.grad(loss, params)
        lr = one_cycle(at.k, at.n) * recipe.lr
        self.moments = descend(
            params, gradients, self.moments, lr, weight_decay=recipe.weight_decay, decoupled=True, fused=True
        )
        return {"loss": float(loss.detach()) * len(y), "correct": float((found.detach().argmax(1) == y).sum())}

    def measure(self, batch: Batch) -> Mapping[str, float]:
        found, y = self.predict(batch.x), batch.y.to(self.device)
        loss = cross_entropy(found, y, label_smoothing=self.recipe.smoothing, reduction="sum")
        return {"loss": float(loss), "correct": float((found.argmax(1) == y).sum())}

    def settle(self, train: Split, validation: Split) -> Mapping[str, float]:
        """Nothing is left to learn."""
        return {"parameters": float(sum(part.numel() for part in self.params.values()))}

    @torch.no_grad()
    def predict(self, x: Any) -> Tensor:
        """Logits."""
        return linear(self._hidden(x), self.params["out.weight"], self.params["out.bias"])

    @torch.no_grad()
    def operations(self, x: Any) -> Operations:
        """Pixels are graded: all products are MACs."""
        seen = self._hidden(x)
        connections = [
            connection("hidden", self.params["hidden.weight"].detach(), self._images(x).flatten(1), spikes=False),
            connection("out", self.params["out.weight"].detach(), seen, spikes=False),
        ]
        return Operations(len(x), len(x), connections, [population("hidden", seen)], parameters=self.params)

    def state_dict(self) -> dict[str, Any]:
        params = {name: part.detach().clone() for name, part in self.params.items()}
        return {"params": params, "moments": copy.deepcopy(self.moments)._asdict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Raises UserError where the state is of another network."""
        here = {name: tuple(part.shape) for name, part in self.params.items()}
        there = {name: tuple(part.shape) for name, part in state.get("params", {}).items()}
        if here != there:
            raise UserError(
                f"the checkpoint does not fit: {there} there, {here} here. Use its settings, or train anew."
            )
        with torch.no_grad():
            for name, part in self.params.items():
                part.copy_(state["params"][name])
        stored = state["moments"] if "moments" in state else _of_torch(state["adam"])
        first, second = ([m.to(self.device, copy=True) for m in stored[name]] for name in ("first", "second"))
        self.moments = Moments(first, second, stored["t"])

    def _hidden(self, x: Any) -> Tensor:
        flat = self._images(x).flatten(1)
        return relu(linear(flat, self.params["hidden.weight"], self.params["hidden.bias"]))

    def _images(self, x: Any) -> Tensor:
        if not isinstance(x, Tensor) or tuple(x.shape[1:]) != self.task.shape:
            seen = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
            raise UserError(f"images must be (B, {', '.join(map(str, self.task.shape))}), not {seen}")
        return x.to(self.device)


def _of_torch(adam: Mapping[str, Any]) -> dict[str, Any]:
    """The moments of a checkpoint that holds torch.optim.AdamW's own state."""
    states = [adam["state"][k] for k in sorted(adam["state"])]
    first, second = ([each[name] for each in states] for name in ("exp_avg", "exp_avg_sq"))
    return {"first": first, "second": second, "t": int(states[0]["step"])}


def _kept(x: Tensor, rate: float, draw: torch.Generator) -> Tensor:
    """Dropout: each number is 0 at `rate`, else larger by 1 / (1 - rate)."""
    if rate == 0:
        return x
    kept = torch.rand(x.shape, generator=draw) >= rate
    return x * (kept.to(x) / (1 - rate)).to(x.device)
