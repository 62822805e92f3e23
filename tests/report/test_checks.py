"""Tests of the checks that a row can fail: against another row, seed by seed, and against runs of the original."""

import numpy as np
import pytest
from scipy import stats

from neurobench.config.evidence import Relation
from neurobench.metrics.statistics import welch_interval
from neurobench.report.checks import against_original, against_row

WITHIN = Relation("other", "within", 0.03)


def test_welch_interval_contains_scipys_because_its_degrees_of_freedom_are_rounded_down() -> None:
    random = np.random.default_rng(0)
    for n, m in ((2, 2), (3, 12), (12, 10)):
        a, b = random.normal(0, 1, n).tolist(), random.normal(0.5, 3, m).tolist()
        theirs = stats.ttest_ind(a, b, equal_var=False).confidence_interval()
        low, high = welch_interval(a, b)
        assert low <= theirs.low <= theirs.high <= high
        if n == 12:
            assert (low, high) == pytest.approx((theirs.low, theirs.high), rel=0.02)
    assert welch_interval([1.0, 1.0], [0.5, 0.5]) == (0.5, 0.5)


def test_against_original_detects_a_shift_and_passes_equal_distributions_19_times_in_20() -> None:
    random = np.random.default_rng(1)
    same = [against_original(random.normal(0, 1, 10).tolist(), random.normal(0, 1, 12).tolist()) for _ in range(400)]
    passed = sum(one.verdict == "consistent" for one in same) / 400
    assert passed == pytest.approx(0.95, abs=0.035)
    moved = [against_original(random.normal(0, 1, 10).tolist(), random.normal(2, 1, 12).tolist()) for _ in range(50)]
    assert sum(one.verdict == "OUT" for one in moved) >= 45
    assert against_original([1.0, 2.0], [1.5]).verdict == "undecided"


def test_equal_runs_of_both_sides_are_consistent_whatever_their_number() -> None:
    """A mean of equal values may differ from them in the last digit, and did so for 7 and 3 runs of 0.003."""
    assert all(
        against_original([k / 1000] * n, [k / 1000] * m)[:2] == ("consistent", 0)
        for k in range(1, 1000)
        for n, m in ((7, 3), (2, 10))
    )


def test_the_relation_within_is_an_equivalence_test_over_common_seeds() -> None:
    theirs = {seed: 0.9 + 0.01 * seed for seed in range(5)}

    def verdict(*shifts: float) -> str:
        return against_row(WITHIN, {seed: theirs[seed] + shift for seed, shift in enumerate(shifts)}, theirs).verdict

    assert verdict(0.001, -0.001, 0.002, 0.0, -0.002) == "within"
    assert verdict(0.05, 0.051, 0.049, 0.05, 0.052) == "OUT"
    assert verdict(-0.05, -0.051, -0.049, -0.05, -0.052) == "OUT"
    assert verdict(0.0, 0.06, -0.05, 0.03, -0.02) == "undecided", "paired: the spread of the differences decides"
    assert verdict(0.0) == "undecided"
    assert against_row(WITHIN, {9: 0.9, 8: 0.9}, theirs).n == (0, 0), "no seed in common"


def test_the_relation_equal_requires_equal_values_at_every_seed() -> None:
    equal = Relation("other", "equal")
    assert against_row(equal, {0: 0.5, 1: 0.25}, {0: 0.5, 1: 0.25, 2: 0.9}).verdict == "equal"
    assert against_row(equal, {0: 0.5, 1: 0.25}, {0: 0.25, 1: 0.5}).verdict == "OUT", "equal means are not enough"
    assert against_row(equal, {}, {0: 0.5}).verdict == "undecided"
