"""A restricted Boltzmann machine and its equations.

    E(v, h) = -a.v - b.h - v'Wh        v in {0, 1}^V, h in {0, 1}^H

Source: Smolensky (1986); the names are those of Hinton, "A Practical Guide to Training RBMs" (2010).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class RBM(NamedTuple):
    """Parameters of an RBM. Compiled kernels take the same record of NumPy arrays."""

    W: Tensor  # (V, H) float32
    a: Tensor  # (V,) float32 visible bias
    b: Tensor  # (H,) float32 hidden bias


def energy(rbm: RBM, v: Tensor, h: Tensor) -> Tensor:
    """Energy E(v, h) = -a.v - b.h - v'Wh.   v (..., V), h (..., H) -> (...)"""
    return -(v @ rbm.a) - h @ rbm.b - ((v @ rbm.W) * h).sum(-1)


def p_hidden(rbm: RBM, v: Tensor) -> Tensor:
    """Probabilities p(h = 1 | v) = s(b + vW).   v (..., V) -> (..., H)"""
    return torch.sigmoid(rbm.b + v @ rbm.W)


def p_visible(rbm: RBM, h: Tensor) -> Tensor:
    """Probabilities p(v = 1 | h) = s(a + hW').   h (..., H) -> (..., V)"""
    return torch.sigmoid(rbm.a + h @ rbm.W.t())


def reconstruct(rbm: RBM, v: Tensor) -> Tensor:
    """Mean-field reconstruction without sampling: s(a + s(b + vW) W').   v (B, V) -> (B, V)"""
    return p_visible(rbm, p_hidden(rbm, v))


def reconstruction_error(v: Tensor, q: Tensor) -> Tensor:
    """Mean over the pixels of (v - q)^2.   (B, V), (B, V) -> (B,)"""
    return (v - q).square().mean(-1)
