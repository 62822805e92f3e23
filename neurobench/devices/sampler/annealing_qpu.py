"""An emulated quantum annealer, the recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from neurobench.config.bounds import Bound, Fault
from neurobench.devices.sampler.topology import CHIPS
from neurobench.devices.spec import Demand, DeviceSpec
from neurobench.metrics.energy import Energy

if TYPE_CHECKING:
    import torch

    from neurobench.devices.sampler.annealing_qpu_device import AnnealingQPUDevice

MOST_READS = 10_000  # a call

ChipName = Literal[
    "Advantage_system4", "Advantage_system6", "Advantage2_system1", "Advantage2_system2", "Advantage2_system4"
]
Spread = Annotated[float, Bound(0, 1)]  # of a programmed coefficient, where the largest coupling is 1
Range = tuple[float, ...]  # [lowest, highest]
Microseconds = Annotated[float, Bound(0)]


@dataclass(frozen=True, kw_only=True)
class AnnealingQPU(DeviceSpec):
    """Programs a problem with errors, and draws from what it has become: p(s) ~ exp(-beta E(s)).

    The problem is scaled into the chip's ranges: multiplied by `prefactor`, then (auto_scale) divided by
    c = max(1, the most that any range is exceeded by). In units of the model the chip draws at
    beta * prefactor / c. Errors act on units as if each were one qubit.

    Ranges, times, errors and their sources: D-Wave's QPU solver datasheet and "Error sources" pages (errors at the
    end of the anneal; those of spreads were measured on the 2X generation), its h-scale and DAC figures included.
    beta = 6.35: D-Wave's example that draws at unit temperature divides a model by 6.35 (Advantage2). That flux noise
    is a draw a call: its slow part, which outlasts a call, is the fixed offset, since a device keeps no random state.
    No figure is published of offset_h, offset_j (half of the spreads) and chain_break: these are estimates.
    """

    kind: ClassVar[str] = "sampler"

    chip: ChipName = "Advantage_system4"
    chip_seed: Annotated[int, Bound(0, 2**31 - 1)] = 0  # which chip; it alone decides the fixed errors
    too_big: Literal["error", "block"] = "error"  # block: tiles that fit, in turn, given the rest
    rounds: Annotated[int, Bound(1)] = 5  # block: visits of each tile from a random start; one from given states

    annealing_time: Annotated[float, Bound(0.5, 2000)] = 20.0  # us
    sweeps_per_us: Annotated[float, Bound(0, above=True)] = 5.0  # Gibbs sweeps that stand for 1 us: 100 an anneal
    beta: Annotated[float, Bound(0, above=True)] = 6.35  # inverse temperature, where the largest coupling is 1
    prefactor: Annotated[float, Bound(0, above=True)] = 1.0  # the problem is multiplied by it
    auto_scale: bool = True  # false: a coefficient out of range is an error
    h_range: Range = (-4.0, 4.0)
    j_range: Range = (-1.0, 1.0)  # extended: [-2, 1]
    coupling_range: Range = (-18.0, 15.0)  # sum of a qubit's couplings

    h_dac: tuple[Spread, ...] = (0.008, 0.0005)  # most that rounding moves the lowest and the highest field
    j_dac: tuple[Spread, ...] = (0.0045, 0.00025)  # and coupling
    sigma_h: Spread = 0.01  # sd of a field's error, drawn at each programming
    sigma_j: Spread = 0.0095  # and of a coupling's
    offset_h: Spread = 0.005  # sd over the chip of a field's fixed error
    offset_j: Spread = 0.005  # and of a coupling's
    flux: Spread = 0.009  # sd of 1/f flux noise on a field, one draw a call
    h_scale_spread: Spread = 0.01  # sd over the chip of a field's gain
    susceptibility: Annotated[float, Bound(-1, 0)] = -0.015  # chi: a field leaks to its neighbours as chi J h

    chain_break: Annotated[float, Bound(0, 0.5)] = 0.01  # probability that a unit's chain is broken in a read
    repair: Literal["majority_vote", "weighted_random", "minimize_energy", "discard"] = "majority_vote"
    readout: Annotated[float, Bound(0, 0.5)] = 0.001  # probability that a unit is read wrongly

    programming_time: Microseconds = 14100.0  # us
    readout_time: Microseconds = 150.0  # us a read; 17 to 235 by the number of qubits
    delay_time: Microseconds = 20.5  # us a read

    energy: ClassVar[Energy | str] = Energy(
        "D-Wave, in IEEE Spectrum, 'How much power will quantum computing need?', 2015: slightly less than 25 kW, "
        "refrigerator and servers included, and about that for generations to come; times the access time",
        power=25e3,
    )

    def conflicts(self) -> list[Fault]:
        faults = []
        for name in ("h_range", "j_range", "coupling_range"):
            value = getattr(self, name)
            if not (len(value) == 2 and value[0] < 0 < value[1]):
                faults.append((name, f"={list(value)} is not [lowest, highest] with 0 between them"))
        for name in ("h_dac", "j_dac"):
            if len(getattr(self, name)) != 2:
                faults.append((name, f"={list(getattr(self, name))} is not [at the lowest, at the highest value]"))
        return faults

    @property
    def sweeps(self) -> int:
        return max(1, round(self.annealing_time * self.sweeps_per_us))

    def refuse(self, demand: Demand) -> str | None:
        """Machines of two layers that are too large, unless they are drawn in tiles."""
        misfit = CHIPS[self.chip].misfit(*demand.layers)
        if misfit is None or self.too_big == "block":
            return None
        return (
            f"{misfit}. Set backend.sampler.too_big=block to draw tiles that fit in turn, or make the model smaller: "
            "13x13 = 169 pixels and 128 hidden units fit (model.downsample=13 model.n_hidden=128)."
        )

    def open(self, seed: int, device: torch.device) -> AnnealingQPUDevice:
        """The chip. `chip_seed`, not the run's `seed`, is its identity."""
        from neurobench.devices.sampler.annealing_qpu_device import AnnealingQPUDevice

        return AnnealingQPUDevice(self)
