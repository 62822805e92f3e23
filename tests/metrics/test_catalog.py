"""Catalogue of metrics: one unit and one direction per name, wherever it is printed or used by a search."""

import pytest
from scipy import stats

from neurobench.metrics.catalog import UNKNOWN, larger_is_better, mean_interval, metric, printed, printed_change


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("accuracy", "97.00 ± 1.41 %"),
        ("test_accuracy", "97.00 ± 1.41 %"),
        ("readout_validation_accuracy", "97.00 ± 1.41 %"),
        ("accuracy_at_100_shots", "97.00 ± 1.41 %"),
        ("best_validation_accuracy_of_first_epochs", "97.00 ± 1.41 %"),
        ("accuracy_lost_at_100_shots", "0.97 ± 0.014"),
        ("published_accuracy_percent", "0.97 ± 0.014"),
        ("validation_loss", "0.97 ± 0.014"),
        ("inaccuracy", "0.97 ± 0.014"),
    ],
)
def test_proportions_are_printed_in_per_cent_and_other_metrics_unscaled(name: str, text: str) -> None:
    assert printed(name, 0.97, 0.0141421) == text


def test_a_metric_that_is_no_proportion_has_five_significant_digits_by_default() -> None:
    assert printed("validation_loss", 0.123456789) == "0.12346"
    assert printed("validation_loss", 0.123456789, digits=2) == "0.12"


def test_a_mean_is_not_rounded_more_coarsely_than_its_deviation() -> None:
    """As in "1.2346e+06 ± 2.1"."""
    assert printed("effective_macs", 1234567.891, 2.123) == "1234567.9 ± 2.1"
    assert printed("footprint_bytes", 1234567, 0.0) == "1.2346e+06 ± 0"
    assert printed("test_loss", -0.0583, 0.00191) == "-0.0583 ± 0.0019"


def test_a_change_of_a_proportion_is_printed_in_percentage_points() -> None:
    assert printed_change("test_accuracy", 0.0031) == "+0.31 points"
    assert printed_change("train_loss", -0.0031) == "-0.0031"


@pytest.mark.parametrize(
    ("name", "larger"),
    [
        ("validation_accuracy", True),
        ("accuracy_at_1_shots", True),
        ("gain_over_classical", True),
        ("validation_loss", False),
        ("validation_reconstruction_mse", False),
        ("accuracy_lost_at_100_shots", False),
        ("nest_test_error", False),
        ("energy_joules", False),
        ("a_name_that_nobody_listed", False),
    ],
)
def test_larger_is_better_for_accuracies_and_gains_but_not_for_other_metrics(name: str, larger: bool) -> None:
    assert larger_is_better(name) == larger


def test_an_estimates_error_and_an_unlisted_metric_have_no_unit_or_direction() -> None:
    assert metric("calibrated_gain_error") == metric("parameters") == UNKNOWN


def test_the_interval_of_a_mean_is_students_and_that_of_a_proportion_is_clipped_to_0_and_1() -> None:
    wide, narrow = [0.1, 0.9], [0.85, 0.86]
    assert mean_interval("test_accuracy", wide) == (0, 1)
    for name, values in (("test_accuracy", narrow), ("test_loss", wide)):
        students = stats.t.interval(0.95, 1, sum(values) / 2, stats.sem(values))
        assert mean_interval(name, values) == pytest.approx(students)
