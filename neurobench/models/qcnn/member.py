"""One network in training: the hybrid one, or a classical one beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from neurobench.models.common.optim import Moments, at_rest, descend
from neurobench.models.qcnn import network
from neurobench.models.qcnn.gradients import Way
from neurobench.models.qcnn.heads import losses, scores
from neurobench.models.qcnn.spec import HybridQCNN


class Member:
    """Parameters, their optimiser, and what the head makes of images."""

    def __init__(self, recipe: HybridQCNN, head: str, shape: tuple[int, ...], classes: int, seed: int, device: Any):
        self.recipe, self.head = recipe, head
        self.parts = network.parts(recipe, head, shape, classes)
        self.params = network.initial(self.parts, seed).to(device)
        self.moments = at_rest([self.params])

    def scores(self, x: Tensor, way: Way | None, seed: int, params: Tensor | None = None) -> Tensor:
        """(B, classes) without dropout."""
        p = network.views(self.parts, self.params if params is None else params)
        return scores(self.head, p, network.trunk(p, x, None), way, seed)

    def z(self, x: Tensor) -> Tensor:
        """(B, n) what the trunk hands to the head, without dropout."""
        return network.trunk(network.views(self.parts, self.params), x, None)

    def named(self) -> dict[str, Tensor]:
        return network.views(self.parts, self.params)

    def learn(
        self, x: Tensor, y: Tensor, kept: Tensor | None, way: Way | None, seed: int, lr: float
    ) -> tuple[float, int]:
        """One step of Adam on the mean loss. Returns the summed loss and the number of right answers."""
        flat = self.params.detach().requires_grad_()
        p = network.views(self.parts, flat)
        found = scores(self.head, p, network.trunk(p, x, kept), way, seed)
        loss = self.losses(found, y, way).mean()
        (g,) = torch.autograd.grad(loss, flat)
        self.moments = descend([self.params], [g], self.moments, lr, weight_decay=self.recipe.weight_decay)
        return float(loss.detach()) * len(y), int((found.detach().argmax(1) == y).sum())

    def losses(self, found: Tensor, y: Tensor, way: Way | None) -> Tensor:
        return losses(self.head, found, y, self.recipe.nll_on_probabilities, way.shots if way else None)

    def state_dict(self) -> dict[str, Any]:
        (m,), (v,), t = self.moments
        return {"params": self.params.clone(), "m": m.clone(), "v": v.clone(), "t": t}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.params.copy_(state["params"])
        m, v = (state[name].to(self.params.device, copy=True) for name in ("m", "v"))
        self.moments = Moments([m], [v], state["t"])
