"""Paired tests: McNemar's p agrees with scipy's distributions, Holm's rule with a hand computation, and the interval
contains the true difference as often as it states."""

from itertools import product
from math import comb

import pytest
from scipy import stats

from neurobench.metrics.paired import chi_squared_p, difference_interval, exact_p, holm, paired_test


def test_the_exact_p_of_few_discordant_samples_is_that_of_fair_coin_tosses() -> None:
    for a, b in [(0, 1), (3, 9), (12, 12), (0, 24), (17, 4)]:
        assert exact_p(a, b) == pytest.approx(stats.binomtest(a, a + b, 0.5).pvalue)
    assert exact_p(1, 7) == pytest.approx(2 * (1 + 8) / 2**8), "by hand"
    assert exact_p(0, 0) == 1


def test_the_p_of_many_discordant_samples_is_chi_squared_with_continuity_correction() -> None:
    # Agresti, Categorical Data Analysis, table 10.1: 150 and 86 of 1600 changed their minds.
    assert chi_squared_p(150, 86) == pytest.approx(stats.chi2.sf(63**2 / 236, 1))
    assert chi_squared_p(150, 86) == pytest.approx(4.115e-5, rel=1e-3)
    assert chi_squared_p(40, 40) == 1


def test_discordant_samples_are_counted_and_their_number_chooses_the_test() -> None:
    a = [True] * 5 + [True] * 3 + [False] * 9 + [False] * 3
    b = [True] * 5 + [False] * 3 + [True] * 9 + [False] * 3
    test = paired_test(a, b)
    assert (test.n, test.only_a, test.only_b, test.difference, test.exact) == (20, 3, 9, 0.3, True)
    assert test.p == pytest.approx(stats.binomtest(3, 12, 0.5).pvalue)
    many = paired_test(a * 10, b * 10)
    assert not many.exact
    assert many.p == pytest.approx(stats.chi2.sf(59**2 / 120, 1))


@pytest.mark.parametrize(("discordant", "exact"), [(24, True), (25, False)])
def test_the_approximation_is_used_from_25_discordant_samples_on(discordant: int, exact: bool) -> None:
    test = paired_test([True] * 30, [False] * discordant + [True] * (30 - discordant))
    assert test.exact == exact


def test_holms_correction_matches_a_hand_computation() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.6, 0.7]) == [1, 1, 1], "a probability"
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


def test_the_interval_contains_the_true_difference_about_95_times_in_100() -> None:
    """Every outcome of 30 samples is weighted by its probability."""
    n = 30
    for p_a, p_b in [(0.05, 0.05), (0.1, 0.25), (0.02, 0.2)]:
        covered = 0.0
        for a, b in product(range(n + 1), repeat=2):
            if a + b <= n:
                low, high = difference_interval(a, b, n)
                chance = comb(n, a) * comb(n - a, b) * p_a**a * p_b**b * (1 - p_a - p_b) ** (n - a - b)
                covered += chance * (low <= p_b - p_a <= high)
        assert 0.935 < covered < 0.995


def test_the_interval_changes_sign_with_the_order_and_is_never_a_single_point() -> None:
    low, high = difference_interval(3, 9, 100)
    assert difference_interval(9, 3, 100) == pytest.approx((-high, -low))
    low, high = difference_interval(0, 0, 100)
    assert low == -high < 0


def test_the_interval_matches_a_hand_computation_and_stays_within_minus_1_and_1() -> None:
    """Agresti and Min: 3 and 9 among 100 become 3.5 and 9.5 among 102."""
    middle = 6 / 102
    half = stats.norm.ppf(0.975) * ((3.5 + 9.5) / 102 - middle**2) ** 0.5 / 102**0.5
    assert difference_interval(3, 9, 100) == pytest.approx((middle - half, middle + half))
    assert difference_interval(0, 1, 1)[1] == 1
    assert difference_interval(1, 0, 1)[0] == -1
