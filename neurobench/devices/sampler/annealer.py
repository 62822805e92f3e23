"""A software annealer, the recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from neurobench.config.bounds import Bound, Fault
from neurobench.devices.spec import DeviceSpec

if TYPE_CHECKING:
    import torch

    from neurobench.devices.sampler.annealer_device import AnnealerDevice


@dataclass(frozen=True)
class Annealer(DeviceSpec):
    """Block Gibbs from hot to cold, then downhill: an optimiser, no sampler of any one temperature.

    The inverse temperature grows by a constant factor from sweep to sweep. On a machine trained for an epoch on MNIST
    a chain at 0.05 is still quite random; from 0.5 on it reaches lower energies in less time.

    Chains that are handed hidden states are to go on, not to be optimised: they take one sweep at inverse temperature
    1, as block Gibbs does. (Greedy sweeps from the data's own states, tried as negative phase, ended at 17 % of MNIST.)
    To train on annealed states set model.negative=device.
    """

    kind: ClassVar[str] = "sampler"

    sweeps: Annotated[int, Bound(1)] = 100
    beta_start: Annotated[float, Bound(0, above=True)] = 0.05  # inverse temperature of the first sweep, 1/energy
    beta_end: Annotated[float, Bound(0, above=True)] = 5.0  # and of the last
    descents: Annotated[int, Bound(1)] = 5  # greedy sweeps at the end

    def conflicts(self) -> list[Fault]:
        if self.beta_start >= self.beta_end:
            fault = f"={self.beta_start:g} is not below beta_end={self.beta_end:g}"
            return [("beta_start", fault)]
        return []

    def open(self, seed: int, device: torch.device) -> AnnealerDevice:
        """The device. It is ideal: `seed`, the identity of an emulated chip, makes no difference."""
        from neurobench.devices.sampler.annealer_device import AnnealerDevice

        return AnnealerDevice(self)
