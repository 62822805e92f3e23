"""Adam on one flat vector of parameters: a handful of operations, whatever the number of layers."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from neurobench.models.learner import Step

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # torch's defaults, which the tutorial uses
_WARM = 0.3  # share of a cycle in which the rate rises; this and the next two as torch's OneCycleLR
_FIRST, _LAST = 1 / 25, 1e-4 / 25  # of the largest rate


class Adam:
    """Moments of the gradient; `params` are changed in place."""

    def __init__(self, params: Tensor):
        self.params = params
        self.m, self.v = torch.zeros_like(params), torch.zeros_like(params)
        self.t = 0

    def step(self, g: Tensor, lr: float, weight_decay: float) -> None:
        """Kingma and Ba 2015, algorithm 1, with weight_decay * params added to g as torch does."""
        if weight_decay:
            g = g.add(self.params, alpha=weight_decay)
        self.t += 1
        self.m.lerp_(g, 1 - BETA1)
        self.v.mul_(BETA2).addcmul_(g, g, value=1 - BETA2)
        unbias = math.sqrt(1 - BETA2**self.t)
        self.params.addcdiv_(self.m, (self.v.sqrt() / unbias).add_(EPSILON), value=-lr / (1 - BETA1**self.t))


def rate(schedule: str, largest: float, at: Step) -> float:
    """constant, or one_cycle: half a cosine up to the largest rate, half a cosine down to nearly nothing."""
    if schedule == "constant":
        return largest
    top = max(1.0, _WARM * at.n - 1)
    if at.k <= top:
        return _between(_FIRST, 1.0, at.k / top) * largest
    return _between(1.0, _LAST, (at.k - top) / max(1.0, at.n - 1 - top)) * largest


def _between(a: float, b: float, share: float) -> float:
    return b + (a - b) * (1 + math.cos(math.pi * share)) / 2
