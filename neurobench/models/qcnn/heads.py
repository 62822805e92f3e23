"""From the trunk's numbers z (B, n) to scores of the classes, by a circuit or by its classical twin."""

from __future__ import annotations

from collections.abc import Mapping
from math import pi

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear

from neurobench.models.qcnn.gradients import Way, run
from neurobench.problems.circuit import Angles

_SMALLEST = 1e-6  # probability whose logarithm is taken


def circuit_angles(head: str, p: Mapping[str, Tensor], z: Tensor) -> Angles:
    """The tutorial's single angle is z itself; several are tanh(z) pi/2, so that none wraps around."""
    if head == "binary":
        return Angles(z, z.new_zeros(0))
    x = torch.tanh(z) * (pi / 2)
    again = (x[:, None] * p["s"]).flatten(1) if "s" in p else x[:, :0]
    return Angles(torch.cat([x, again], 1), p["w"].flatten())


def scores(head: str, p: Mapping[str, Tensor], z: Tensor, way: Way | None, seed: int) -> Tensor:
    """(B, classes): probabilities of the two-class heads, else logits. `way` is for the heads with a circuit."""
    features = features_of(head, p, z, way, seed)
    if head in ("binary", "sigmoid"):
        one = (1 - features) / 2
        return torch.cat([one, 1 - one], 1)  # class 0 is P(1): the tutorial's order
    return linear(p["gain"] * features, p["out.weight"], p["out.bias"])


def features_of(head: str, p: Mapping[str, Tensor], z: Tensor, way: Way | None, seed: int) -> Tensor:
    """(B, features) in [-1, 1]: what the circuit's observables read, or a classical head's units."""
    if head in ("binary", "linear"):
        assert way is not None
        return run(way, circuit_angles(head, p, z), seed)
    if head == "sigmoid":
        return 1 - 2 * torch.sigmoid(z)
    return torch.tanh(z) if head == "tanh" else torch.tanh(torch.tanh(z) @ p["mix"].t())


def losses(head: str, found: Tensor, y: Tensor, raw: bool, shots: int | None) -> Tensor:
    """(B,) -log P(class); of `shots` probabilities as (k + 1/2) / (shots + 1), so that none is 0. `raw`: -P(class)."""
    if head not in ("binary", "sigmoid"):
        return cross_entropy(found, y, reduction="none")
    p = found.gather(1, y[:, None])[:, 0]
    if raw:
        return -p
    if shots is not None and head == "binary":
        p = (p * shots + 0.5) / (shots + 1)
    return -p.clamp(_SMALLEST, 1).log()
