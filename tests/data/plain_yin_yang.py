"""The published way to draw Yin-Yang samples, one number at a time: the reference for the fast generator."""

import math

import numpy as np


def class_of(x: float, y: float, r: float, R: float) -> int | None:
    """Class of a point, or None outside the disc."""
    if math.dist((x, y), (R, R)) > R:
        return None
    right, left = math.dist((x, y), (1.5 * R, R)), math.dist((x, y), (0.5 * R, R))
    if min(right, left) < r:
        return 2
    if right <= r or r < left <= R / 2:
        return 1
    return 1 if y > R and right > R / 2 else 0


def plain_draw(random: np.random.RandomState, n: int, r: float, R: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw (n, 4) float32 samples and their (n,) classes."""
    samples, labels = [], []
    for _ in range(n):
        goal = random.randint(3)
        while True:
            x, y = random.rand(2) * 2.0 * R
            if class_of(x, y, r, R) == goal:
                break
        samples.append((x, y, 1 - x, 1 - y))
        labels.append(goal)
    return np.array(samples).astype(np.float32).reshape(-1, 4), np.array(labels, np.int64)
