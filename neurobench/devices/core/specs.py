"""Spiking cores: the arithmetic of current-based neurons, as lava-dl simulates them and on an emulated Loihi 2.

A core consists of numbers alone: time loops belong to kernels, which take these as arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from neurobench.config.bounds import Bound
from neurobench.devices.spec import Demand, DeviceSpec
from neurobench.metrics.costs import Energy

LARGEST_MANTISSA = 131071  # of a threshold: 17 bits
LEAST_WEIGHT, LARGEST_WEIGHT = 2 / 64, 254 / 64  # of weights above 0: even mantissas of 8 bits and a sign
UNLIMITED = 2**30  # limit of the simulation's integers; lava-dl's floats lose their last bit at 2^24


class FloatCore(NamedTuple):
    """Floating-point arithmetic: nothing is rounded, truncated or out of range."""

    @property
    def arithmetic(self) -> FloatCore:
        """This record itself, without the wrapper that bills an opened device."""
        return self

    def refuse(self, demand: Demand) -> None:
        return None


class FixedCore(NamedTuple):
    """Integer arithmetic: states are multiples of 1/4096 of a unit of the weights, weights and thresholds of 1/64."""

    u_limit: int  # the current wraps around once if it leaves (-u_limit, u_limit]
    v_limit: int  # the voltage is clipped to +-v_limit
    i_decay: tuple[int, int]  # lowest and highest iDecay, and below vDecay, in 1/4096 per step
    v_decay: tuple[int, int]
    threshold_mantissa: int  # highest threshold, in 1/64

    @property
    def arithmetic(self) -> FixedCore:
        return self

    def refuse(self, demand: Demand) -> str | None:
        """All reasons why the core cannot run the requested neuron, or None."""
        faults: list[str] = []
        if not demand.settings:  # a graph defines its own neurons
            return None
        for name, (low, high) in (("current_decay", self.i_decay), ("voltage_decay", self.v_decay)):
            value = demand.settings[name]
            decay = round(4096 * value)
            if not low <= decay <= high:
                faults.append(f"model.{name}={value:g} is {decay}/4096; this core's range from {low} to {high}")
        weight = demand.settings.get("pool_weight", LARGEST_WEIGHT)
        if not LEAST_WEIGHT <= weight <= LARGEST_WEIGHT:
            span = f"this core's above 0 range from {LEAST_WEIGHT} to {LARGEST_WEIGHT}"
            faults.append(f"model.weight_scale={weight:g} is the weight of pooling; {span}")
        threshold, most = demand.settings["threshold"], self.threshold_mantissa
        if int(64 * threshold) > most:
            faults.append(f"model.threshold={threshold:g} is more than {most}/64, the core's largest")
        elif int(64 * threshold) * 64 >= self.v_limit:
            reach = f"{self.v_limit}/4096, the core's largest voltage"
            faults.append(f"model.threshold={threshold:g} is not below {reach}: no neuron could fire")
        return "; ".join(faults) or None


Core = FloatCore | FixedCore


def open_core(spec: SimulatedCore | Loihi2, seed: int, device: Any) -> Core:
    """Return the core that a spec describes. It is digital: all chips are alike, and `seed` has no effect."""
    return spec.core


@dataclass(frozen=True, kw_only=True)
class SimulatedCore(DeviceSpec):
    """Simulated core. fixed: weights on the chip's grid, decays in 1/4096, states cut towards 0. float: unrounded."""

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
    """An emulated Loihi 2, with the integers of lava's bit-accurate model: `state_bits` of current, which wraps around,
    and of voltage, which is clipped; 12-bit decays; thresholds of 17 bits. Delays have 6 bits.

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
        """Reasons why a network does not fit on one chip or why its neurons are not supported, or None."""
        faults = []
        if demand.neurons > self.cores * self.neurons_per_core:
            room = f"{self.cores} cores of {self.neurons_per_core}"
            faults.append(f"{demand.neurons} neurons are needed; the chip has {room}")
        if demand.synapses > self.synapses:
            room = f"room for {self.synapses}. Use smaller layers"
            faults.append(f"{demand.synapses} synapses are needed; the chip has {room}")
        return "; ".join(filter(None, [*faults, self.core.refuse(demand)])) or None
