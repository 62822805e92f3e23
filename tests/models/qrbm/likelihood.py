"""Likelihood of images under an RBM: the quantity that training really maximises."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor
from torch.nn.functional import softplus

from neurobench.kernels.random import derive, uniforms
from neurobench.kernels.rbm.layers import conditional, conditional_down
from neurobench.problems.rbm import RBM


def free_energy(rbm: RBM, v: Tensor) -> Tensor:
    """F(v) = -log sum_h exp(-E(v, h)) = -a.v - sum_j softplus(b_j + (vW)_j).   v (..., V) -> (...)"""
    return -(v @ rbm.a) - softplus(rbm.b + v @ rbm.W).sum(-1)


def log_likelihood(rbm: RBM, v: Tensor, seed: int, chains: int = 100, steps: int = 1000) -> float:
    """Mean log p(v) = -F(v) - log Z over images v (B, V), in nats."""
    return float(-free_energy(rbm, v).double().mean()) - log_partition(rbm, seed, chains, steps)


def log_partition(rbm: RBM, seed: int, chains: int = 100, steps: int = 1000) -> float:
    """log Z, estimated by annealed importance sampling.

    The RBMs (beta W, a, beta b) lead from one whose Z is known, prod_i (1 + e^a_i) 2^H at beta = 0, to the given
    one at beta = 1:  Z_1 / Z_0 = < prod_k exp(F_{k-1}(v_k) - F_k(v_k)) >,  v_k from one Gibbs step of k - 1.
    Source: Salakhutdinov and Murray (2008).
    """
    betas = torch.linspace(0, 1, steps + 1).tolist()
    v = (uniforms(derive(seed, 0), (chains, len(rbm.a)), rbm.a.device) < torch.sigmoid(rbm.a)).float()
    weight = torch.zeros(chains, dtype=torch.float64, device=v.device)
    for k in range(1, steps + 1):
        before, after = _softened(rbm, betas[k - 1]), _softened(rbm, betas[k])
        weight += (free_energy(before, v) - free_energy(after, v)).double()
        h = conditional(v, after.W, after.b, derive(seed, k, 1)).state
        v = conditional_down(h, after.W, rbm.a, derive(seed, k, 2)).state
    known = float(softplus(rbm.a.double()).sum()) + len(rbm.b) * log(2)
    return known + float(torch.logsumexp(weight, 0)) - log(chains)


def _softened(rbm: RBM, beta: float) -> RBM:
    return RBM(beta * rbm.W, rbm.a, beta * rbm.b)
