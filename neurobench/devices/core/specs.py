"""Spiking cores: the arithmetic of current-based neurons, as lava-dl simulates them and on an emulated Loihi 2.

A core is numbers alone: time loops belong to kernels, which are handed these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from neurobench.config.bounds import Bound
from neurobench.devices.spec import Demand, DeviceSpec
from neurobench.metrics.costs import Energy

LARGEST_MANTISSA = 131071  # of a threshold: 17 bits
LEAST_WEIGHT, LARGEST_WEIGHT = 2 / 64, 254 / 64  # above 0: even mantissas of 8 bits and a sign
UNLIMITED = 2**30  # the simulation's own integers; lava-dl's floats lose their last bit at 2^24


class FloatCore(NamedTuple):
    """Nothing is rounded, cut off or out of range."""

    @property
    def arithmetic(self) -> FloatCore:
        """The record itself, whatever bills the opened device."""
        return self

    def refuse(self, demand: Demand) -> None:
        return None


class FixedCore(NamedTuple):
    """Integers: states are in 1/4096 of a unit of the weights, weights and thresholds in 1/64."""

    u_limit: int  # the current wraps once where it leaves (-u_limit, u_limit]
    v_limit: int  # the voltage is clipped to +-v_limit
    i_decay: tuple[int, int]  # lowest and highest iDecay and vDecay, in 1/4096 a step
    v_decay: tuple[int, int]
    threshold_mantissa: int  # the highest, in 1/64

    @property
    def arithmetic(self) -> FixedCore:
        return self

    def refuse(self, demand: Demand) -> str | None:
        """Why the core cannot have the neuron that is asked for, every reason at once."""
        faults: list[str] = []
        if not demand.settings:  # a graph brings neurons of its own
            return None
        for name, (low, high) in (("current_decay", self.i_decay), ("voltage_decay", self.v_decay)):
            value = demand.settings[name]
            decay = round(4096 * value)
            if not low <= decay <= high:
                faults.append(f"model.{name}={value:g} is {decay}/4096; this core's go from {low} to {high}")
        weight = demand.settings.get("pool_weight", LARGEST_WEIGHT)
        if not LEAST_WEIGHT <= weight <= LARGEST_WEIGHT:
            span = f"this core's above 0 go from {LEAST_WEIGHT} to {LARGEST_WEIGHT}"
            faults.append(f"model.weight_scale={weight:g} is the weight of pooling; {span}")
        threshold, most = demand.settings["threshold"], self.threshold_mantissa
        if int(64 * threshold) > most:
            faults.append(f"model.threshold={threshold:g} is more than {most}/64, the core's largest")
        return "; ".join(faults) or None


Core = FloatCore | FixedCore


def open_core(spec: SimulatedCore | Loihi2, seed: int, device: Any) -> Core:
    """The core that a spec describes. It is digital: every chip is like the other, and `seed` makes no difference."""
    return spec.core


@dataclass(frozen=True, kw_only=True)
class SimulatedCore(DeviceSpec):
    """fixed: weights on the chip's grid, decays in 1/4096, states cut towards zero. float: nothing is rounded."""

    opens: ClassVar[str] = "neurobench.devices.core.specs.open_core"
    kind: ClassVar[str] = "core"

    arithmetic: Literal["fixed", "float"]

    @property
    def core(self) -> Core:
        if self.arithmetic == "float":
            return FloatCore()
        return FixedCore(UNLIMITED, UNLIMITED, (0, 4096), (0, 4096), LARGEST_MANTISSA)

    def refuse(self, demand: Demand) -> str | None:
        return self.core.refuse(demand)


@dataclass(frozen=True, kw_only=True)
class Loihi2(DeviceSpec):
    """Integers as lava's bit-accurate model of the chip has them: `state_bits` of current, which wraps, and of
    voltage, which is clipped; 12-bit decays; thresholds of 17 bits. Delays have 6 bits.

    Sources: lava `PyLifModelBitAcc` for the arithmetic; Intel, "Taking Neuromorphic Computing to the Next Level with
    Loihi 2" (technology brief, 2021), for the capacity of one chip.
    """

    opens: ClassVar[str] = "neurobench.devices.core.specs.open_core"
    kind: ClassVar[str] = "core"
    energy: ClassVar[Energy | str] = Energy(
        "Davies et al., Loihi, IEEE Micro 38(1), 2018, table 2: simulations of the first Loihi before it was made, "
        "0.75 V; synaptic operation 23.6 pJ, neuron update 81 pJ where its potential changes, taken as active, and "
        "52 pJ where not; spikes' ways across the chip and host left out; none is published for Loihi 2",
        accumulation=23.6e-12,
        update=81e-12,
        rest=52e-12,
    )

    mesh: ClassVar[str | None] = "neurobench.devices.core.mesh.LOIHI"

    state_bits: Annotated[int, Bound(8, 31)]
    cores: Annotated[int, Bound(1)]
    neurons_per_core: Annotated[int, Bound(1)]
    synapses: Annotated[int, Bound(1)]

    @property
    def core(self) -> FixedCore:
        limit = 1 << (self.state_bits - 1)
        return FixedCore(limit, limit - 1, (1, 4096), (0, 4095), LARGEST_MANTISSA)

    def refuse(self, demand: Demand) -> str | None:
        """Networks that do not fit on one chip, and neurons that it does not have."""
        faults = []
        if demand.neurons > self.cores * self.neurons_per_core:
            room = f"{self.cores} cores of {self.neurons_per_core}"
            faults.append(f"{demand.neurons} neurons are asked for; the chip has {room}")
        if demand.synapses > self.synapses:
            room = f"room for {self.synapses}. Use smaller layers"
            faults.append(f"{demand.synapses} synapses are asked for; the chip has {room}")
        return "; ".join(filter(None, [*faults, self.core.refuse(demand)])) or None
