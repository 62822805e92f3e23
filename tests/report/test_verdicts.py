"""Tests of a row's verdict and numbers against closed forms: whether it is in its band, whether it is a result."""

from typing import Any

import pytest
from scipy import stats

from neurobench.config.schema import Row
from neurobench.report.table import ResultRow


def row(
    *values: float, band: Any = (None, None), published: float | None = None, scale: str | None = "paper", **data: Any
) -> ResultRow:
    """Row with one run for each value, of seeds 3, 4, ..."""
    declared = Row("id", "what", "test_accuracy", published, "source", list(band), "means")
    runs = tuple(
        {
            "metrics": {"test_accuracy": value}, "intervals": {"test_accuracy": [value - 0.01, value + 0.02]},
            "seed": 3 + k, "data": {"evaluated_on": "the test set", **data}, "seconds": {"train": 2.0 + k, "test": 1.0},
        }
        for k, value in enumerate(values)
    )  # fmt: skip
    return ResultRow(declared, "experiment", runs, scale, "0" * 12)


@pytest.mark.parametrize(
    ("values", "band", "verdict"),
    [
        ((0.94, 0.96), (0.95, 0.95), "in band"),  # the mean decides, not a single run
        ((0.94, 0.98), (0.95, 0.955), "OUT"),
        ((0.5,), (0.5, None), "in band"),
        ((0.5,), (None, 0.5), "in band"),
        ((0.5,), (0.51, None), "OUT"),
        ((0.5,), (None, 0.49), "OUT"),
        ((-0.5,), (-1.0, 0.0), "in band"),
        ((0.0,), (0.0, 0.0), "in band"),  # 0 is a bound like any other
        ((0.1,), (None, 0.0), "OUT"),
        ((-0.1,), (0.0, None), "OUT"),
        ((0.5,), (None, None), "reported"),
        ((), (0.0, 1.0), "not run"),
    ],
)
def test_the_mean_over_seeds_decides_whether_a_row_is_in_its_band(
    values: tuple[float, ...], band: Any, verdict: str
) -> None:
    assert row(*values, band=band).verdict == verdict


def test_only_runs_at_paper_scale_are_a_result() -> None:
    assert row(0.5, band=(0.0, 1.0), scale="quick").verdict == "SMOKE"
    assert row(0.5, band=(0.6, 1.0), scale="quick").verdict == "SMOKE", "nor is it a failure"
    assert row(scale=None).verdict == "not run"


def test_emulated_data_can_reach_a_declared_target_but_never_a_published_figure() -> None:
    for band in ((0.4, None), (0.6, None)):
        assert row(0.5, band=band, published=0.5, emulated=True).verdict == "SMOKE"
    assert row(0.5, band=(0.4, None), emulated=True).verdict == "EMULATED"
    assert row(0.5, band=(0.6, None), emulated=True).verdict == "OUT"
    assert row(0.5, band=(0.4, None), emulated=False).verdict == "in band"


def test_mean_deviation_interval_and_difference_match_closed_forms() -> None:
    values = (0.90, 0.91, 0.95)
    made = row(*values, published=0.93)
    assert made.mean == pytest.approx(0.92)
    assert made.sd == pytest.approx(stats.tstd(values))
    assert made.interval == pytest.approx(stats.t.interval(0.95, 2, 0.92, stats.sem(values)))
    assert made.difference == pytest.approx(-0.01), "measured less published"
    assert made.wall_seconds == pytest.approx(4.0)
    two = row(0.90, 0.92)
    low, high = stats.t.interval(0.95, 1, 0.91, stats.sem((0.90, 0.92)))
    assert high > 1
    assert two.interval == pytest.approx((low, 1.0))  # no proportion exceeds 1
    assert two.sd == pytest.approx(0.02 / 2**0.5)
    assert two.difference is None


def test_a_single_run_has_the_interval_of_its_samples_and_no_deviation() -> None:
    one = row(0.9, published=0.0)
    assert (one.sd, one.interval, one.difference) == (None, (0.89, 0.92), 0.9)
    bare = ResultRow(one.row, "e", ({"metrics": {"test_accuracy": 0.9}, "data": {}, "seed": 0},), "paper", "h")
    assert (bare.interval, bare.wall_seconds) == (None, 0.0)


def test_a_row_without_runs_has_no_figures() -> None:
    none = row(published=0.9)
    assert (none.mean, none.sd, none.interval, none.difference, none.wall_seconds) == (None,) * 5
    assert (none.measured, none.evaluated_on, none.data, none.commits) == ((), "", "", ())
    assert not none.emulated
    assert none.as_dict()["seeds"] == []


def test_a_row_states_its_data_source_and_the_sizes_of_its_splits() -> None:
    sizes = {"source": "bundled", "n_train": 6, "n_validation": 0, "n_test": 3}
    assert row(0.5, 0.6, **sizes).data == "bundled, 6 + 0 + 3"
    assert row(0.5, n_test=3).data == "3"
    assert row(0.5, n_test=3).evaluated_on == "the test set", "the test set has its own words"


def test_a_row_as_a_dictionary_lists_seeds_and_figures_in_their_order() -> None:
    plain = row(0.90, 0.92, band=(0.9, None), published=0.95).as_dict()
    assert (plain["seeds"], plain["measured"], plain["verdict"]) == ([3, 4], [0.90, 0.92], "in band")
    assert plain["difference"] == pytest.approx(-0.04)
