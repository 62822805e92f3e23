"""One network in training: the hybrid one, or a classical one beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from neurobench.models.common.training import Moments, at_rest, descend
from neurobench.models.qcnn import network
from neurobench.models.qcnn.circuits import CircuitRunner
from neurobench.models.qcnn.heads import HEADS, QuantumHead
from neurobench.models.qcnn.spec import HybridQCNN


class Trainable:
    """A trunk and a head: parameters, their optimiser, and what they make of images x (B, C, H, W).

    `runner` is for a head with a circuit, `seed` decides its draws.
    """

    def __init__(self, spec: HybridQCNN, head: str, shape: tuple[int, ...], classes: int, seed: int, device: Any):
        self.head = HEADS[head](spec, classes)
        self.weight_decay = spec.weight_decay or 0.0
        self.parts = {**network.trunk_parts(shape, spec.n_qubits or 1), **self.head.parts()}
        self.params = network.initial(self.parts, seed).to(device)  # (P,)
        self.moments = at_rest([self.params])

    def named(self) -> dict[str, Tensor]:
        """The parameters by name, as views."""
        return network.views(self.parts, self.params)

    def features(self, p: Mapping[str, Tensor], z: Tensor, runner: CircuitRunner | None, seed: int) -> Tensor:
        """(B, n) -> (B, features) in [-1, 1]: what the circuit's observables read, or a classical head's units."""
        if isinstance(self.head, QuantumHead):
            assert runner is not None
            return runner.run(self.head.angles(p, z), seed)
        return self.head.features(p, z)

    def scores(self, x: Tensor, runner: CircuitRunner | None, seed: int) -> Tensor:
        """(B, classes) without dropout."""
        p = self.named()
        return self.head.scores(p, self.features(p, network.trunk(p, x).z, runner, seed))

    def losses(self, scores: Tensor, y: Tensor, runner: CircuitRunner | None) -> Tensor:
        """(B,) of each sample."""
        return self.head.losses(scores, y, runner.shots if runner else None)

    def learn(
        self, x: Tensor, y: Tensor, mask: Tensor | None, lr: float, runner: CircuitRunner | None, seed: int
    ) -> tuple[float, int]:
        """One step of Adam on the mean loss. Returns the summed loss and the number of right answers."""
        flat = self.params.detach().requires_grad_()
        p = network.views(self.parts, flat)
        scores = self.head.scores(p, self.features(p, network.trunk(p, x, mask).z, runner, seed))
        loss = self.losses(scores, y, runner).mean()
        (g,) = torch.autograd.grad(loss, flat)
        self.moments = descend([self.params], [g], self.moments, lr, weight_decay=self.weight_decay)
        return float(loss.detach()) * len(y), int((scores.detach().argmax(1) == y).sum())

    def state_dict(self) -> dict[str, Any]:
        (m,), (v,), t = self.moments
        return {"params": self.params.clone(), "m": m.clone(), "v": v.clone(), "t": t}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.params.copy_(state["params"])
        m, v = (state[name].to(self.params.device, copy=True) for name in ("m", "v"))
        self.moments = Moments([m], [v], state["t"])
