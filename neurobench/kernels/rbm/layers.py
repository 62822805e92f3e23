"""Restricted Boltzmann machines on tensors: Gibbs steps, annealing walks and gradient ascent on the likelihood.

On a CPU these run as compiled kernels over the active units, on any other device as the PyTorch code below each of
them. One Gibbs step draws the same uniforms in both, so the two differ at most by the rounding of a sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numba
import numpy as np
import torch
from torch import Tensor

from neurobench.kernels.aligned import FLOATS
from neurobench.kernels.logistic import key_of_part
from neurobench.kernels.random import derive, kernel_key, uniforms
from neurobench.kernels.rbm.cd_update import Rates, cd_update
from neurobench.kernels.rbm.gibbs import half_step, half_step_down, transpose
from neurobench.kernels.rbm.walks import walk_layers, walk_units
from neurobench.problems.bqm import Units
from neurobench.problems.rbm import RBM


class Drawn(NamedTuple):
    """Probabilities and states of one layer given the other. On a CPU the part that is not computed is (B, 0)."""

    p: Tensor  # (B, O) float32 probability of being 1
    state: Tensor  # (B, O) float32 in {0, 1}


class Pair(NamedTuple):
    """States of the visible layer, and the probabilities of the hidden one given them."""

    v: Tensor  # (B, V) float32 states
    p: Tensor  # (B, H) float32 p(h = 1 | v)


def as_arrays(record: Any) -> Any:
    """Convert a record of tensors to the same record of arrays, which share their memory."""
    return type(record)(*[part.numpy() for part in record])


def conditional(x: Tensor, W: Tensor, bias: Tensor, seed: int, beta: float = 1.0, states: bool = True) -> Drawn:
    """Sample one layer given the other: p = s(beta (bias + x W)), state ~ Bernoulli(p); p alone without `states`.

    x (B, I), W (I, O), fastest if `laid_out`, bias (O,), all float32; the draws are a function of `seed` alone.
    """
    if x.device.type != "cpu":
        return conditional_torch(x, W, bias, seed, beta)
    return _drawn(half_step, x, W, bias, seed, beta, (True, states))


def conditional_down(
    x: Tensor, W: Tensor, bias: Tensor, seed: int, beta: float = 1.0, probabilities: bool = True
) -> Drawn:
    """`conditional` with W', from the hidden layer down to the visible one; the state alone without `probabilities`.
    x (B, I), W (O, I)"""
    if x.device.type != "cpu":
        return conditional_torch(x, W.t(), bias, seed, beta)
    return _drawn(half_step_down, x, W, bias, seed, beta, (probabilities, True))


def _drawn(kernel: Any, x: Tensor, W: Tensor, bias: Tensor, seed: int, beta: float, wanted: tuple[bool, bool]) -> Drawn:
    rows, outputs = x.shape[0], bias.shape[0]
    p, state = (torch.empty(rows, outputs if each else 0) for each in wanted)
    drawn = Drawn(p, state)
    given = x.contiguous().numpy(), _whole_rows(W).numpy(), bias.numpy()
    kernel(*given, np.float32(beta), kernel_key(seed), numba.get_num_threads(), as_arrays(drawn))
    return drawn


def conditional_torch(x: Tensor, W: Tensor, bias: Tensor, seed: int, beta: float = 1.0) -> Drawn:
    p = torch.sigmoid(beta * (bias + x @ W))
    return Drawn(p, (uniforms(seed, tuple(p.shape), p.device) < p).float())


def coins(seed: int, shape: tuple[int, ...], device: torch.device | str = "cpu") -> Tensor:
    """Fair coin flips: float32, 0 or 1 with equal probability."""
    return (uniforms(seed, shape, device) < 0.5).float()


def anneal_layers(
    rbm: RBM, betas: Sequence[float], seed: int, v: Tensor, h: Tensor, hidden_given: bool = False
) -> tuple[Tensor, Tensor]:
    """Sample h ~ p(h|v), then v ~ p(v|h), for each beta, greedily if infinite; with `hidden_given` the first h stays.

    v (R, V), h (R, H) -> final states. Biases may be shared by all reads or have one row per read: (R, V), (R, H).
    """
    if rbm.W.device.type != "cpu":
        return anneal_layers_torch(rbm, betas, seed, v, h, hidden_given)
    v, h, W = v.clone(), h.clone(), rbm.W.contiguous()
    walked = as_arrays(RBM(W, torch.atleast_2d(rbm.a), torch.atleast_2d(rbm.b)))
    downward, schedule, chunks = _transposed(W).numpy(), np.asarray(betas, np.float32), numba.get_num_threads()
    walk_layers(walked, downward, schedule, hidden_given, kernel_key(seed), chunks, v.numpy(), h.numpy())
    return v, h


def anneal_layers_torch(
    rbm: RBM, betas: Sequence[float], seed: int, v: Tensor, h: Tensor, hidden_given: bool
) -> tuple[Tensor, Tensor]:
    """PyTorch version of `anneal_layers`: the same distribution from other draws."""

    def redrawn(x: Tensor, W: Tensor, bias: Tensor, beta: float, draw: int) -> Tensor:
        return (bias + x @ W > 0).float() if beta == np.inf else conditional_torch(x, W, bias, draw, beta).state

    for s, beta in enumerate(betas):
        if s > 0 or not hidden_given:
            h = redrawn(v, rbm.W, rbm.b, beta, derive(seed, s, 0))
        v = redrawn(h, rbm.W.t(), rbm.a, beta, derive(seed, s, 1))
    return v, h


def anneal_units(
    problem: Units, betas: Sequence[float], seed: int, x: Tensor, probability: float = 1.0, first: int = 0
) -> Tensor:
    """Sample one unit after the other for each beta; a sweep updates each with this probability.   (R, N)

    Rows `first` to `first` + R - 1 of a larger batch receive the same draws as they would in that batch.
    """
    x = x.clone()
    schedule, chunks = np.asarray(betas, np.float32), numba.get_num_threads()
    key = tuple(map(np.uint32, key_of_part(first, kernel_key(seed))))
    walk_units(as_arrays(problem), schedule, np.float32(probability), key, chunks, x.numpy())
    return x


def ascend(rbm: RBM, velocity: RBM, data: Pair, model: Pair, rate: float, decay: float, momentum: float) -> bool:
    """Take one ascent step on the likelihood, in place. Returns whether every parameter is still finite.

    dW <- momentum dW + rate (<v'p>_data - <v'p>_model - decay W),    W <- W + dW
    da <- momentum da + rate (<v>_data - <v>_model),                  a <- a + da
    db <- momentum db + rate (<p>_data - <p>_model),                  b <- b + db
    """
    if rbm.W.device.type != "cpu":
        return ascend_torch(rbm, velocity, data, model, rate, decay, momentum)
    rates = Rates(*map(np.float32, (rate / data.v.shape[0], rate / model.v.shape[0], rate * decay, momentum)))
    pairs = (as_arrays(Pair(pair.v.contiguous(), pair.p)) for pair in (data, model))
    whole = [each._replace(W=_whole_rows(each.W)) for each in (rbm, velocity)]
    if any(each.W.data_ptr() != own.W.data_ptr() for each, own in zip(whole, (rbm, velocity), strict=True)):
        raise ValueError("weights that change in place have to be contiguous or `laid_out`")
    return bool(np.isfinite(cd_update(*pairs, rates, numba.get_num_threads(), *map(as_arrays, whole))))


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


def _transposed(W: Tensor) -> Tensor:
    """A contiguous copy of W'.   (I, O) -> (O, I)"""
    out = torch.empty(W.shape[1], W.shape[0])
    transpose(W.numpy(), numba.get_num_threads(), out.numpy())
    return out


def laid_out(rbm: RBM) -> RBM:
    """The machine with W copied so that its rows begin at cache lines: zeros outside the view pad each row."""
    if rbm.W.device.type != "cpu":
        return rbm
    units, outputs = rbm.W.shape
    W = torch.zeros(units, -(-outputs // FLOATS) * FLOATS)[:, :outputs]  # PyTorch's memory begins at a line
    return rbm._replace(W=W.copy_(rbm.W))


def _whole_rows(W: Tensor) -> Tensor:
    """W (I, O) if it is contiguous, its rows with their padding (I, M) if it is laid out, otherwise a copy of it."""
    width = -(-W.shape[1] // FLOATS) * FLOATS
    if W.stride() == (width, 1) and W.storage_offset() % width == 0:
        return W.as_strided((W.shape[0], width), (width, 1))
    return W.contiguous()


def warm_up() -> None:
    """Compile the kernels, or load them from their cache, so that this is not timed as training."""
    rbm, still = (RBM(torch.zeros(2, 3), torch.zeros(2), torch.zeros(3)) for _ in range(2))
    v = torch.zeros(1, 2)
    p, h = conditional(v, rbm.W, rbm.b, 0)
    conditional_down(h, rbm.W, rbm.a, 0)
    ascend(rbm, still, Pair(v, p), Pair(v, p), 0.0, 0.0, 0.0)
