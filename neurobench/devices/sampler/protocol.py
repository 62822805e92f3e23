"""What a sampler does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

from neurobench.problems.rbm import RBM

if TYPE_CHECKING:
    from torch import Tensor


class Reads(NamedTuple):
    """What a sampler answered."""

    v: Tensor  # (R, V) float32 in {0, 1}
    h: Tensor  # (R, H) float32 in {0, 1}
    info: Mapping[str, float]  # what it cost: reads, sweeps, modelled device seconds


class Sampler(Protocol):
    """Draws joint states of a restricted Boltzmann machine. Every one is a `dimod.Sampler` as well."""

    def sample_rbm(self, rbm: RBM, num_reads: int, seed: int, initial_hidden: Tensor | None = None) -> Reads:
        """`num_reads` states; chains start at `initial_hidden` (R, H) where given, else at random."""
        ...
