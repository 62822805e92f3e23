"""The paired t-test over seeds equals scipy's."""

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
