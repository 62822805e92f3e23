"""An emulated Dynex device, the recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from neurobench.config.bounds import Bound
from neurobench.devices.spec import DeviceSpec

if TYPE_CHECKING:
    import torch

    from neurobench.devices.sampler.dynex_device import DynexDevice


@dataclass(frozen=True)
class Dynex(DeviceSpec):
    """Relaxes a problem for a while, many times over, and hands back the best read alone.

    Units of any number and couplings of any shape fit. Coefficients are scaled down to at most 9 and rounded to
    1e-7. A read starts at random; in each of `annealing_time` steps every unit, in turn, takes its lower-energy
    state with probability `minimum_stepsize`: their product is how often a unit has moved when the read stops, 0.5
    here and 0.4 in the tutorial (200 steps of 0.002), far from relaxed. This dynamics is ours, the real one being
    unpublished in detail; it is judged by one figure: on untrained weights N(0, 0.001), 784x300, the tutorial's
    device stopped at an energy of -3.0914, 46 % of the optimum. On a trained machine, whose biases put a random state
    high up, it stops far from the optimum too.

    Sources: the tutorial (14 Sep 2023); parameters, their limits and defaults are those of the Dynex SDK 1.4.7.
    """

    kind: ClassVar[str] = "sampler"

    annealing_time: Annotated[int, Bound(1, 10_000)] = 10  # steps
    minimum_stepsize: Annotated[float, Bound(0, 1, above=True)] = 0.05  # share of units that move in a step
    clones: Annotated[int, Bound(1, 128)] = 1  # of a job, each with all its reads
    precision: Annotated[float, Bound(0, 1)] = 1e-7  # of a coefficient
    largest: Annotated[float, Bound(0, above=True)] = 9.0  # coefficient

    energy: ClassVar[str] = "none is published for a Dynex job, and a prediction asks for none"

    def open(self, seed: int, device: torch.device) -> DynexDevice:
        """The device. No two differ, so `seed`, the identity of an emulated chip, makes no difference."""
        from neurobench.devices.sampler.dynex_device import DynexDevice

        return DynexDevice(self)
