"""Heads, which map the trunk's numbers z (B, n) to class scores by a circuit or its classical twin; and training of a
trunk with a head."""

from __future__ import annotations

from collections.abc import Mapping
from math import pi
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear

from neurobench.models.common.training import Moments, at_rest, descend
from neurobench.models.qcnn import circuits, network
from neurobench.models.qcnn.circuits import CircuitRunner
from neurobench.models.qcnn.network import Part, affine
from neurobench.models.qcnn.spec import HybridQCNN
from neurobench.problems.circuit import Angles, Program

_SMALLEST = 1e-6  # smallest probability of which the logarithm is computed
Parameters = Mapping[str, Tensor]


class TwoClass:
    """Base of heads with one feature f in [-1, 1], scores (1 - f)/2 and (1 + f)/2: probabilities of two classes."""

    program: Program | None = None  # of its circuit

    def __init__(self, spec: HybridQCNN, classes: int):
        self.raw = spec.nll_on_probabilities

    def parts(self) -> dict[str, Part]:
        """Parameters besides the trunk's."""
        return {}

    def scores(self, p: Parameters, features: Tensor) -> Tensor:
        """Probabilities, (B, 1) -> (B, 2)."""
        one = (1 - features) / 2
        return torch.cat([one, 1 - one], 1)  # class 0 is P(1): the tutorial's order

    def losses(self, scores: Tensor, y: Tensor, shots: int | None) -> Tensor:
        """Losses (B,) -log P(class), with `shots` from P = (k + 1/2) / (shots + 1), which is never 0. `raw`: -P."""
        p = scores.gather(1, y[:, None])[:, 0]
        if self.raw:
            return -p
        if shots is not None:
            p = (p * shots + 0.5) / (shots + 1)
        return -p.clamp(_SMALLEST, 1).log()

    def probabilities(self, scores: Tensor) -> Tensor:
        return scores


class Binary(TwoClass):
    """The tutorial's head: one qubit, H then RY(z), f = <Z>."""

    program = circuits.one_qubit()

    def angles(self, p: Parameters, z: Tensor) -> Angles:
        return Angles(z, z.new_zeros(0))


class Sigmoid(TwoClass):
    """The classical twin of binary: scores sigmoid(z), 1 - sigmoid(z)."""

    def features(self, p: Parameters, z: Tensor) -> Tensor:
        return 1 - 2 * torch.sigmoid(z)


class Readout:
    """Base of heads: features (B, F) in [-1, 1] times a learned gain, linear to logits of any number of classes."""

    program: Program | None = None

    def __init__(self, spec: HybridQCNN, classes: int):
        assert spec.n_qubits is not None
        assert spec.depth is not None
        assert spec.gain is not None  # `for_task` resolves all settings
        self.n, self.depth, self.gain, self.classes = spec.n_qubits, spec.depth, spec.gain, classes
        self.n_features = self.n

    def parts(self) -> dict[str, Part]:
        return {"gain": Part((1,), "equal", self.gain), **affine("out", (self.classes, self.n_features))}

    def scores(self, p: Parameters, features: Tensor) -> Tensor:
        return linear(p["gain"] * features, p["out.weight"], p["out.bias"])

    def losses(self, scores: Tensor, y: Tensor, shots: int | None) -> Tensor:
        return cross_entropy(scores, y, reduction="none")

    def probabilities(self, scores: Tensor) -> Tensor:
        return scores.softmax(1)


class Layered(Readout):
    """Circuit of n qubits, angles tanh(z) pi/2, so that none wraps around; `depth` times CZ ring, RZ, RY. Features are
    <Z_i>, and with zz also <Z_i Z_j> of all pairs; reupload: RY(s x) again in each layer, s learned."""

    def __init__(self, spec: HybridQCNN, classes: int):
        super().__init__(spec, classes)
        self.reupload = spec.reupload
        self.program = circuits.layered(self.n, self.depth, spec.reupload, spec.zz, spec.entangled)
        self.n_features = len(self.program.observables)

    def parts(self) -> dict[str, Part]:
        again = {"s": Part((self.depth, self.n), "equal", 1.0)} if self.reupload else {}
        return {"w": Part((self.depth, self.n, 2), "normal", 0.1), **again, **super().parts()}

    def angles(self, p: Parameters, z: Tensor) -> Angles:
        x = torch.tanh(z) * (pi / 2)
        again = (x[:, None] * p["s"]).flatten(1) if self.reupload else x[:, :0]
        return Angles(torch.cat([x, again], 1), p["w"].flatten())


class Tanh(Readout):
    """The classical twin of the layered circuit, with features tanh(z)."""

    def features(self, p: Parameters, z: Tensor) -> Tensor:
        return torch.tanh(z)


class MLP(Readout):
    """Classical head with one more layer, which mixes: features tanh(W tanh(z)), W n x n."""

    def parts(self) -> dict[str, Part]:
        return {"mix": Part((self.n, self.n), "uniform", self.n**-0.5), **super().parts()}

    def features(self, p: Parameters, z: Tensor) -> Tensor:
        return torch.tanh(torch.tanh(z) @ p["mix"].t())


class Ring(Readout):
    """Classical map of the same size as the layered circuit: n numbers in, n out, 2 n weights per layer, neighbours as
    in the CZ ring. h = tanh(z); `depth` times h_i becomes tanh(a_i h_i + b_i sum of its neighbours' h)."""

    def parts(self) -> dict[str, Part]:
        sizes = (self.depth, self.n)
        return {"a": Part(sizes, "equal", 1.0), "b": Part(sizes, "normal", 0.1), **super().parts()}

    def matrices(self, p: Parameters) -> Tensor:
        """Matrices (depth, n, n) of the layers: row i weights the inputs of wire i."""
        heard = p["a"].new_zeros(self.n, self.n)
        for i, j in circuits.ring(self.n):
            heard[i, j] = heard[j, i] = 1
        return torch.diag_embed(p["a"]) + p["b"][:, :, None] * heard

    def layers(self, p: Parameters, z: Tensor) -> list[Tensor]:
        """Inputs of each layer, and outputs of the last; each (B, n)."""
        values = [torch.tanh(z)]
        for matrix in self.matrices(p):
            values.append(torch.tanh(values[-1] @ matrix.t()))
        return values

    def features(self, p: Parameters, z: Tensor) -> Tensor:
        return self.layers(p, z)[-1]


QuantumHead = Binary | Layered
Head = QuantumHead | Sigmoid | Tanh | MLP | Ring
HEADS: dict[str, type[Head]] = {
    "binary": Binary, "sigmoid": Sigmoid, "linear": Layered, "tanh": Tanh, "mlp": MLP, "ring": Ring,
}  # fmt: skip


class Trainable:
    """A trunk and a head: parameters and their optimiser. Images x are (B, C, H, W); `runner` is for a head with a
    circuit, `seed` determines its draws."""

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
        """Features, (B, n) -> (B, features) in [-1, 1]: the circuit's observables, or a classical head's units."""
        if isinstance(self.head, QuantumHead):
            assert runner is not None
            return runner.run(self.head.angles(p, z), seed)
        return self.head.features(p, z)

    def scores(self, x: Tensor, runner: CircuitRunner | None, seed: int) -> Tensor:
        """Scores (B, classes), without dropout."""
        p = self.named()
        return self.head.scores(p, self.features(p, network.trunk(p, x).z, runner, seed))

    def learn(
        self, x: Tensor, y: Tensor, mask: Tensor | None, lr: float, runner: CircuitRunner | None, seed: int
    ) -> tuple[float, int]:
        """Take one step of Adam on the mean loss. Returns the summed loss and the number of correct predictions."""
        flat = self.params.detach().requires_grad_()
        p = network.views(self.parts, flat)
        scores = self.head.scores(p, self.features(p, network.trunk(p, x, mask).z, runner, seed))
        loss = self.head.losses(scores, y, runner.shots if runner else None).mean()
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
