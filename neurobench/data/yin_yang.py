"""The Yin-Yang symbol: a disc of radius R about (R, R), parted by two half discs of radius R/2, each with a dot.

Which class a point has, one by one and as a table over the square. Kriener, Göltz, Petrovici, "The Yin-Yang dataset",
arXiv:2102.08211. The class numbers are those of its code, which calls index 0 yin although its own yin test gives 1.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

DOT, OUTSIDE, BOUNDARY = 2, 3, 4  # besides classes 0 and 1
CELLS = 512  # of the table, along one side


class Shape(NamedTuple):
    """The symbol's two radii: 2 r < R, and the square [0, 2R]^2 lies in [0, 1]^2."""

    r_small: float  # r, of a dot
    r_big: float  # R, of the disc

    def areas(self) -> tuple[float, float, float]:
        """The part of the square that each class covers."""
        dots = 2 * math.pi * self.r_small**2 / (2 * self.r_big) ** 2
        rest = (math.pi / 4 - dots) / 2
        return rest, rest, dots


def classify(shape: Shape, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x, y: (N,) float64 -> (N,) uint8: 0, 1, DOT or OUTSIDE."""
    r, R = shape
    row = (y - R) ** 2
    right = np.sqrt((x - 1.5 * R) ** 2 + row)  # distance to the centre of the right dot
    left = np.sqrt((x - 0.5 * R) ** 2 + row)
    one = (right <= r) | ((left > r) & (left <= 0.5 * R)) | ((y > R) & (right > 0.5 * R))
    classes = one.astype(np.uint8)
    classes[(right < r) | (left < r)] = DOT
    classes[np.sqrt((x - R) ** 2 + row) > R] = OUTSIDE
    return classes


@lru_cache(maxsize=4)
def class_table(shape: Shape) -> np.ndarray:
    """(CELLS * CELLS,) uint8, x slowest: the class of every point of a cell, or BOUNDARY where they differ."""
    r, R = shape
    side = 2 * R / CELLS
    low = np.arange(CELLS) * side
    x, y = (axis.ravel() for axis in np.meshgrid(low, low, indexing="ij"))
    table = classify(shape, x + side / 2, y + side / 2)
    slack = 1e-9  # far above rounding, far below a cell
    for centre, radius in ((R, R), (1.5 * R, 0.5 * R), (0.5 * R, 0.5 * R), (1.5 * R, r), (0.5 * R, r)):
        near, far = _distances(x - centre, y - R, side)
        table[(near - slack <= radius) & (radius <= far + slack)] = BOUNDARY
    table[(y - slack <= R) & (y + side + slack >= R)] = BOUNDARY
    table.flags.writeable = False
    return table


def _distances(x: np.ndarray, y: np.ndarray, side: float) -> tuple[np.ndarray, np.ndarray]:
    """From the origin to the nearest and to the farthest point of squares whose lower corners are (x, y)."""
    near = np.hypot(np.maximum(0, np.maximum(x, -x - side)), np.maximum(0, np.maximum(y, -y - side)))
    far = np.hypot(np.maximum(abs(x), abs(x + side)), np.maximum(abs(y), abs(y + side)))
    return near, far
