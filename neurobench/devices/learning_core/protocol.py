"""The arithmetic of a core that learns. It holds numbers alone: the loops over time belong to kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch

    from neurobench.devices.learning_core.specs import FloatCore, ReckOn


class FixedPoint(NamedTuple):
    """The arithmetic of a learning chip, as numbers for a kernel. Widths are in bits, sign included."""

    weight_bits: int
    membrane_bits: int
    alpha_bits: int  # fraction of the membrane's decay
    kappa_bits: int  # fraction of the traces' decay
    trace_bits: int  # of inputs and recurrent neurons
    trace_out_bits: int  # of readouts
    stochastic: bool  # an update is a chance of one LSB; else it is rounded
    update_scale: float  # multiplies every update; 1: NEST's learning rate


class LearningCore(NamedTuple):
    """A spiking core that learns on the chip. It is digital: each is like the other, and no seed makes a difference."""

    pool: str  # how pixels become inputs: "none", "16x16" or "11x11x2" cells (columns, rows, polarities)
    fixed_point: FixedPoint | None  # None: floating point, nothing is rounded


def open_float_core(spec: FloatCore, seed: int, device: torch.device) -> LearningCore:
    return LearningCore(spec.pool, None)


def open_reckon(spec: ReckOn, seed: int, device: torch.device) -> LearningCore:
    return LearningCore(spec.pool, FixedPoint(*(getattr(spec, name) for name in FixedPoint._fields)))
