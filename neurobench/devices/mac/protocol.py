"""What an analog matrix multiplier does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from torch import Tensor


class Products(NamedTuple):
    """The answer of an analog matrix multiplier."""

    y: Tensor  # (B, O) float32, whole numbers in [-128, 127]: LSB of the read-out
    cost: Mapping[str, float]  # vectors: B; sends: how often a vector was sent for them


class AnalogMac(Protocol):
    """Multiplies matrices of small integers in the analog domain, and digitises the products to 8 bits."""

    gain: float  # of the host's linear model of this device: LSB of the read-out for x * w = 1 sent once
    noise_std: float  # LSB, of one partial sum, in the same model
    identity: Mapping[str, Any]  # what tells this chip from another one; empty where there is no chip
    calibration: Mapping[str, float]  # what was measured of the chip; empty where there is none

    def matmul(self, x: Tensor, w: Tensor, num_sends: int, seed: int) -> Products:
        """(B, I) @ (I, O) -> (B, O), or (I,) @ (I, O) -> (O,).

        x is rounded to [0, 31] and w to [-63, 63]; outside is an error. Each input is sent `num_sends` times.
        """
        ...

    def host(self) -> AnalogMac:
        """The linear model of this device with what was measured of it; an ideal device is its own model."""
        ...
