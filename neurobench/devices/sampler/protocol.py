"""Protocol of samplers."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import NamedTuple, Protocol

from torch import Tensor

from neurobench.config.bounds import Bound
from neurobench.problems.rbm import RBM


class Reads(NamedTuple):
    v: Tensor  # (R, V) float32 in {0, 1}
    h: Tensor  # (R, H) float32 in {0, 1}
    cost: Mapping[str, float]  # summed over calls: reads, sweeps of all reads, jobs, programmings, device_seconds
    info: Mapping[str, float] = {}  # not summed: an inverse temperature, a fraction of broken chains


class Sampler(Protocol):
    """Draws joint states of a restricted Boltzmann machine. Every implementation is also a `dimod.Sampler`."""

    def sample_rbm(self, rbm: RBM, num_reads: int, seed: int, initial_hidden: Tensor | None = None) -> Reads:
        """Draw `num_reads` states; chains start at `initial_hidden` (R, H) if given, else at random.

        Raises ValueError if a number is out of bounds, UserError if the device cannot take the RBM.
        """


def check_call(num_reads: int, seed: int, initial_hidden: Tensor | None = None, most: float = inf) -> None:
    """Raise ValueError with a sentence for each number of a call that is out of bounds."""
    bounded = (("num_reads", num_reads, Bound(1, most)), ("seed", seed, Bound(0)))
    faults = [f"{name}={value} is not {bound}" for name, value, bound in bounded if not bound.holds(value)]
    if initial_hidden is not None and len(initial_hidden) != num_reads:
        faults.append(f"num_reads={num_reads}, but initial_hidden has {len(initial_hidden)} chains")
    if faults:
        raise ValueError("; ".join(faults))
