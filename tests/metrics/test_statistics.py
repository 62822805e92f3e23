"""Confidence interval of a mean."""

import pytest

from neurobench.metrics.statistics import t_interval, t_quantile


@pytest.mark.parametrize(
    ("df", "t"), [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (9, 2.2622), (10, 2.2281), (30, 2.0423)]
)  # fmt: skip
def test_t_quantiles_equal_those_of_printed_tables(df: int, t: float) -> None:
    assert t_quantile(df) == pytest.approx(t, abs=6e-5)


def test_t_quantiles_equal_scipys() -> None:
    stats = pytest.importorskip("scipy.stats")
    assert [t_quantile(df) for df in range(1, 60)] == pytest.approx(list(stats.t.ppf(0.975, range(1, 60))), rel=1e-9)


def test_the_interval_of_three_seeds_matches_a_hand_computation() -> None:
    """Mean 2, sd 1: 2 +- 4.3027 / sqrt(3)"""
    assert t_interval([1.0, 2.0, 3.0]) == pytest.approx((2 - 2.48414, 2 + 2.48414), abs=1e-4)
    assert t_interval([2.0, 4.0, 6.0]) == pytest.approx((4 - 4.96828, 4 + 4.96828), abs=1e-4), "twice as wide"
