"""A software sampler: block Gibbs, the recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from neurobench.config.bounds import Bound
from neurobench.devices.spec import DeviceSpec

if TYPE_CHECKING:
    import torch

    from neurobench.devices.sampler.gibbs_device import GibbsDevice


@dataclass(frozen=True)
class BlockGibbs(DeviceSpec):
    """Draws from p(x) ~ exp(-beta E(x)) by updating all units of a layer at once.

    A sweep renews the hidden and then the visible layer. Chains that are handed a hidden layer begin with the
    visible one, so that one step from there is the "CD-1" of contrastive divergence.
    """

    kind: ClassVar[str] = "sampler"

    sweeps: Annotated[int, Bound(1)] = 100  # from a random start
    steps: Annotated[int, Bound(1)] = 1  # from given hidden states
    beta: Annotated[float, Bound(0, above=True)] = 1.0  # inverse temperature, 1/energy

    def open(self, seed: int, device: torch.device) -> GibbsDevice:
        """The device. It is ideal: `seed`, the identity of an emulated chip, makes no difference."""
        from neurobench.devices.sampler.gibbs_device import GibbsDevice

        return GibbsDevice(self, device)
