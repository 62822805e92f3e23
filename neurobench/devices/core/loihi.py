"""An emulated Loihi 2 core for current-based neurons, the recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from neurobench.config.bounds import Bound
from neurobench.devices.core.protocol import refused_neuron
from neurobench.devices.spec import Demand, DeviceSpec
from neurobench.metrics.energy import Energy

if TYPE_CHECKING:
    import torch

    from neurobench.devices.core.protocol import Core


@dataclass(frozen=True)
class Loihi2(DeviceSpec):
    """Integers as lava's bit-accurate model of the chip has them: `state_bits` of current, which wraps, and of
    voltage, which is clipped; 12-bit decays; thresholds of 17 bits. Delays have 6 bits.

    Sources: lava `PyLifModelBitAcc` for the arithmetic; Intel, "Taking Neuromorphic Computing to the Next Level with
    Loihi 2" (technology brief, 2021), for the capacity of one chip.
    """

    kind: ClassVar[str] = "core"

    state_bits: Annotated[int, Bound(8, 31)] = 24  # sign included
    cores: Annotated[int, Bound(1)] = 128
    neurons_per_core: Annotated[int, Bound(1)] = 8192
    synapses: Annotated[int, Bound(1)] = 120_000_000  # on the chip

    arithmetic: ClassVar[str] = "fixed"  # this and the next: see `Core`
    i_decay: ClassVar[tuple[int, int]] = (1, 4096)
    v_decay: ClassVar[tuple[int, int]] = (0, 4095)
    threshold_mantissa: ClassVar[int] = 131071

    energy: ClassVar[Energy | str] = Energy(
        "Davies et al., Loihi, IEEE Micro 38(1), 2018, table 2: simulations of the first Loihi before it was made, "
        "0.75 V; synaptic operation 23.6 pJ, neuron update 81 pJ where its potential changes, taken as active, and "
        "52 pJ where not; spikes' ways across the chip and host left out; none is published for Loihi 2",
        accumulation=23.6e-12,
        update=81e-12,
        rest=52e-12,
    )

    def refuse(self, demand: Demand) -> str | None:
        """Networks that do not fit on one chip, and neurons that it does not have."""
        if demand.neurons > self.cores * self.neurons_per_core:
            return f"{demand.neurons} neurons are asked for; the chip has {self.cores} cores of {self.neurons_per_core}"
        if demand.synapses > self.synapses:
            return f"{demand.synapses} synapses are asked for; the chip has {self.synapses}. Use smaller layers"
        return refused_neuron(demand, self.i_decay, self.v_decay, self.threshold_mantissa)

    def open(self, seed: int, device: torch.device) -> Core:
        """The core. It is digital: every chip is like the other, and `seed` makes no difference."""
        from neurobench.devices.core.protocol import Core

        limit = 1 << (self.state_bits - 1)
        return Core(
            arithmetic=self.arithmetic,
            u_limit=limit,
            v_limit=limit - 1,
            i_decay=self.i_decay,
            v_decay=self.v_decay,
            threshold_mantissa=self.threshold_mantissa,
        )
