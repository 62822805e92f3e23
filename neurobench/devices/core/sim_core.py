"""The arithmetic of a spiking core as lava-dl simulates it, the recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from neurobench.devices.core.protocol import refused_neuron
from neurobench.devices.spec import Demand, DeviceSpec

if TYPE_CHECKING:
    import torch

    from neurobench.devices.core.protocol import Core

_ROOM = 2**30  # of the emulation's own integers; lava-dl's floats lose their last bit at 2^24


@dataclass(frozen=True)
class SimulatedCore(DeviceSpec):
    """fixed: weights on the chip's grid, decays in 1/4096, states cut towards zero. float: nothing is rounded."""

    kind: ClassVar[str] = "core"

    arithmetic: Literal["fixed", "float"] = "fixed"

    i_decay: ClassVar[tuple[int, int]] = (0, 4096)  # see `Core`; fixed alone
    v_decay: ClassVar[tuple[int, int]] = (0, 4096)
    threshold_mantissa: ClassVar[int] = 131071

    def refuse(self, demand: Demand) -> str | None:
        """Neurons beyond the grid of fixed arithmetic; floats take any."""
        if self.arithmetic == "float":
            return None
        return refused_neuron(demand, self.i_decay, self.v_decay, self.threshold_mantissa)

    def open(self, seed: int, device: torch.device) -> Core:
        """The core. It has no chip's identity: `seed` makes no difference."""
        from neurobench.devices.core.protocol import Core

        return Core(
            arithmetic=self.arithmetic,
            u_limit=_ROOM,
            v_limit=_ROOM,
            i_decay=self.i_decay,
            v_decay=self.v_decay,
            threshold_mantissa=self.threshold_mantissa,
        )
