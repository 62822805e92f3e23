"""E-prop written as its equations, a loop over steps in torch with every synapse's trace: slow, readable, float64.

One sample from rest with constant weights; spikes of step t arrive in step t + 1. Source: Bellec et al.,
Nature Communications 11:3625 (2020), in NEST's scaling (no 1 - kappa in the eligibility, but in R).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from neurobench.kernels.eprop.records import Constants


class Result(NamedTuple):
    gradients: tuple[Tensor, Tensor, Tensor]  # (N, I), (N, N), (K, N)
    y: Tensor  # (T, K)
    spikes: Tensor  # (T, N)


def eprop(c: Constants, inputs: Tensor, weights: tuple[Tensor, Tensor, Tensor], B: Tensor, label: int) -> Result:
    """Run one sample. inputs (T, I): counts of input spikes."""
    w_in, w_rec, w_out = weights
    zero = torch.zeros(c.N, dtype=torch.float64)
    v, z, a, f = zero, zero, zero, zero
    y = torch.zeros(c.K, dtype=torch.float64)
    trace_in, trace_rec, trace_out = torch.zeros(c.inputs).double(), zero, zero
    eps = torch.zeros(c.N, c.inputs + c.N, dtype=torch.float64)
    e_bar, late = torch.zeros_like(eps), torch.zeros_like(eps)
    gradient, gradient_out = torch.zeros_like(eps), torch.zeros(c.K, c.N, dtype=torch.float64)
    ys, zs = [], []
    target = torch.eye(c.K, dtype=torch.float64)[label]
    for t in range(c.T):
        z_before = z
        v = c.alpha * v + w_in @ inputs[t] + w_rec @ z_before
        a = c.rho * a + z_before
        theta = c.v_th + c.adapt_beta * a
        psi = c.height * (1 - (v - theta).abs() / c.width).clamp(min=0)
        z = (v >= theta).double()
        v = v - c.v_th * z
        f = c.kappa * f + (1 - c.kappa) * z
        y = c.alpha_out * y + w_out @ z_before
        error = (y - target) if t >= c.T - c.W else torch.zeros_like(y)
        # An error is credited to the eligibility of the step before it.
        gradient += (B @ error)[:, None] * late
        trace_in, trace_rec = c.alpha * trace_in + inputs[t], c.alpha * trace_rec + z_before
        z_bar = torch.cat([trace_in, trace_rec])
        e = psi[:, None] * (z_bar[None] - c.adapt_beta * eps)
        eps = c.rho * eps + e
        e_bar = c.kappa * e_bar + e
        gradient += (c.c_reg * (f - c.f_target))[:, None] * (1 - c.kappa) * e_bar
        late = e_bar
        trace_out = c.alpha_out * trace_out + z_before
        gradient_out += error[:, None] * trace_out[None]
        ys.append(y)
        zs.append(z)
    return Result((gradient[:, : c.inputs], gradient[:, c.inputs :], gradient_out), torch.stack(ys), torch.stack(zs))
