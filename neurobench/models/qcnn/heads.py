"""Heads: from the trunk's numbers z (B, n) to scores of the classes, by a circuit or by its classical twin."""

from __future__ import annotations

from collections.abc import Mapping
from math import pi

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear

from neurobench.models.qcnn import circuits
from neurobench.models.qcnn.network import Part, affine
from neurobench.models.qcnn.spec import HybridQCNN
from neurobench.problems.circuit import Angles, Program

_SMALLEST = 1e-6  # probability whose logarithm is taken

Parameters = Mapping[str, Tensor]


class TwoClass:
    """One feature f in [-1, 1], scores (1 - f)/2 and (1 + f)/2: probabilities of two classes."""

    program: Program | None = None  # of its circuit

    def __init__(self, spec: HybridQCNN, classes: int):
        self.raw = spec.nll_on_probabilities

    def parts(self) -> dict[str, Part]:
        """Parameters besides the trunk's."""
        return {}

    def scores(self, p: Parameters, features: Tensor) -> Tensor:
        """(B, 1) -> (B, 2)."""
        one = (1 - features) / 2
        return torch.cat([one, 1 - one], 1)  # class 0 is P(1): the tutorial's order

    def losses(self, scores: Tensor, y: Tensor, shots: int | None) -> Tensor:
        """(B,) -log P(class); of `shots` probabilities as (k + 1/2) / (shots + 1), so that none is 0. `raw`: -P."""
        p = scores.gather(1, y[:, None])[:, 0]
        if self.raw:
            return -p
        if shots is not None:
            p = (p * shots + 0.5) / (shots + 1)
        return -p.clamp(_SMALLEST, 1).log()

    def probabilities(self, scores: Tensor) -> Tensor:
        return scores


class Binary(TwoClass):
    """The tutorial's: one qubit, H then RY(z), f = <Z>."""

    program = circuits.one_qubit()

    def angles(self, p: Parameters, z: Tensor) -> Angles:
        return Angles(z, z.new_zeros(0))


class Sigmoid(TwoClass):
    """The classical twin of binary: scores sigmoid(z), 1 - sigmoid(z)."""

    def features(self, p: Parameters, z: Tensor) -> Tensor:
        return 1 - 2 * torch.sigmoid(z)


class Readout:
    """Features (B, F) in [-1, 1] times a gain that is learned, linear to logits of any number of classes."""

    program: Program | None = None

    def __init__(self, spec: HybridQCNN, classes: int):
        assert spec.n_qubits is not None
        assert spec.depth is not None
        assert spec.gain is not None  # `for_task` leaves nothing open
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
    """n qubits, angles tanh(z) pi/2, so that none wraps around; `depth` times CZ ring, RZ, RY. Features are <Z_i>, and
    with zz <Z_i Z_j> of all pairs; reupload: RY(s x) once more in each layer, s learned."""

    def __init__(self, spec: HybridQCNN, classes: int):
        super().__init__(spec, classes)
        self.reupload = spec.reupload
        self.program = circuits.layered(self.n, self.depth, spec.reupload, spec.zz)
        self.n_features = len(self.program.observables)

    def parts(self) -> dict[str, Part]:
        weights = {"w": Part((self.depth, self.n, 2), "normal", 0.1)}
        if self.reupload:
            weights["s"] = Part((self.depth, self.n), "equal", 1.0)
        return {**weights, **super().parts()}

    def angles(self, p: Parameters, z: Tensor) -> Angles:
        x = torch.tanh(z) * (pi / 2)
        again = (x[:, None] * p["s"]).flatten(1) if self.reupload else x[:, :0]
        return Angles(torch.cat([x, again], 1), p["w"].flatten())


class Tanh(Readout):
    """The classical twin of the layered circuit."""

    def features(self, p: Parameters, z: Tensor) -> Tensor:
        return torch.tanh(z)


class MLP(Readout):
    """One more layer that mixes: features tanh(W tanh(z)), W n x n."""

    def parts(self) -> dict[str, Part]:
        return {"mix": Part((self.n, self.n), "uniform", self.n**-0.5), **super().parts()}

    def features(self, p: Parameters, z: Tensor) -> Tensor:
        return torch.tanh(torch.tanh(z) @ p["mix"].t())


QuantumHead = Binary | Layered
Head = QuantumHead | Sigmoid | Tanh | MLP
HEADS: dict[str, type[Head]] = {"binary": Binary, "sigmoid": Sigmoid, "linear": Layered, "tanh": Tanh, "mlp": MLP}
