"""Adam. torch has one too, which takes longer to import than the tutorial's network takes to train."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # torch's defaults, which the tutorial uses


class Moments(NamedTuple):
    """Running means of the gradients g and of g^2, after t steps."""

    first: list[Tensor]
    second: list[Tensor]
    t: int


def at_rest(parameters: Sequence[Tensor]) -> Moments:
    return Moments([torch.zeros_like(p) for p in parameters], [torch.zeros_like(p) for p in parameters], 0)


def descend(parameters: Sequence[Tensor], gradients: Sequence[Tensor], moments: Moments, lr: float) -> Moments:
    """One step, in place on the parameters and on the moments' tensors (Kingma and Ba 2015, algorithm 1).

    m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,  p -= lr m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps)
    """
    t = moments.t + 1
    size = lr / (1 - BETA1**t)
    unbias = (1 - BETA2**t) ** 0.5
    for p, g, m, v in zip(parameters, gradients, moments.first, moments.second, strict=True):
        m.lerp_(g, 1 - BETA1)
        v.mul_(BETA2).addcmul_(g, g, value=1 - BETA2)
        p.addcdiv_(m, (v.sqrt() / unbias).add_(EPSILON), value=-size)
    return Moments(moments.first, moments.second, t)
