"""Weights of a layer: direction and length, the core's grid, and their gradients. The reference.

Kept as (inputs, outputs): an active input is a row.
"""

from __future__ import annotations

import torch
from torch import Tensor

LOW, HIGH = -128, 127  # of half a mantissa: even mantissas from -256 to 254


def scale_of(v: Tensor, g: Tensor | None) -> Tensor:
    """(C,) what v (I, C) is multiplied by: g / |v| of each output neuron, 1 without weight norm (g None)."""
    if g is None:
        return torch.ones(v.shape[1], device=v.device)
    return g / v.double().square().sum(0).sqrt().float()


def halves(w: Tensor) -> Tensor:
    """Half the mantissas of weights w, int8: clamp(rint(32 w), -128, 127), ties to even. m = 2 halves, value m / 64."""
    return (32 * w).round().clamp(LOW, HIGH).to(torch.int8)


def through_grid(dw: Tensor, w: Tensor) -> Tensor:
    """Straight through the rounding; 0 where the grid cuts w off. Both ends of the grid let the gradient pass.

    Written out because torch.clamp's own gradient at its bounds changed between torch 2.13 and 2.15.
    """
    half = (32 * w).round()
    return dw * ((half >= LOW) & (half <= HIGH))


def through_norm(dw: Tensor, v: Tensor, g: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """dL/dv and dL/dg of w = g v / |v|, norms over the inputs. Source: Salimans & Kingma (2016), equation 3."""
    if g is None:
        return dw, None
    norm = v.square().sum(0).sqrt()
    dg = (dw * v).sum(0) / norm
    return g / norm * (dw - dg / norm * v), dg
