"""A restricted Boltzmann machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class RBM(NamedTuple):
    """A restricted Boltzmann machine: E(v, h) = -a.v - b.h - v'Wh over v, h in {0, 1}."""

    W: Tensor  # (V, H) float32
    a: Tensor  # (V,) float32 visible bias
    b: Tensor  # (H,) float32 hidden bias
