"""Learning-rate schedules: the factor on the largest rate at update k (from 0) of n."""

from __future__ import annotations

import math

_WARM = 0.3  # share of a cycle in which the rate rises; this and the next two as torch's OneCycleLR
_FIRST, _LAST = 1 / 25, 1e-4 / 25  # of the largest rate


def constant(k: float, n: float) -> float:
    return 1.0


def linear(k: float, n: float) -> float:
    """From 1 down to 0, which update n would have."""
    return 1 - k / n


def cosine(k: float, n: float) -> float:
    """Half a cosine from 1 down to 0, which update n would have. Source: torch's CosineAnnealingLR."""
    return (1 + math.cos(math.pi * (k / n))) / 2


def exponential(k: float, n: float, gamma: float, steps: int) -> float:
    """gamma for each of `steps`, over which the n updates are spread. Source: torch's ExponentialLR."""
    return gamma ** (k / n * steps)


def one_cycle(k: float, n: float) -> float:
    """Half a cosine from 1/25 up to 1, half a cosine down to nearly 0. Source: torch's OneCycleLR."""
    top = max(1.0, _WARM * n - 1)
    if k <= top:
        return _between(_FIRST, 1.0, k / top)
    return _between(1.0, _LAST, (k - top) / max(1.0, n - 1 - top))


def _between(a: float, b: float, share: float) -> float:
    return b + (a - b) * (1 + math.cos(math.pi * share)) / 2


FACTORS = {"none": constant, "constant": constant, "linear": linear, "cosine": cosine, "one_cycle": one_cycle}
