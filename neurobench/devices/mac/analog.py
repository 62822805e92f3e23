"""The linear model of analog matrix multiplication on BrainScaleS-2, the recipe: hxtorch's mock mode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from neurobench.config.bounds import Bound
from neurobench.devices.spec import DeviceSpec

if TYPE_CHECKING:
    import torch

    from neurobench.devices.mac.analog_device import LinearMacDevice


@dataclass(frozen=True)
class LinearMac(DeviceSpec):
    """The tutorial prints num_sends 20 and 4; every gain in [0.003367, 0.003544) gives them, 0.0034 among these."""

    kind: ClassVar[str] = "mac"

    gain: Annotated[float, Bound(0, 1, above=True)] = 0.0034  # LSB for x * w = 1 sent once
    noise_std: Annotated[float, Bound(0, 1000)] = 2.0  # LSB, of one partial sum

    def open(self, seed: int, device: torch.device) -> LinearMacDevice:
        """The device. It is ideal: `seed`, the identity of an emulated chip, makes no difference."""
        from neurobench.devices.mac.analog_device import LinearMacDevice

        return LinearMacDevice(self.gain, self.noise_std, device)
