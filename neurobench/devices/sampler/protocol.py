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
    cost: Mapping[str, float]  # what adds up over calls: reads, sweeps of all reads, jobs, programmings, device_seconds
    info: Mapping[str, float] = {}  # what does not: an inverse temperature, a share of broken chains


class Sampler(Protocol):
    """Draws joint states of a restricted Boltzmann machine. Every one is a `dimod.Sampler` as well."""

    def sample_rbm(self, rbm: RBM, num_reads: int, seed: int, initial_hidden: Tensor | None = None) -> Reads:
        """`num_reads` states; chains start at `initial_hidden` (R, H) where given, else at random.

        Raises ValueError for numbers out of bounds, UserError for a machine that the device cannot take.
        """
        ...
