"""The paired t-test over seeds equals scipy's."""

import math

import pytest
from scipy import stats

from neurobench.metrics.paired import paired_t


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([0.95, 0.97], [0.96, 0.99]),
        ([0.951, 0.962, 0.947], [0.948, 0.957, 0.949]),
        ([0.91, 0.93, 0.92, 0.95, 0.90], [0.94, 0.95, 0.95, 0.97, 0.925]),
        ([0.1 * k for k in range(11)], [0.1 * k + 0.01 * (-1) ** k for k in range(11)]),
    ],
)
def test_the_paired_t_test_equals_scipys(a: list[float], b: list[float]) -> None:
    ours, theirs = paired_t(a, b), stats.ttest_rel(b, a)
    assert ours is not None
    assert (ours.t, ours.p) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-9)
    assert ours.interval == pytest.approx(tuple(theirs.confidence_interval(0.95)), rel=1e-7)
    assert (ours.n, ours.difference) == (len(a), pytest.approx(sum(b) / len(b) - sum(a) / len(a)))


@pytest.mark.parametrize("n", [3, 4, 20, 99, 100])
@pytest.mark.parametrize("ratio", [0.1, 1.0, 3.0, 30.0, 100.0])
def test_a_small_p_is_neither_0_nor_negative_but_scipys(n: int, ratio: float) -> None:
    """Twenty seeds at t = 30 once had p = 0, a hundred a negative one: 1 - P(|T| < t) was only rounding."""
    a = [0.9] * n
    b = [0.9 + 0.01 * (ratio + math.sin(k)) for k in range(n)]
    ours, theirs = paired_t(a, b), stats.ttest_rel(b, a)
    assert ours is not None
    assert ours.p == pytest.approx(theirs.pvalue, rel=1e-6)
    assert 0 < ours.p < 1


@pytest.mark.parametrize("unit", [1e-12, 1e9])
def test_the_paired_t_test_does_not_depend_on_the_unit(unit: float) -> None:
    """Differences of picojoules once counted as rounding, and rounding of gigabytes as differences."""
    a, b = [1.0, 1.2, 1.1], [1.5, 1.6, 1.4]
    ours, scaled = paired_t(a, b), paired_t([unit * x for x in a], [unit * x for x in b])
    assert ours is not None
    assert scaled is not None
    assert scaled.p == pytest.approx(ours.p, rel=1e-6)
    assert paired_t([unit * x for x in a], [unit * (x + 0.1) for x in a]) is None


def test_t_changes_sign_with_the_order_of_the_two_runs() -> None:
    one, other = [0.9, 0.8, 0.95], [0.93, 0.85, 0.96]
    there, back = paired_t(one, other), paired_t(other, one)
    assert there is not None
    assert back is not None
    assert there.t == pytest.approx(-back.t)
    assert there.p == pytest.approx(back.p)


def test_no_t_is_computed_if_all_differences_are_equal() -> None:
    assert paired_t([0.86, 0.91, 0.3], [0.87, 0.92, 0.31]) is None
    assert paired_t([0.5, 0.5], [0.5, 0.5]) is None
