"""The two inner steps of a restricted Boltzmann machine on tensors.

On a CPU they run as compiled kernels over the active units; on any other device as the plain torch that stands
beside each of them. Both draw the same uniforms, so they differ by the rounding of a sum at most.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
import torch
from torch import Tensor

from neurobench.kernels.contrast import contrast
from neurobench.kernels.events import half_step
from neurobench.kernels.random import key_of, uniforms


class Drawn(NamedTuple):
    """A layer given the other."""

    p: Tensor  # (B, O) float32 probability of being 1
    state: Tensor  # (B, O) float32 in {0, 1}


class Pair(NamedTuple):
    """One side of a correlation x'y / B over a batch."""

    x: Tensor  # (B, I) float32
    y: Tensor  # (B, O) float32


def conditional(x: Tensor, W: Tensor, bias: Tensor, seed: int, beta: float = 1.0) -> Drawn:
    """p = s(beta (bias + x W)), state ~ Bernoulli(p).

    x (B, I), W (I, O) contiguous, bias (O,), all float32; the draws are a function of `seed` alone.
    """
    if x.device.type != "cpu":
        return conditional_torch(x, W, bias, seed, beta)
    p = torch.empty(len(x), W.shape[1])
    state = torch.empty_like(p)
    k0, k1 = key_of(seed)
    half_step(
        x.contiguous().numpy(),
        W.numpy(),
        bias.numpy(),
        np.float32(beta),
        np.uint32(k0),
        np.uint32(k1),
        numba.get_num_threads(),
        p.numpy(),
        state.numpy(),
    )
    return Drawn(p, state)


def conditional_torch(x: Tensor, W: Tensor, bias: Tensor, seed: int, beta: float = 1.0) -> Drawn:
    p = torch.sigmoid(beta * (bias + x @ W))
    return Drawn(p, (uniforms(seed, tuple(p.shape), p.device) < p).float())


def ascend(W: Tensor, velocity: Tensor, data: Pair, model: Pair, rate: float, decay: float, momentum: float) -> None:
    """One gradient step on W (I, O), in place, with its velocity.

    velocity <- momentum velocity + rate [<x'y>_data - <x'y>_model - decay W];   W <- W + velocity
    """
    if W.device.type != "cpu":
        return ascend_torch(W, velocity, data, model, rate, decay, momentum)
    contrast(
        data.x.contiguous().numpy(),
        data.y.numpy(),
        model.x.contiguous().numpy(),
        model.y.numpy(),
        np.float32(rate / len(data.x)),
        np.float32(rate / len(model.x)),
        np.float32(rate * decay),
        np.float32(momentum),
        numba.get_num_threads(),
        W.numpy(),
        velocity.numpy(),
    )
    return None


def ascend_torch(
    W: Tensor, velocity: Tensor, data: Pair, model: Pair, rate: float, decay: float, momentum: float
) -> None:
    gradient = data.x.t() @ data.y / len(data.x) - model.x.t() @ model.y / len(model.x) - decay * W
    velocity.mul_(momentum).add_(gradient, alpha=rate)
    W.add_(velocity)
