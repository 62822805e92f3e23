"""One network in training: the hybrid one, or a classical one beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from neurobench.models.qcnn import network
from neurobench.models.qcnn.adam import Adam
from neurobench.models.qcnn.circuits import CircuitRunner
from neurobench.models.qcnn.heads import HEADS
from neurobench.models.qcnn.spec import HybridQCNN


class Rates(NamedTuple):
    """Of one update."""

    lr: float
    weight_decay: float


class Trainable:
    """A trunk and a head: parameters, their optimiser, and what they make of images."""

    def __init__(self, spec: HybridQCNN, head: str, shape: tuple[int, ...], classes: int, seed: int, device: Any):
        self.head = HEADS[head](spec, classes)
        self.parts = {**network.trunk_parts(shape, spec.n_qubits or 1), **self.head.parts()}
        self.adam = Adam(network.initial(self.parts, seed).to(device))

    @property
    def params(self) -> Tensor:
        """(P,) all of them."""
        return self.adam.params

    def named(self) -> dict[str, Tensor]:
        """The parameters by name, as views."""
        return network.views(self.parts, self.params)

    def scores(self, x: Tensor, runner: CircuitRunner | None, seed: int) -> Tensor:
        """(B, classes) without dropout. `runner` is for a head with a circuit, here and below."""
        return self._scores(self.named(), x, None, runner, seed)

    def z(self, x: Tensor) -> Tensor:
        """(B, n) what the trunk hands to the head, without dropout."""
        return network.trunk(self.named(), x).z

    def learn(
        self, x: Tensor, y: Tensor, mask: Tensor | None, rates: Rates, runner: CircuitRunner | None, seed: int
    ) -> tuple[float, int]:
        """One step of Adam on the mean loss. Returns the summed loss and the number of right answers."""
        flat = self.params.detach().requires_grad_()
        scores = self._scores(network.views(self.parts, flat), x, mask, runner, seed)
        loss = self.losses(scores, y, runner).mean()
        (g,) = torch.autograd.grad(loss, flat)
        self.adam.step(g, rates.lr, rates.weight_decay)
        return float(loss.detach()) * len(y), int((scores.detach().argmax(1) == y).sum())

    def losses(self, scores: Tensor, y: Tensor, runner: CircuitRunner | None) -> Tensor:
        """(B,) of each sample."""
        return self.head.losses(scores, y, runner.shots if runner else None)

    def _scores(
        self, p: Mapping[str, Tensor], x: Tensor, mask: Tensor | None, runner: CircuitRunner | None, seed: int
    ) -> Tensor:
        return self.head.scores(p, self.head.features(p, network.trunk(p, x, mask).z, runner, seed))

    def state_dict(self) -> dict[str, Any]:
        adam = self.adam
        return {"params": adam.params.clone(), "m": adam.m.clone(), "v": adam.v.clone(), "t": adam.t}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name in ("params", "m", "v"):
            getattr(self.adam, name).copy_(state[name])
        self.adam.t = state["t"]
