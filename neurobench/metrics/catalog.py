"""Properties of a metric by its name: its unit, whether larger is better, and so how it is printed."""

import math
import re
from collections.abc import Sequence
from functools import cache
from typing import Literal, NamedTuple

from neurobench.metrics.statistics import t_interval


class Metric(NamedTuple):
    unit: Literal["proportion", "J", ""]  # a proportion lies in [0, 1] and is printed in per cent
    better: Literal["larger", "smaller", "neither"]


_MOST_DIGITS = 15  # that a floating-point number has
UNKNOWN = Metric("", "neither")  # for a name that the table lacks

# Patterns of the whole name; the first that matches counts.
CATALOG = {
    r"(.*_)?accuracy(_at_\d+_shots|_of_first_epochs)?": Metric("proportion", "larger"),
    r"lr_150_.*": Metric("proportion", "larger"),
    r".*accuracy_percent.*|gain_over_.*|mean_p_correct|.*log_likelihood": Metric("", "larger"),
    r"calibrated_.*": UNKNOWN,  # an estimate minus the truth: either sign
    r".*(loss|error|mse|nll|lost).*|sme.*|mean_abs_dz.*": Metric("", "smaller"),
    r"(.*_)?joules": Metric("J", "smaller"),
    r"mesh_(seconds|messages|hops)": Metric("", "smaller"),
}


@cache
def metric(name: str) -> Metric:
    return next((entry for pattern, entry in CATALOG.items() if re.fullmatch(pattern, name)), UNKNOWN)


def larger_is_better(name: str) -> bool:
    """Whether early stopping and a search maximise a metric (accuracies and the like); all others are minimised."""
    return metric(name).better == "larger"


def printed(name: str, value: float, sd: float | None = None, digits: int = 5) -> str:
    """Text of a value: "97.00 ± 1.41 %" for a proportion; other metrics as they are, to `digits` significant digits, or
    as many as their deviation has decimals."""
    if metric(name).unit == "proportion":
        return f"{100 * value:.2f}" + ("" if sd is None else f" ± {100 * sd:.2f}") + " %"
    return plain_mean(value, sd, digits)


def plain_mean(value: float, sd: float | None, digits: int = 5) -> str:
    """Text of a mean and its deviation, the mean never rounded more coarsely than the deviation: "1234567.9 ± 2.1"."""
    if sd is None:
        return f"{value:.{digits}g}"
    if value and sd:
        digits = max(digits, min(_MOST_DIGITS, 2 + math.floor(math.log10(abs(value))) - math.floor(math.log10(sd))))
    return f"{value:.{digits}g} ± {sd:.2g}"


def mean_interval(name: str, values: Sequence[float]) -> tuple[float, float]:
    """Student's 95 % interval of the mean of at least two values, clipped to [0, 1] for a proportion."""
    low, high = t_interval(values)
    return (max(0.0, low), min(1.0, high)) if metric(name).unit == "proportion" else (low, high)


def printed_change(name: str, change: float) -> str:
    """Text of the difference of two values, with its sign: "+0.31 points" for a proportion."""
    return f"{100 * change:+.2f} points" if metric(name).unit == "proportion" else f"{change:+.4g}"
