"""Comparisons of controls with the models that they replace, as the rows of a table declare them (`against`:
experiments, or other rows of the same table): the same seeds, the same test samples, paired tests.

Two questions, two tests. Is one *setting* better than the other? Student's paired t-test over the seeds. Is one
*trained model* better than the other? McNemar's test of each seed's pair on the samples that both were tested on. Each
family of tests is corrected by Holm's rule over the whole table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from neurobench.config.schema import Row
from neurobench.metrics.catalog import metric
from neurobench.metrics.paired import PairedT, PairedTest, holm, paired_t
from neurobench.report.comparison import LEVEL, Pair, paired
from neurobench.report.published import Published, Tables
from neurobench.report.table import ResultRow, join
from neurobench.storage.folder import RunFolder
from neurobench.storage.predictions import FILE as PREDICTIONS
from neurobench.storage.store import Entry

PREDICTED = "test_accuracy"  # the metric that a run's recorded predictions determine
# larger, smaller: of a metric of which it is not known which of the two is better, such as one of a user's own model
Outcome = Literal["better", "worse", "larger", "smaller", "no difference", "not tested", "not run"]
OUTCOMES: dict[Outcome, str] = {
    "better": "better",
    "worse": "worse",
    "larger": "larger",
    "smaller": "smaller",
    "no difference": "indistinguishable from the second",
    "not tested": "not tested",
}


class Comparison(NamedTuple):
    """A control and one of its models."""

    control: ResultRow
    model: ResultRow
    seeds: tuple[int, ...]  # that both were run with at the control's scale
    differences: tuple[float, ...]  # of the figure, control minus model, one per seed
    over_seeds: PairedT | None
    p: float | None  # corrected p of `over_seeds`
    samples: tuple[PairedTest, ...]  # tests of the model (A) and its control (B); one per seed
    p_samples: tuple[float, ...]  # corrected p of `samples`
    reason: str  # why there is no test of the samples, or no comparison at all; or ""

    @property
    def judged(self) -> str:
        """The outcome, with the reason if the test over seeds could not be made."""
        if self.outcome != "not tested":
            return self.outcome
        return f"not tested: {'the same difference for every seed' if len(self.seeds) > 1 else 'only one seed'}"

    @property
    def outcome(self) -> Outcome:
        """Outcome for the control, by the test over seeds; for a single seed, by the test of its samples."""
        if not self.seeds:
            return "not run"
        p = self.p if len(self.seeds) > 1 else next(iter(self.p_samples), None)
        if p is None:  # no t-test of differences that are all the same, no test without recorded samples
            return "no difference" if len(self.seeds) > 1 and not any(self.differences) else "not tested"
        if p >= LEVEL:
            return "no difference"
        is_larger, direction = self.difference > 0, metric(self.control.row.metric).better
        if direction == "neither":
            return "larger" if is_larger else "smaller"
        return "better" if is_larger == (direction == "larger") else "worse"

    @property
    def difference(self) -> float:
        return sum(self.differences) / len(self.differences)

    @property
    def told_apart(self) -> int:
        """Number of seeds for which McNemar's test distinguishes the two trained models."""
        return sum(p < LEVEL for p in self.p_samples)


def comparisons(rows: Sequence[ResultRow], tables: Tables, outputs: Path, runs: Sequence[Entry]) -> list[Comparison]:
    """Comparisons of every row that is compared with something, in order."""
    settings = {setting.experiment: setting for table in tables.values() for setting in table}
    by_id = {row.row.id: row for row in rows}
    made = []
    for row in rows:
        for name in row.row.against:
            if name in by_id:
                model = _at_scale_of(row, settings[by_id[name].experiment], by_id[name].row, outputs, runs)
            elif name in settings:
                model = _model(settings[name], row, outputs, runs)
            else:
                model = ResultRow(row.row, name, (), None, "")
            made.append(_compared(row, model, outputs))
    over_seeds = iter(holm([each.over_seeds.p for each in made if each.over_seeds]))
    of_samples = iter(holm([test.p for each in made for test in each.samples]))
    return [
        each._replace(
            p=next(over_seeds) if each.over_seeds else None, p_samples=tuple(next(of_samples) for _ in each.samples)
        )
        for each in made
    ]


def _model(setting: Published, control: ResultRow, outputs: Path, runs: Sequence[Entry]) -> ResultRow:
    """Row of a model's runs at the control's scale, by the control's metric and with the model's description."""
    same_metric = (row.what for row in setting.rows if row.metric == control.row.metric)
    what = next(same_metric, setting.experiment)
    return _at_scale_of(control, setting, replace(control.row, what=what, against=[]), outputs, runs)


def _at_scale_of(control: ResultRow, setting: Published, row: Row, outputs: Path, runs: Sequence[Entry]) -> ResultRow:
    """A setting's row from its runs at the control's scale, even if it was also run at a larger one."""
    return join([replace(setting, rows=(row,))], outputs, runs, scale=control.scale)[0]


def _compared(control: ResultRow, model: ResultRow, outputs: Path) -> Comparison:
    pairs = list(_paired_runs(control, model))
    of_model = [run["metrics"][model.row.metric] for run, _ in pairs]
    of_control = [run["metrics"][control.row.metric] for _, run in pairs]
    if {control.row.metric, model.row.metric} == {PREDICTED} and control.experiment != model.experiment:
        folders = [[RunFolder(outputs / run["run"]) for run in pair] for pair in pairs]
        tested = [_tested(*pair) for pair in folders]
    else:
        tested = [Pair("A", "B", None, None, f"predictions are recorded for {PREDICTED} only")] * len(pairs)
    reasons = [each.reason for each in tested if each.reason] if pairs else [_not_run(control, model)]
    return Comparison(
        control,
        model,
        seeds=tuple(run["seed"] for run, _ in pairs),
        differences=tuple(mine - its for its, mine in zip(of_model, of_control, strict=True)),
        over_seeds=paired_t(of_model, of_control) if len(pairs) > 1 else None,
        p=None,
        samples=tuple(each.test for each in tested if each.test),
        p_samples=(),
        reason=next(iter(reasons), ""),
    )


def _tested(model: RunFolder, control: RunFolder) -> Pair:
    """McNemar's test of two runs, from their recorded predictions: a table does not recompute any."""
    if without := [run.label for run in (model, control) if not run.has(PREDICTIONS)]:
        return Pair("A", "B", None, None, f"the folder of {' and '.join(without)} has no {PREDICTIONS}")
    return paired([model, control])[0]


def _paired_runs(control: ResultRow, model: ResultRow) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield a model's and its control's run for each seed that both have, at the same scale."""
    of_control = {run["seed"]: run for run in control.runs if control.scale == model.scale}
    for run in model.runs:
        if run["seed"] in of_control:
            yield run, of_control[run["seed"]]


def _not_run(control: ResultRow, model: ResultRow) -> str:
    if not control.runs:
        ran = f"has no {control.row.metric}" if control.scale else "has not been run"
        return f"experiment={control.experiment} {ran}"
    if not model.runs or model.scale != control.scale:
        return f"experiment={model.experiment} has not been run at scale={control.scale}"
    return f"experiment={model.experiment} was run with other seeds"


def not_run(made: Sequence[Comparison]) -> str:
    """Number of a table's comparisons that are not run, with each reason and its count, as a sentence; or ""."""
    reasons = Counter(each.reason for each in made if not each.seeds)
    if not reasons:
        return ""
    listed = "; ".join(f"{reason} ({n})" if n > 1 else reason for reason, n in reasons.items())
    return f"{reasons.total()} of {len(made)} comparisons were not run: {listed}."


def conclusion(made: Sequence[Comparison]) -> str:
    """Conclusion of a table's comparisons, in one sentence."""
    run = [each for each in made if each.outcome != "not run"]
    if not run:
        return "Nothing is compared yet: no two settings were run with the same seeds at the same scale."
    named = {outcome: _named(run, outcome) for outcome in OUTCOMES}
    counts = ", ".join(
        f"{words} in {len(named[outcome])}"
        for outcome, words in OUTCOMES.items()
        if named[outcome] or outcome not in ("larger", "smaller")
    )
    directed: tuple[Outcome, ...] = ("better", "worse", "larger", "smaller")
    which = "".join(f"; {outcome}: {', '.join(named[outcome])}" for outcome in directed if named[outcome])
    trained, apart = sum(len(each.samples) for each in run), sum(each.told_apart for each in run)
    samples = f", and McNemar's test distinguishes {apart} of {trained} pairs of trained models" if trained else ""
    by_samples = [each for each in run if len(each.seeds) == 1 and each.outcome != "not tested"]
    over_seeds = "" if by_samples and not any(len(each.seeds) > 1 for each in run) else "paired t"
    tests = ", or ".join(filter(None, [over_seeds, "McNemar's test for a single seed" if by_samples else ""]))
    small = ", ".join(sorted({str(each.control.scale) for each in run} - {"paper"}))
    return (
        f"Of {len(run)} comparisons over the same seeds, the first is {counts} ({tests}, p < {LEVEL:g} by "
        f"Holm's rule{which}){samples}"
        f"{f'; scale={small} gives an impression, not a result' if small else ''}."
    )


def _named(made: Sequence[Comparison], outcome: Outcome) -> list[str]:
    return [f"{each.control.row.what} (against {each.model.row.what})" for each in made if each.outcome == outcome]
