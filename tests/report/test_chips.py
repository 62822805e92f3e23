"""Tests of the figure that compares a tutorial's chips: readable, with intervals, and no bar of 0 for a stage that was
not run."""

from neurobench.figures.style import COLUMN
from neurobench.metrics.statistics import wilson_interval
from neurobench.report.chips import ChipRun, bars
from tests.figures.readable import assert_readable


def test_each_bar_has_its_interval_and_a_stage_that_was_not_measured_has_no_bar() -> None:
    runs = [
        ChipRun(str(k), {"host_accuracy": 0.98, "transfer_accuracy": 0.9, "input_cap": 0.994}, 1000) for k in (0, 1)
    ]
    runs.append(ChipRun("2", {"host_accuracy": 0.97}, 1000))
    figure = bars(runs, "three chips")
    assert_readable({"chips": figure})
    assert figure.get_figwidth() == COLUMN
    (axes,) = figure.axes
    intervals = [tuple(line.get_segments()[0][:, 1]) for line in axes.collections]
    assert intervals[0] == wilson_interval(980, 1000)
    assert len(intervals) == 5
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "on the chip, mean 90.00%" in labels, "the mean is of the chips that were measured"
