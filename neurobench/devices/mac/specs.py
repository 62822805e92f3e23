"""Specs of analog matrix multiplication on BrainScaleS-2: its linear model, or an emulated chip."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from neurobench.config.bounds import Bound
from neurobench.devices.spec import DeviceSpec

Gain = Annotated[float, Bound(0, 1, above=True)]  # LSB for x * w = 1 sent once
Noise = Annotated[float, Bound(0, 1000)]  # LSB
Spread = Annotated[float, Bound(0, 1)]  # standard deviation / mean


@dataclass(frozen=True, kw_only=True)
class LinearMac(DeviceSpec):
    """The linear model of BrainScaleS-2, as in hxtorch's mock mode.

    The tutorial prints num_sends 20 and 4; every gain in [0.003367, 0.003544) gives these values, 0.0034 included.
    """

    kind: ClassVar[str] = "mac"
    opens: ClassVar[str] = "neurobench.devices.mac.sim_linear.LinearModel"

    gain: Gain
    noise_std: Noise


@dataclass(frozen=True, kw_only=True)
class BSS2(DeviceSpec):
    """An emulated chip: two arrays with a fixed pattern each, and the calibration from which the host models them.

    The spreads are estimates. Those of a well calibrated chip in the demos' figures are a lower bound
    (column_spread 0.025, synapse_spread 0.03, column_offset 1.0: the backend `mock_anchored`).
    """

    kind: ClassVar[str] = "mac"
    opens: ClassVar[str] = "neurobench.devices.mac.mock_bss2.Chip"
    energy: ClassVar[str] = (
        "published for one classification of another network alone (192 uJ an electrocardiogram, 276 us: Stradmann et "
        "al., IEEE OJCAS 3, 2022), not for a product"
    )

    chip_seed: Annotated[int, Bound(0, 2**31 - 1)]
    mismatch: Annotated[float, Bound(0, 10)]
    gain: Gain  # of a typical synapse
    noise_std: Noise  # of one partial sum
    column_spread: Spread
    row_spread: Spread
    synapse_spread: Spread
    column_offset: Annotated[float, Bound(0, 100)]  # LSB
    x_offset: Annotated[float, Bound(0, 10)]
    calibration: Literal["fit", "compat"]
