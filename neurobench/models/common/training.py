"""Adam and learning-rate schedules, shared by several models.

Adam (Kingma and Ba 2015, algorithm 1) is torch's function, since the class torch.optim.Adam imports dynamo, which takes
longer than training the tutorials' small networks. A schedule is the factor on the largest rate at update k of n.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.optim.adam import adam

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # torch's defaults, which the tutorials use
_WARM = 0.3  # share of a cycle in which the rate rises; this and the next two as in torch's OneCycleLR
_FIRST, _LAST = 1 / 25, 1e-4 / 25  # as fractions of the largest rate


class Moments(NamedTuple):
    """Running means of the gradients g and of g^2, after t steps."""

    first: list[Tensor]
    second: list[Tensor]
    t: int


def at_rest(parameters: Sequence[Tensor]) -> Moments:
    """Moments before the first step, all 0."""
    return Moments([torch.zeros_like(p) for p in parameters], [torch.zeros_like(p) for p in parameters], 0)


@torch.no_grad()
def descend(
    parameters: Sequence[Tensor],
    gradients: Sequence[Tensor],
    moments: Moments,
    lr: float,
    *,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    fused: bool = False,
) -> Moments:
    """Take one step of Adam, in place on the parameters and on the moments' tensors.

    m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,  p -= lr m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps)

    weight_decay: times p, added to g; `decoupled`: times lr p, subtracted from p (AdamW). `fused`: one kernel for large
    parameters, which rounds differently.
    """
    taken = torch.full((len(parameters),), float(moments.t), device=parameters[0].device if fused else None)
    steps = list(taken.unbind())
    options: dict[str, Any] = {"foreach": False, "fused": fused, "decoupled_weight_decay": decoupled, "amsgrad": False}
    options |= {"beta1": BETA1, "beta2": BETA2, "eps": EPSILON, "lr": lr, "weight_decay": weight_decay}
    adam(list(parameters), list(gradients), moments.first, moments.second, [], steps, maximize=False, **options)
    return Moments(moments.first, moments.second, moments.t + 1)


def constant(k: float, n: float) -> float:
    return 1.0


def linear(k: float, n: float) -> float:
    """Linear decay from 1 to 0, which update n would have."""
    return 1 - k / n


def cosine(k: float, n: float) -> float:
    """Half a cosine from 1 down to 0, which update n would have. Source: torch's CosineAnnealingLR."""
    return (1 + math.cos(math.pi * (k / n))) / 2


def exponential(k: float, n: float, gamma: float, steps: int) -> float:
    """Decay by gamma in each of `steps`, over which the n updates are spread. Source: torch's ExponentialLR."""
    return gamma ** (k / n * steps)


def one_cycle(k: float, n: float) -> float:
    """Half a cosine from 1/25 up to 1, then half a cosine down to nearly 0. Source: torch's OneCycleLR."""
    top = max(1.0, _WARM * n - 1)
    if k <= top:
        return _between(_FIRST, 1.0, k / top)
    return _between(1.0, _LAST, (k - top) / max(1.0, n - 1 - top))


def _between(a: float, b: float, share: float) -> float:
    return b + (a - b) * (1 + math.cos(math.pi * share)) / 2


FACTORS = {"none": constant, "constant": constant, "linear": linear, "cosine": cosine, "one_cycle": one_cycle}
