"""Spiking cores that learn by e-prop: in floating point and of any size, or an emulated ReckOn.

A core consists of numbers alone: time loops belong to kernels, which take these as arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from neurobench.config.bounds import Bound
from neurobench.devices.spec import Demand, DeviceSpec
from neurobench.metrics.costs import Energy

INPUTS, NEURONS, OUTPUTS = 256, 256, 16  # sizes of ReckOn

Pool = Literal["none", "16x16", "11x11x2"]  # cells whose pixels share an input: columns, rows, polarities

# Keys of a model -> the only value that ReckOn supports, and why.
SUPPORTED: dict[str, tuple[str | None, str]] = {
    "feedback": ("random", "whose feedback stays as drawn"),
    "error": ("difference", "which learns from readout minus target"),
    "v_min": (None, "whose membranes are bounded by membrane_bits alone"),
    "surrogate": ("piecewise_linear", "which approximates that one by a staircase"),
}


class FixedPoint(NamedTuple):
    """The arithmetic of a learning chip. Widths are in bits, sign included."""

    weight_bits: int
    membrane_bits: int
    alpha_bits: int  # fraction of the membrane's decay
    kappa_bits: int  # fraction of the traces' decay
    trace_bits: int  # of inputs and recurrent neurons
    trace_out_bits: int  # of readouts
    stochastic: bool  # updates are rounded up or down at random to whole LSB; else to the nearest
    update_scale: float  # multiplies every update; 1: NEST's learning rate


class LearningCore(NamedTuple):
    pool: Pool
    fixed_point: FixedPoint | None  # None: floating point, nothing is rounded
    simulator: Callable[[dict[str, Any]], Any] | None = None  # builds the network if an external simulator runs it


def open_core(spec: FloatCore | ReckOn, seed: int, device: Any) -> LearningCore:
    """Return the core that a spec describes. It is digital: all chips are alike, and `seed` has no effect."""
    if isinstance(spec, FloatCore):
        return LearningCore(spec.pool, None)
    return LearningCore(spec.pool, FixedPoint(*(getattr(spec, name) for name in FixedPoint._fields)))


@dataclass(frozen=True, kw_only=True)
class FloatCore(DeviceSpec):
    """Floating-point core, in the double or single precision of the model's engine. Nothing is rounded."""

    kind: ClassVar[str] = "learning_core"
    opens: ClassVar[str] = "neurobench.devices.learning_core.specs.open_core"

    pool: Pool


@dataclass(frozen=True, kw_only=True)
class ReckOn(DeviceSpec):
    """An emulated ReckOn: 256 inputs, 256 recurrent neurons, 16 readouts, 8-bit weights; default widths are the chip's.

    Source: Frenkel and Indiveri, "ReckOn: A 28nm sub-mm2 task-agnostic spiking recurrent neural network processor
    enabling on-chip learning over second-long timescales", ISSCC 2022, and its documentation.
    """

    kind: ClassVar[str] = "learning_core"
    opens: ClassVar[str] = "neurobench.devices.learning_core.specs.open_core"
    energy: ClassVar[Energy | str] = Energy(
        "Frenkel and Indiveri, ReckOn, ISSCC 2022, and its documentation: 5.3 pJ a synaptic operation at 0.5 V",
        accumulation=5.3e-12,
    )

    pool: Pool
    weight_bits: Annotated[int, Bound(2, 16)]
    membrane_bits: Annotated[int, Bound(8, 24)]
    alpha_bits: Annotated[int, Bound(4, 15)]
    kappa_bits: Annotated[int, Bound(4, 15)]
    trace_bits: Annotated[int, Bound(6, 16)]
    trace_out_bits: Annotated[int, Bound(6, 16)]
    stochastic: bool
    update_scale: Annotated[float, Bound(0, above=True)]

    def refuse(self, demand: Demand) -> str | None:
        """Reason why a network is too large (inputs are counted before pooling) or needs rules that the chip lacks."""
        inputs, neurons, outputs = demand.layers
        faults = []
        if self.pool == "none" and inputs > INPUTS:
            faults.append(f"{inputs} inputs do not fit {INPUTS} (backend.learning_core.pool=16x16 pools them)")
        if neurons > NEURONS:
            faults.append(f"model.hidden={neurons} neurons do not fit {NEURONS}")
        if outputs > OUTPUTS:
            faults.append(f"{outputs} readouts, one per class, do not fit {OUTPUTS}")
        if faults:
            return f"the chip is too small: {'; '.join(faults)}. Use a smaller network or backend=sim."
        engine, neuron, t_ref = (demand.settings.get(name) for name in ("engine", "neuron", "t_ref"))
        if engine != "minibatch":
            return (
                f"model.engine={engine} computes in floating point like NEST, the chip in whole numbers: set minibatch"
            )
        if neuron != "iaf" or t_ref:
            return f"model.neuron={neuron} with t_ref={t_ref} is not supported by the chip: set iaf, t_ref=0"
        faults = [
            f"model.{name}={demand.settings[name]} is not supported by the chip, {reason}: set {only or 'null'}"
            for name, (only, reason) in SUPPORTED.items()
            if demand.settings.get(name, only) != only
        ]
        return "; ".join(faults) or None
