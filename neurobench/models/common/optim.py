"""Adam (Kingma and Ba 2015, algorithm 1) by torch's own function.

torch.optim.Adam, the class, imports dynamo: that takes longer than the tutorials' small networks take to train.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.optim.adam import adam

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # torch's defaults, which the tutorials use


class Moments(NamedTuple):
    """Running means of the gradients g and of g^2, after t steps."""

    first: list[Tensor]
    second: list[Tensor]
    t: int


def at_rest(parameters: Sequence[Tensor]) -> Moments:
    """Before the first step."""
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
    """One step, in place on the parameters and on the moments' tensors.

    m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,  p -= lr m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps)

    weight_decay: times p, added to g; `decoupled`: times lr p, taken from p (AdamW). `fused`: one kernel for large
    parameters, which rounds otherwise.
    """
    where = parameters[0].device if fused else None
    adam(
        list(parameters),
        list(gradients),
        moments.first,
        moments.second,
        [],
        [torch.tensor(float(moments.t), device=where) for _ in parameters],
        foreach=False,
        fused=fused,
        decoupled_weight_decay=decoupled,
        amsgrad=False,
        beta1=BETA1,
        beta2=BETA2,
        lr=lr,
        weight_decay=weight_decay,
        eps=EPSILON,
        maximize=False,
    )
    return Moments(moments.first, moments.second, moments.t + 1)
