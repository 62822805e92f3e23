"""An emulated BrainScaleS-2 chip for matrix multiplication, the recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from neurobench.config.bounds import Bound
from neurobench.devices.spec import DeviceSpec

if TYPE_CHECKING:
    import torch

    from neurobench.devices.mac.bss2_device import BSS2Device

Spread = Annotated[float, Bound(0, 1)]  # standard deviation / mean


@dataclass(frozen=True)
class BSS2(DeviceSpec):
    """Two arrays with a fixed pattern of their own, and the calibration that tells the host how it behaves.

    The spreads are estimates: they lie between what the demos' figures show of a well calibrated chip
    (column_spread 0.025, synapse_spread 0.03, column_offset 1.0: the backend `mock_anchored`) and worse.
    """

    kind: ClassVar[str] = "mac"

    chip_seed: Annotated[int, Bound(0, 2**31 - 1)] = 0  # which chip; it alone decides the fixed pattern
    mismatch: Annotated[float, Bound(0, 10)] = 1.0  # multiplies the three spreads and the column offset
    gain: Annotated[float, Bound(0, 1, above=True)] = 0.0034  # LSB for x * w = 1 sent once, typical synapse
    noise_std: Annotated[float, Bound(0, 1000)] = 2.0  # LSB, from trial to trial, of one partial sum
    column_spread: Spread = 0.04
    row_spread: Spread = 0.02
    synapse_spread: Spread = 0.05
    column_offset: Annotated[float, Bound(0, 100)] = 2.0  # LSB, sd over columns
    x_offset: Annotated[float, Bound(0, 10)] = 0.0  # what every input but 0 is too strong by; the demos show 1.5 to 2
    calibration: Literal["fit", "compat"] = "fit"  # compat: as hxtorch measures it, with its bias

    energy: ClassVar[str] = (
        "published for one classification of another network alone (192 uJ an electrocardiogram, 276 us: Stradmann et "
        "al., IEEE OJCAS 3, 2022), not for a product"
    )

    def open(self, seed: int, device: torch.device) -> BSS2Device:
        """The calibrated chip. `chip_seed`, not the run's `seed`, is its identity."""
        from neurobench.devices.mac.bss2_device import BSS2Device

        return BSS2Device(self, device)
