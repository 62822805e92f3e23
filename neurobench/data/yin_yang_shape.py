"""The Yin-Yang symbol: a disc of radius R about (R, R), parted by two half discs of radius R/2, each with a dot.

Kriener, Göltz, Petrovici, "The Yin-Yang dataset", arXiv:2102.08211.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from neurobench.config.bounds import Bound, Fault
from neurobench.config.spec import Record


@dataclass(frozen=True)
class YinYangShape(Record):
    """Its two radii. Two shapes with the same radii are the same shape."""

    # Below a thousandth, drawing one dot by rejection would take hundreds of thousands of points.
    r_small: Annotated[float, Bound(0.001)] = 0.1  # r
    # The square [0, 2R]^2 must lie in [0, 1]^2, because the features are x, y, 1 - x and 1 - y.
    r_big: Annotated[float, Bound(0, 0.5, above=True)] = 0.5  # R

    def conflicts(self) -> list[Fault]:
        if 2 * self.r_small >= self.r_big:
            fault = f"={self.r_small} is not below half of r_big={self.r_big}; the dots would not fit"
            return [("r_small", fault)]
        return []

    def shares(self) -> tuple[float, float, float]:
        """The part of the square that each class covers."""
        dots = 2 * math.pi * self.r_small**2 / (2 * self.r_big) ** 2
        rest = (math.pi / 4 - dots) / 2
        return rest, rest, dots
