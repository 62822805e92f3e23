"""Random numbers as a function of a key and a counter.

A draw has no history: draw c under key (k0, k1) is a hash of the three, so any thread can make any draw, a
resumed run repeats an uninterrupted one, and numba and PyTorch produce the same numbers.
"""

from __future__ import annotations

import zlib
from math import prod
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_MASK64 = (1 << 64) - 1

# The multipliers and shifts are those of Chris Wellons' "triple32" (public domain), whose bias is the smallest
# known of a 32-bit hash of three rounds: https://nullprogram.com/blog/2018/07/31/
ROUNDS = ((17, 0xED5AD4BB), (11, 0xAC4C1B51), (15, 0x31848BAB))
LAST_SHIFT = 14


def derive(seed: int, *path: int) -> int:
    """Derive a 63-bit seed for one purpose (a call, an update, a sweep) from a seed and the purpose's numbers.

    SplitMix64's output function, folded over the path. Source: Steele, Lea, Flood (2014).
    """
    z = seed & _MASK64
    for number in (*path, len(path)):
        z = (z + (number + 1) * 0x9E3779B97F4A7C15) & _MASK64
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK64
        z ^= z >> 31
    return z >> 1


def fingerprint(x: Tensor) -> int:
    """32-bit checksum of all bytes of x, so that the same samples meet the same draws."""
    return zlib.crc32(x.cpu().contiguous().numpy().tobytes())


def key_of(seed: int) -> tuple[int, int]:
    """Key of a kernel's draws: two 32-bit words."""
    z = derive(seed)
    return z & 0xFFFFFFFF, z >> 32


def kernel_key(seed: int) -> tuple[np.uint32, np.uint32]:
    """`key_of` in the type that compiled kernels take."""
    k0, k1 = key_of(seed)
    return np.uint32(k0), np.uint32(k1)


def uniforms(seed: int, shape: tuple[int, ...], device: torch.device | str = "cpu") -> Tensor:
    """Uniform draws, float32 in [0, 1) in steps of 2^-24, in row order: draw c is hash32(c, key_of(seed)) / 2^32, cut.

    PyTorch version of the kernels' draws; 64-bit integers represent the 32-bit ones.
    """
    import torch

    k0, k1 = key_of(seed)
    x = torch.arange(prod(shape), dtype=torch.int64, device=device) ^ k0
    for turn, (shift, factor) in enumerate(ROUNDS):
        x = x ^ (x >> shift)
        low, high = x * (factor & 0xFFFF), x * (factor >> 16)  # by halves, so that 64 bits do not overflow
        x = (low + ((high & 0xFFFF) << 16)) & 0xFFFFFFFF
        if turn == 0:
            x = (x + k1) & 0xFFFFFFFF
    x = x ^ (x >> LAST_SHIFT)
    return ((x >> 8).to(torch.float32) * 2.0**-24).reshape(shape)
