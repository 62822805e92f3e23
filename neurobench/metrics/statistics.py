"""Means over samples, and confidence intervals of a proportion or a mean over few seeds."""

import math
import statistics
from collections.abc import Mapping, Sequence


def means(sums: Mapping[str, float], samples: int) -> dict[str, float]:
    """Means of figures summed over samples; the mean of "correct" is called accuracy."""
    return {"accuracy" if name == "correct" else name: value / samples for name, value in sums.items()}


def wilson_interval(correct: int, n: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Interval of a proportion, 95 % by default (Wilson 1927, as in Brown, Cai and DasGupta 2001, eq. 4).

    Stays inside [0, 1], contains the proportion, also to the last bit, and is reliable for small n and proportions near
    1, where the usual +- is not.
    """
    p = correct / n
    centre = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return min(p, max(0.0, (centre - half) / scale)), max(p, min(1.0, (centre + half) / scale))


def t_quantile(df: int) -> float:
    """Quantile t of Student's distribution with `df` degrees of freedom: P(|T| < t) = 0.95."""
    low, high = 1.9, 13.0  # t lies above the first for df = infinity, below the second for df = 1
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle, df) < 0.95 else (low, middle)
    return (low + high) / 2


def within(t: float, df: int) -> float:
    """Probability P(|T| < t), by the finite sums for integer df (Abramowitz and Stegun 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(df))
    term = math.cos(angle) if df % 2 else 1.0
    total = 0.0
    for k in range(df % 2 + 2, df + 1, 2):  # df // 2 terms: 1, or cos; then each times (k - 1) / k cos^2
        total += term
        term *= (k - 1) / k * math.cos(angle) ** 2
    if df % 2:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total


def beyond(t: float, df: int) -> float:
    """Probability P(|T| > t), accurate for any t >= 0, however small it is.

    The sums of `within`, continued without end, amount to 1: what they leave out is summed, since 1 - P(|T| < t) would
    be rounding, 0 or even below 0, from P(|T| > t) = 1e-16 on.
    """
    if t < 1:
        return 1 - within(t, df)
    sine, squared_cosine = t / math.hypot(t, math.sqrt(df)), df / (df + t * t)
    term = math.sqrt(squared_cosine) if df % 2 else 1.0
    for k in range(df % 2 + 2, df + 1, 2):
        term *= (k - 1) / k * squared_cosine
    total, k = 0.0, df + 2
    while term > 1e-17 * total:
        total += term
        term *= (k - 1) / k * squared_cosine
        k += 2
    return sine * total * (2 / math.pi if df % 2 else 1)


def t_interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the mean of at least two values that are drawn from one normal distribution."""
    mean = statistics.fmean(values)
    half = t_quantile(len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return mean - half, mean + half


def welch_interval(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """95 % interval of mean(a) - mean(b) for two normal distributions whose variances may differ; at least two values
    each. The degrees of freedom of Welch and Satterthwaite are rounded down, which widens it."""
    parts = [statistics.variance(values) / len(values) for values in (a, b)]
    # Not fmean, whose result for equal values may differ from these in the last digit
    difference, error = statistics.mean(a) - statistics.mean(b), math.sqrt(sum(parts))
    if error == 0:
        return difference, difference
    freedom = sum(parts) ** 2 / sum(part**2 / (len(values) - 1) for part, values in zip(parts, (a, b), strict=True))
    half = t_quantile(max(1, int(freedom))) * error
    return difference - half, difference + half
