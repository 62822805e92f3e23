"""Tests that a row's runs can fail: comparison with another row at the same seeds, or with runs of the original."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from neurobench.config.evidence import Relation
from neurobench.metrics.statistics import t_interval, welch_interval


class Comparison(NamedTuple):
    """Difference, measured minus reference, with its 95 % interval; both None if there are too few runs."""

    verdict: Literal["equal", "within", "consistent", "undecided", "OUT"]
    difference: float | None
    interval: tuple[float, float] | None
    n: tuple[int, int]  # measured runs, and runs that they are compared with

    def __str__(self) -> str:
        if self.difference is None:
            return f"too few runs: {self.n[0]} and {self.n[1]}"
        ends = "" if self.interval is None else f" ({self.interval[0]:+.4g} to {self.interval[1]:+.4g})"
        return f"difference {self.difference:+.4g}{ends}, n = {self.n[0]} and {self.n[1]}"


def against_row(relation: Relation, ours: Mapping[int, float], theirs: Mapping[int, float]) -> Comparison:
    """Compare two rows seed by seed, over the seeds of both. `ours`, `theirs`: seed -> figure.

    equal: OUT if any seed differs. within: OUT if the whole interval lies outside the margin, undecided if it
    straddles an end.
    """
    seeds = sorted(ours.keys() & theirs.keys())
    differences = [ours[seed] - theirs[seed] for seed in seeds]
    n = (len(seeds), len(seeds))
    if relation.kind == "equal":
        mean = statistics.fmean(differences) if seeds else None
        return Comparison(_judged(not any(differences), "equal") if seeds else "undecided", mean, None, n)
    if len(seeds) < 2:
        return Comparison("undecided", None, None, n)
    assert relation.margin is not None
    low, high = t_interval(differences)
    mean = statistics.fmean(differences)
    if low > relation.margin or high < -relation.margin:
        return Comparison("OUT", mean, (low, high), n)
    return Comparison("within" if max(-low, high) <= relation.margin else "undecided", mean, (low, high), n)


def against_original(theirs: Sequence[float], ours: Sequence[float]) -> Comparison:
    """Compare two samples of independent runs (Welch): OUT if the interval of the difference of the means excludes 0.
    Its half width is about the smallest difference that would be detected."""
    n = (len(ours), len(theirs))
    if len(ours) < 2:
        return Comparison("undecided", None, None, n)
    low, high = welch_interval(ours, theirs)
    return Comparison(_judged(low <= 0 <= high, "consistent"), (low + high) / 2, (low, high), n)


def _judged(holds: bool, word: Literal["equal", "consistent"]) -> Literal["equal", "consistent", "OUT"]:
    return word if holds else "OUT"
