"""The two inner steps of a restricted Boltzmann machine on tensors.

On a CPU they run as compiled kernels over the active units; on any other device as the plain torch that stands
beside each of them. Both draw the same uniforms, so they differ by the rounding of a sum at most.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
import torch
from torch import Tensor

from neurobench.kernels.random import kernel_key, uniforms
from neurobench.kernels.rbm.cd_update import Rates, cd_update
from neurobench.kernels.rbm.gibbs import half_step, transpose
from neurobench.problems.rbm import RBM


class Drawn(NamedTuple):
    """A layer given the other."""

    p: Tensor  # (B, O) float32 probability of being 1
    state: Tensor  # (B, O) float32 in {0, 1}


class Pair(NamedTuple):
    """Some states of the visible layer, and what they make of the hidden one."""

    v: Tensor  # (B, V) float32 states
    p: Tensor  # (B, H) float32 p(h = 1 | v)


def as_arrays(record: Any) -> Any:
    """A record of tensors as the same record of arrays, which share their memory."""
    return type(record)(*(part.numpy() for part in record))


def conditional(x: Tensor, W: Tensor, bias: Tensor, seed: int, beta: float = 1.0) -> Drawn:
    """p = s(beta (bias + x W)), state ~ Bernoulli(p).

    x (B, I), W (I, O) contiguous, bias (O,), all float32; the draws are a function of `seed` alone.
    """
    if x.device.type != "cpu":
        return conditional_torch(x, W, bias, seed, beta)
    p = torch.empty(len(x), W.shape[1])
    drawn = Drawn(p, torch.empty_like(p))
    x, chunks = x.contiguous(), numba.get_num_threads()
    half_step(x.numpy(), W.numpy(), bias.numpy(), np.float32(beta), kernel_key(seed), chunks, as_arrays(drawn))
    return drawn


def conditional_torch(x: Tensor, W: Tensor, bias: Tensor, seed: int, beta: float = 1.0) -> Drawn:
    p = torch.sigmoid(beta * (bias + x @ W))
    return Drawn(p, (uniforms(seed, tuple(p.shape), p.device) < p).float())


def ascend(rbm: RBM, velocity: RBM, data: Pair, model: Pair, rate: float, decay: float, momentum: float) -> bool:
    """One step up the likelihood, in place. Returns whether every parameter is still finite.

    dW <- momentum dW + rate (<v'p>_data - <v'p>_model - decay W),    W <- W + dW
    da <- momentum da + rate (<v>_data - <v>_model),                  a <- a + da
    db <- momentum db + rate (<p>_data - <p>_model),                  b <- b + db
    """
    if rbm.W.device.type != "cpu":
        return ascend_torch(rbm, velocity, data, model, rate, decay, momentum)
    rates = Rates(*map(np.float32, (rate / len(data.v), rate / len(model.v), rate * decay, momentum)))
    pairs = (as_arrays(Pair(pair.v.contiguous(), pair.p)) for pair in (data, model))
    return bool(np.isfinite(cd_update(*pairs, rates, numba.get_num_threads(), as_arrays(rbm), as_arrays(velocity))))


def ascend_torch(rbm: RBM, velocity: RBM, data: Pair, model: Pair, rate: float, decay: float, momentum: float) -> bool:
    gradient = RBM(
        W=data.v.t() @ data.p / len(data.v) - model.v.t() @ model.p / len(model.v) - decay * rbm.W,
        a=data.v.mean(0) - model.v.mean(0),
        b=data.p.mean(0) - model.p.mean(0),
    )
    for part, speed, slope in zip(rbm, velocity, gradient, strict=True):
        speed.mul_(momentum).add_(slope, alpha=rate)
        part.add_(speed)
    return bool(torch.isfinite(rbm.W.sum() + rbm.a.sum() + rbm.b.sum()))


def transposed(W: Tensor) -> Tensor:
    """A contiguous copy of W'.   (I, O) -> (O, I)"""
    if W.device.type != "cpu":
        return W.t().contiguous()
    out = torch.empty(W.shape[1], W.shape[0])
    transpose(W.numpy(), numba.get_num_threads(), out.numpy())
    return out


def warm_up() -> None:
    """Compile the kernels, or load them from their cache, so that no training is timed with it."""
    rbm, still = (RBM(torch.zeros(2, 3), torch.zeros(2), torch.zeros(3)) for _ in range(2))
    v = torch.zeros(1, 2)
    pair = Pair(v, conditional(v, rbm.W, rbm.b, 0).p)
    ascend(rbm, still, pair, pair, 0.0, 0.0, 0.0)
    transposed(rbm.W)
