"""Finished runs grouped by setting: repetitions over seeds form one row, with mean, deviation and interval.

A setting is the configuration shared by runs that differ only in their seed (`setting_hash`). Runs of two settings are
never averaged: if the requested keys do not distinguish them, further keys are added. The best setting is chosen only
by its validation figure, among settings of one data set at one scale.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from neurobench.config.errors import UserError, did_you_mean
from neurobench.config.schema import RUNTIME_KEYS
from neurobench.metrics.catalog import larger_is_better, mean_interval
from neurobench.metrics.catalog import metric as about
from neurobench.storage.held_out import ACCURACIES, PREFERRED, held_out_figures, ranking_figure
from neurobench.storage.selection import configurations
from neurobench.storage.store import Entry

CHOICES = ("model", "dataset", "backend", "encoder", "scale")  # distinguish settings before the keys below them do
MOST_KEYS = 3  # settings that differ in more keys are not a sweep
REPETITION = ("seed", *RUNTIME_KEYS)  # keys that make no other setting, with all below them
VARIES = "varies"  # shown as the value of a key if the runs of a setting have several


@dataclass(frozen=True)
class Repetition:
    """A finished run of a setting."""

    path: str  # name/id
    seed: int
    metrics: Mapping[str, float]
    validation: Mapping[str, float]  # figures of held-out samples
    intervals: Mapping[str, Sequence[float]]  # 95 %, over test samples
    model: str
    dataset: str
    scale: str
    emulated: bool  # data that replace recorded ones
    source: str  # of the data: "bundled", "generated" or a path
    sha256: str  # of the data
    is_own: bool  # data in files of the user's own, which may be edited

    def value(self, figure: str) -> float | None:
        return self.metrics.get(figure, self.validation.get(figure))


class Spread(NamedTuple):
    """One figure of a setting over its seeds."""

    mean: float
    sd: float | None  # None for a single run
    interval: tuple[float, float] | None  # 95 %: Student's over seeds; for a single run over test samples, if at all
    n: int  # runs, one per seed


@dataclass(frozen=True)
class Setting:
    """Runs that differ only in their seed."""

    values: Mapping[str, Any]  # of the keys of its `Results`
    runs: tuple[Repetition, ...]  # the newest of each seed

    def spread(self, figure: str) -> Spread | None:
        """Spread of a figure over the runs; None if no run has it."""
        runs = [run for run in self.runs if run.value(figure) is not None]
        values = [value for run in runs if (value := run.value(figure)) is not None]
        if not values:
            return None
        if len(values) > 1:
            mean, sd = statistics.fmean(values), statistics.stdev(values)
            return Spread(mean, sd, mean_interval(figure, values), len(values))
        bounds = runs[0].intervals.get(figure)
        return Spread(values[0], None, (bounds[0], bounds[1]) if bounds else None, 1)


@dataclass(frozen=True)
class Results:
    """Settings to compare."""

    keys: tuple[str, ...]  # that distinguish them
    added: tuple[str, ...]  # of these, the ones that were not requested
    settings: tuple[Setting, ...]
    metric: str
    judge: str | None  # the validation figure by which the best is chosen
    best: Setting | None
    note: str  # why there is no best, or that others are as good; or ""


def settings_of(entries: Sequence[Entry], outputs: Path, by: Sequence[str] = ()) -> tuple[list[Setting], list[str]]:
    """Settings of the finished runs among `entries`, in the order of their values; and the keys that distinguish them:
    `by`, or the keys that were overridden with different values, and any others needed.

    Raises UserError for a key in `by` that no run has, or that distinguishes no settings."""
    newest: dict[str, dict[int, Entry]] = {}  # run of each setting and seed, whatever its name
    for entry in sorted(entries, key=lambda entry: entry.moment):
        if entry.result is not None:
            by_seed = newest.setdefault(entry.result["setting_hash"], {})
            by_seed.pop(entry.result["seed"], None)  # so that it becomes the last one
            by_seed[entry.result["seed"]] = entry
    groups = {setting: list(by_seed.values()) for setting, by_seed in newest.items()}
    described = {setting: _described(group, outputs) for setting, group in groups.items()}
    known = dict.fromkeys(key for values in described.values() for key in values if not _repeats(key))
    by = _leaves(by, described.values())
    for key in by:
        if _repeats(key):
            raise UserError(
                f"--by {key}: runs that differ only in {key} form one setting, whose row is the mean over its seeds. "
                f"Leave {key} out{' (runs of one seed: neurobench results seed=0)' if key == 'seed' else ''}."
            )
        if described and key not in known:
            raise UserError(f"--by {key}: no run here has such a key.{did_you_mean(key, known)}")
        if described and all(values.get(key) == VARIES for values in described.values()):
            raise UserError(
                f"--by {key}: runs of one setting have different values of it, for example because it follows the "
                f"seed; a row is their mean. Leave {key} out (runs of one seed: neurobench results seed=0)."
            )
    typed = swept_keys(group[-1].record.get("overrides") or () for group in groups.values())
    typed = _leaves(typed, described.values())
    keys = _separating(described, list(by) or [key for key in typed if _differs(key, described.values())])
    made = []
    for setting, group in groups.items():
        values = {key: described[setting].get(key) for key in keys}
        if "setting" in keys:
            values["setting"] = setting[:6]
        made.append(Setting(values, tuple(sorted(_repetitions(group, outputs), key=lambda run: run.seed))))
    return sorted(made, key=lambda each: [order(each.values[key]) for key in keys]), keys


def results_of(
    settings: Sequence[Setting], keys: Sequence[str], by: Sequence[str], metric: str, judge: str | None
) -> Results:
    """Results of settings for a metric, with the best. Raises UserError for a metric or a judge that no run has."""
    all_runs = [run for each in settings for run in each.runs]
    known = dict.fromkeys(name for run in all_runs for name in (*run.metrics, *run.validation))
    if settings and metric not in known:
        raise UserError(f"--metric {metric}: no run here has such a figure.{did_you_mean(metric, known)}")
    if judge is not None and settings and not any(judge in run.validation for run in all_runs):
        offered = ", ".join(dict.fromkeys(name for run in all_runs for name in run.validation)) or "none"
        raise UserError(f"--judge {judge}: the best is chosen by a figure of held-out samples; available: {offered}")
    if judge is not None and about(judge).better == "neither":
        raise UserError(
            f"--judge {judge}: whether a larger or a smaller {judge} is better is not known. Choose another."
        )
    judge, best, note = _best(settings, judge)
    added = tuple(key for key in keys if not any(f"{key}.".startswith(f"{part}.") for part in by))
    return Results(tuple(keys), added, tuple(settings), metric, judge, best, note)


def swept(entries: Sequence[Entry], outputs: Path) -> dict[str, Results]:
    """Results by title, for each model, data set, backend and scale with several settings."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.result is not None:
            parts = entry.summary(outputs)
            title = f"{parts['model']} on {parts['dataset']}, backend {parts['backend']}, scale {parts['scale']}"
            groups.setdefault(title, []).append(entry)
    made = {}
    for title, group in sorted(groups.items()):
        if len({entry.result["setting_hash"] for entry in group if entry.result}) > 1:
            settings, keys = settings_of(group, outputs)
            if len(keys) <= MOST_KEYS:
                made[title] = results_of(settings, keys, keys, "test_accuracy", None)
    return made


def _best(settings: Sequence[Setting], judge: str | None) -> tuple[str | None, Setting | None, str]:
    if len(settings) < 2:
        return None, None, ""
    runs = [run for each in settings for run in each.runs]
    is_one_model = len({run.model for run in runs}) == 1
    names = [judge] if judge else PREFERRED if is_one_model else ACCURACIES  # each model defines its own loss
    judge = ranking_figure((run.validation for run in runs), names)
    if judge is None:
        what = "figure of" if is_one_model else "accuracy on"
        return None, None, f"no best is marked: the settings have no {what} held-out samples in common"
    others = len({run.source for run in runs}) > 1 and len({run.sha256 for run in runs}) > 1  # files called csv
    if others or len({(run.dataset, run.scale) for run in runs}) > 1:
        return judge, None, "no best is marked: the settings differ in data set or scale"
    read = {frozenset(run.sha256 for run in each.runs) for each in settings}
    if len(read) > 1 and any(run.is_own for run in runs):
        return judge, None, "no best is marked: the settings read different data (sha256)"
    sign = 1 if larger_is_better(judge) else -1
    means = [sign * spread.mean for each in settings if (spread := each.spread(judge))]
    # Few held-out samples allow few different means, and rounding does not distinguish equal ones
    best = [each for each, mean in zip(settings, means, strict=True) if math.isclose(mean, max(means), rel_tol=1e-12)]
    return judge, best[0], f"{len(best)} settings are equally good; the first is marked" if len(best) > 1 else ""


def _described(group: Sequence[Entry], outputs: Path) -> dict[str, Any]:
    """Values by key: choices, configuration, and overrides whose key neither has (experiment=...); VARIES if runs that
    have the key disagree, because it follows the seed or does not affect what is computed."""
    described: dict[str, Any] = {}
    summaries = [entry.summary(outputs) for entry in group]
    known = [
        {**{key: summary[key] for key in CHOICES if summary[key] is not None}, **config}
        for summary, config in zip(summaries, configurations(entry.folder(outputs) for entry in group), strict=True)
    ]
    configured = {key for values in known for key in values}  # of a run with a damaged config.yaml too
    sections = {".".join(parts[:n]) for parts in (key.split(".") for key in configured) for n in range(1, len(parts))}
    for values, summary in zip(known, summaries, strict=True):
        typed = dict(word.lstrip("+").split("=", 1) for word in summary["overrides"] or () if "=" in word)
        typed = {key: text for key, text in typed.items() if key in values or key not in configured | sections}
        for key, value in {**typed, **values}.items():
            described[key] = value if described.get(key, value) == value else VARIES
    return {**dict.fromkeys(CHOICES), **described}


def _leaves(keys: Iterable[str], described: Collection[Mapping[str, Any]]) -> list[str]:
    """Keys with a section (`model.arguments`) replaced by the keys below it that differ, or by all if none does."""
    known = dict.fromkeys(key for values in described for key in values)
    leaves: list[str] = []
    for key in keys:
        below = [] if key in CHOICES else [each for each in known if each.startswith(f"{key}.")]
        leaves += [each for each in below if _differs(each, described)] or below or [key]
    return leaves


def swept_keys(jobs: Iterable[Sequence[str]]) -> list[str]:
    """Keys that jobs override with different values, without those that make no other setting."""
    given: dict[str, set[str]] = {}
    words = [dict(word.lstrip("+").split("=", 1) for word in job if "=" in word) for job in jobs]
    for each in words:
        for key in each:
            given.setdefault(key, set())
    for key, values in given.items():
        values.update(each.get(key, "") for each in words)
    return [key for key, values in given.items() if len(values) > 1 and not _repeats(key)]


def _repeats(key: str) -> bool:
    """Whether runs that differ only in this key are one setting."""
    return key.partition(".")[0] in REPETITION


def _differs(key: str, values: Iterable[Mapping[str, Any]]) -> bool:
    return len({json.dumps(each.get(key)) for each in values}) > 1


def _separating(described: Mapping[str, Mapping[str, Any]], keys: list[str]) -> list[str]:
    """`keys`, and the further ones needed so that no two settings have the same values, without those that a later one
    implies, as the name of an experiment implies its model."""
    keys = list(dict.fromkeys(keys))
    named = len(keys)
    while alike := _alike(described, keys):
        candidates = dict.fromkeys([*CHOICES, *(key for values in alike for key in values)])
        more = next((key for key in candidates if key not in keys and not _repeats(key) and _differs(key, alike)), None)
        if more is None:
            return [*keys, "setting"]  # code was edited, or is of an earlier version
        keys.append(more)
    for key in keys[named:]:
        others = [each for each in keys if each != key]
        if not _alike(described, others):
            keys = others
    return keys


def _alike(described: Mapping[str, Mapping[str, Any]], keys: Sequence[str]) -> list[Mapping[str, Any]]:
    """The first group of settings with the same values, if any."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for values in described.values():
        groups.setdefault(json.dumps([values.get(key) for key in keys]), []).append(values)
    return next((group for group in groups.values() if len(group) > 1), [])


def _repetitions(group: Sequence[Entry], outputs: Path) -> Iterable[Repetition]:
    for entry in group:
        result = entry.result
        assert result is not None
        data = result["data"]
        emulated, source, sha256 = bool(data.get("emulated")), data.get("source", ""), data["sha256"]
        held_out, summary = held_out_figures(entry.folder(outputs), result), entry.summary(outputs)
        figures = (result["metrics"], held_out, result["intervals"])
        named = (str(summary["model"]), str(summary["dataset"]), result["scale"])
        yield Repetition(entry.path, result["seed"], *figures, *named, emulated, source, sha256, "bytes" in data)


def order(value: Any) -> tuple[int, float, str]:
    """Sort key: None first, then numbers by size, then strings."""
    if value is None:
        return 0, 0.0, ""
    if isinstance(value, int | float):
        return 1, float(value), ""
    return 2, 0.0, str(value)
