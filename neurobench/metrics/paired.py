"""Tests of two classifiers on the same samples, or of two settings over the same seeds: whether one is better than
expected by chance."""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from neurobench.metrics.statistics import beyond, t_interval

FLAT = 1e-12  # spread of differences that is only rounding, relative to the largest figure
FEW = 25  # discordant samples below which the binomial distribution itself is summed


class PairedTest(NamedTuple):
    """McNemar's test of B against A."""

    n: int  # samples that both were tested on
    only_a: int  # of them, those that only A classifies correctly
    only_b: int
    difference: float  # accuracy of B minus that of A
    interval: tuple[float, float]  # 95 %, of the difference
    p: float  # probability of a split of the discordant samples at least as uneven, if both were equally good
    exact: bool  # p is the binomial distribution's, else that of chi squared with the continuity correction


def paired_test(right_a: Sequence[bool], right_b: Sequence[bool]) -> PairedTest:
    """McNemar's test. right_a, right_b: (N,) whether each sample was classified correctly, N at least 1."""
    pairs = list(zip(right_a, right_b, strict=True))
    only_a, only_b = sum(a and not b for a, b in pairs), sum(b and not a for a, b in pairs)
    difference, exact = (only_b - only_a) / len(pairs), only_a + only_b < FEW
    p = exact_p(only_a, only_b) if exact else chi_squared_p(only_a, only_b)
    return PairedTest(len(pairs), only_a, only_b, difference, difference_interval(only_a, only_b, len(pairs)), p, exact)


def exact_p(only_a: int, only_b: int) -> float:
    """Two-sided p: twice the tail of a fair coin's tosses, at most 1 (McNemar 1947)."""
    tosses = only_a + only_b
    tail = sum(math.comb(tosses, k) for k in range(min(only_a, only_b) + 1))
    return min(1.0, 2 * tail / 2**tosses)


def chi_squared_p(only_a: int, only_b: int) -> float:
    """Chi squared p, one degree of freedom, Edwards' continuity correction (1948): P(X > x) = erfc(sqrt(x / 2))."""
    statistic = max(0, abs(only_a - only_b) - 1) ** 2 / (only_a + only_b)
    return math.erfc(math.sqrt(statistic / 2))


def difference_interval(only_a: int, only_b: int, n: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """95 % interval of the difference of two paired proportions: Wald's, with half a sample added to each of the four
    cells (Agresti and Min 2005, eq. 3), so that it does not shrink to a point if they never disagree."""
    a, b, n = only_a + 0.5, only_b + 0.5, n + 2
    middle = (b - a) / n
    half = z * math.sqrt(a + b - (b - a) ** 2 / n) / n
    return max(-1.0, middle - half), min(1.0, middle + half)


class PairedT(NamedTuple):
    """Student's paired t-test of B against A."""

    n: int  # pairs
    difference: float  # mean of B - A
    interval: tuple[float, float]  # 95 %, of the difference
    t: float
    p: float  # two-sided


def paired_t(a: Sequence[float], b: Sequence[float]) -> PairedT | None:
    """Paired t-test. a, b: (N,) figures of two settings with the same seeds, N at least 2. None if all differences are
    equal: they have no spread to compare their mean with."""
    differences = [y - x for x, y in zip(a, b, strict=True)]
    mean, spread, n = statistics.fmean(differences), statistics.stdev(differences), len(differences)
    if spread <= FLAT * max(map(abs, (*a, *b))):
        return None
    t = mean / (spread / math.sqrt(n))
    return PairedT(n, mean, t_interval(differences), t, beyond(abs(t), n - 1))


def holm(p: Sequence[float]) -> list[float]:
    """p values of several tests, corrected so that the chance of a false positive among them stays below the level
    (Holm 1979); in the order given."""
    ranked = sorted(range(len(p)), key=p.__getitem__)
    corrected, largest = [0.0] * len(p), 0.0
    for rank, index in enumerate(ranked):
        largest = max(largest, min(1.0, (len(p) - rank) * p[index]))
        corrected[index] = largest
    return corrected
