"""An independent model of the chip's arithmetic, in plain numpy with integers of 64 bits: dense, slow."""

import numpy as np


def decayed(x: np.ndarray, share: int) -> np.ndarray:
    return np.sign(x) * (np.abs(x) * share // 4096)


def layer(x: np.ndarray, m: np.ndarray, i_decay: int, v_decay: int, mantissa: int, delay: np.ndarray) -> np.ndarray:
    """Arrivals (T, N, C) of a layer: x (T, N, I) in {0, 1}, m (C, I) mantissas."""
    return neurons(np.stack([step @ m.T for step in x]), i_decay, v_decay, mantissa, delay)


def neurons(sums: np.ndarray, i_decay: int, v_decay: int, mantissa: int, delay: np.ndarray) -> np.ndarray:
    """Arrivals (T, N, C) by sums (T, N, C) of mantissas. 24 bits, lava's order of operations."""
    steps, n, width = sums.shape
    u, v = np.zeros((n, width), np.int64), np.zeros((n, width), np.int64)
    y = np.zeros((steps, n, width), np.int64)
    for t in range(steps):
        u = decayed(u, 4096 - i_decay) + (sums[t] << 6)
        u = np.where(u > 2**23, u - 2**24, np.where(u <= -(2**23), u + 2**24, u))
        v = np.clip(decayed(v, 4096 - v_decay) + u, -(2**23) + 1, 2**23 - 1)
        s = v > mantissa << 6
        v = np.where(s, 0, v)
        for c, d in enumerate(delay):
            if t + 1 + d < steps:
                y[t + 1 + d, :, c] = s[:, c]
    return y
