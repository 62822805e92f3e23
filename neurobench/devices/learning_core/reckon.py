"""A chip like ReckOn that learns by e-prop with 8-bit weights, the recipe.

Source: Frenkel and Indiveri, "ReckOn: A 28nm sub-mm2 task-agnostic spiking recurrent neural network processor enabling
on-chip learning over second-long timescales", ISSCC 2022, and its documentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from neurobench.config.bounds import Bound
from neurobench.devices.learning_core.protocol import FixedPoint
from neurobench.devices.spec import Demand, DeviceSpec
from neurobench.metrics.energy import Energy

if TYPE_CHECKING:
    import torch

    from neurobench.devices.learning_core.learning_core_device import LearningCoreDevice

INPUTS, NEURONS, OUTPUTS = 256, 256, 16
CELLS = {"16x16": 256, "11x11x2": 242}


@dataclass(frozen=True)
class ReckOn(DeviceSpec):
    """256 inputs, 256 recurrent neurons, 16 readouts. The widths are the chip's."""

    kind: ClassVar[str] = "learning_core"

    pool: Literal["none", "16x16", "11x11x2"] = "16x16"  # cells into which pixels are pooled; none: one input a pixel
    weight_bits: Annotated[int, Bound(2, 16)] = 8
    membrane_bits: Annotated[int, Bound(8, 24)] = 16
    alpha_bits: Annotated[int, Bound(4, 15)] = 15  # fraction of the membrane's decay
    kappa_bits: Annotated[int, Bound(4, 15)] = 7  # fraction of the traces' decay
    trace_bits: Annotated[int, Bound(6, 16)] = 12
    trace_out_bits: Annotated[int, Bound(6, 16)] = 10
    stochastic: bool = True  # an update is a chance of one LSB; else it is rounded to whole LSB
    update_scale: Annotated[float, Bound(0, above=True)] = 1.0  # multiplies every update; 1: NEST's learning rate

    energy: ClassVar[Energy | str] = Energy(
        "Frenkel and Indiveri, ReckOn, ISSCC 2022, and its documentation: 5.3 pJ a synaptic operation at 0.5 V",
        accumulation=5.3e-12,
    )

    @property
    def fixed_point(self) -> FixedPoint:
        """The numbers that it computes with."""
        widths = self.weight_bits, self.membrane_bits, self.alpha_bits, self.kappa_bits
        return FixedPoint(*widths, self.trace_bits, self.trace_out_bits, self.stochastic, self.update_scale)

    def refuse(self, demand: Demand) -> str | None:
        """Networks that do not fit on the chip (inputs are counted before pooling), and rules that it does not have."""
        inputs, neurons, outputs = demand.layers
        faults = []
        if self.pool == "none" and inputs > INPUTS:
            faults.append(f"{inputs} inputs do not fit {INPUTS}; pool them with backend.learning_core.pool=16x16")
        if neurons > NEURONS:
            faults.append(f"model.hidden={neurons} neurons do not fit {NEURONS}")
        if outputs > OUTPUTS:
            faults.append(f"{outputs} readouts do not fit {OUTPUTS}")
        if faults:
            return f"the chip is too small: {'; '.join(faults)}, or take backend=sim."
        return self._refuse_rule(**demand.settings)

    def _refuse_rule(self, engine: str, neuron: str, t_ref: int) -> str | None:
        if engine != "minibatch":
            return f"model.engine={engine} is NEST's floating point, the chip has whole numbers: minibatch"
        if neuron != "iaf" or t_ref:
            return f"model.neuron={neuron} with t_ref={t_ref} is not what the chip has: iaf, t_ref=0"
        return None

    def open(self, seed: int, device: torch.device) -> LearningCoreDevice:
        from neurobench.devices.learning_core.learning_core_device import LearningCoreDevice

        return LearningCoreDevice(self.pool, self.fixed_point)
