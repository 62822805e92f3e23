"""Gibbs walks through a schedule of inverse temperatures: at infinity they descend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numba
import numpy as np
import torch
from torch import Tensor

from neurobench.config.bounds import Bound, fault_of
from neurobench.kernels.random import derive, kernel_key, uniforms
from neurobench.kernels.rbm.layers import as_arrays, conditional_torch, transposed
from neurobench.kernels.rbm.walks import walk_layers, walk_units
from neurobench.problems.qubo import Units
from neurobench.problems.rbm import RBM


def coins(seed: int, shape: tuple[int, ...], device: torch.device | str = "cpu") -> Tensor:
    """Float32, 0 or 1 with equal probability: where a walk starts without a given state."""
    return (uniforms(seed, shape, device) < 0.5).float()


def layers(
    rbm: RBM, betas: Sequence[float], seed: int, v: Tensor, h: Tensor, hidden_given: bool = False
) -> tuple[Tensor, Tensor]:
    """For each beta h ~ p(h|v), then v ~ p(v|h); with `hidden_given` the first of these h is the one handed in.

    v (R, V), h (R, H) -> where the walk ends. The biases may be those of all reads or of each: (R, V), (R, H).
    """
    if rbm.W.device.type != "cpu":
        return _layers_torch(rbm, betas, seed, v, h, hidden_given)
    v, h = v.clone(), h.clone()
    W = rbm.W.contiguous()
    walk_layers(
        as_arrays(RBM(W, torch.atleast_2d(rbm.a), torch.atleast_2d(rbm.b))),
        transposed(W).numpy(),
        np.asarray(betas, np.float32),
        hidden_given,
        kernel_key(seed),
        numba.get_num_threads(),
        v.numpy(),
        h.numpy(),
    )
    return v, h


def _layers_torch(
    rbm: RBM, betas: Sequence[float], seed: int, v: Tensor, h: Tensor, hidden_given: bool
) -> tuple[Tensor, Tensor]:
    """The same in plain torch, with draws of its own."""

    def redrawn(x: Tensor, W: Tensor, bias: Tensor, beta: float, draw: int) -> Tensor:
        return (bias + x @ W > 0).float() if beta == np.inf else conditional_torch(x, W, bias, draw, beta).state

    for s, beta in enumerate(betas):
        if s > 0 or not hidden_given:
            h = redrawn(v, rbm.W, rbm.b, beta, derive(seed, s, 0))
        v = redrawn(h, rbm.W.t(), rbm.a, beta, derive(seed, s, 1))
    return v, h


def units(problem: Units, betas: Sequence[float], seed: int, x: Tensor, share: float = 1.0) -> Tensor:
    """One unit after the other for each beta; in a sweep each takes its turn with probability `share`.   (R, N)"""
    x = x.clone()
    schedule, chunks = np.asarray(betas, np.float32), numba.get_num_threads()
    walk_units(as_arrays(problem), schedule, np.float32(share), kernel_key(seed), chunks, x.numpy())
    return x


def check_call(num_reads: int, seed: int, initial_hidden: Tensor | None = None, most: float = np.inf) -> None:
    """Raise ValueError with a sentence for each number of a call that is out of bounds."""
    faults = [
        f"{name}{fault}"
        for name, value, bound in (("num_reads", num_reads, Bound(1, most)), ("seed", seed, Bound(0)))
        if (fault := fault_of(int(value), Annotated[int, bound]))
    ]
    if initial_hidden is not None and len(initial_hidden) != num_reads:
        faults.append(f"num_reads={num_reads}, but initial_hidden holds {len(initial_hidden)} chains")
    if faults:
        raise ValueError("; ".join(faults))
