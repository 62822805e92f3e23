"""Published figures next to measured ones. The published figure, the band that the measured one must fall in, and the
origin of the band are given in an experiment's YAML; this module only joins."""

from __future__ import annotations

import shlex
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from neurobench.config.schema import Row
from neurobench.metrics.catalog import mean_interval
from neurobench.report.checks import Comparison, against_original, against_row
from neurobench.report.published import Published
from neurobench.storage.store import Entry, read_index

_SPLITS = ("train", "validation", "test")  # samples of the data set itself; a run may also be tested on others
Verdict = Literal[
    "in band", "OUT", "reported", "not run", "SMOKE", "EMULATED", "equal", "within", "consistent", "undecided"
]


@dataclass(frozen=True)
class ResultRow:
    """A published row with the measured results."""

    row: Row
    experiment: str
    runs: tuple[dict[str, Any], ...]  # results that contain the metric, one per seed, ordered by seed
    scale: str | None  # "paper" if a run at the scale that counts exists, else another one, or None: nothing was run
    setting_hash: str  # of the configuration without its seed, at paper scale
    partner: ResultRow | None = None  # the row that `row.relation` names
    declared_seeds: tuple[int, ...] = ()
    options: tuple[str, ...] = ()  # that let a command find the experiment

    @property
    def by_seed(self) -> dict[int, float]:
        return {result["seed"]: result["metrics"][self.row.metric] for result in self.runs}

    @property
    def measured(self) -> tuple[float, ...]:
        return tuple(result["metrics"][self.row.metric] for result in self.runs)

    @property
    def mean(self) -> float | None:
        # Not fmean, whose result for equal values may differ from these in the last digit, and lie outside their band
        return float(statistics.mean(self.measured)) if self.runs else None

    @property
    def sd(self) -> float | None:
        return statistics.stdev(self.measured) if len(self.runs) > 1 else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval: Student's over seeds; for a single run, Wilson's over test samples if a proportion."""
        if len(self.runs) > 1:
            return mean_interval(self.row.metric, self.measured)
        if not self.runs:
            return None
        bounds = self.runs[0].get("intervals", {}).get(self.row.metric)
        return (bounds[0], bounds[1]) if bounds else None

    @property
    def difference(self) -> float | None:
        """Measured minus published figure, in its unit."""
        return None if self.mean is None or self.row.published is None else self.mean - self.row.published

    @property
    def comparison(self) -> Comparison | None:
        """Comparison with the row in `relation`, at the same scale, else with single runs of the original; None if
        neither is declared."""
        if self.row.relation:
            partner = self.partner
            figures = partner.by_seed if partner and partner.scale == self.scale else {}
            return against_row(self.row.relation, self.by_seed, figures)
        reference = self.row.reference
        return against_original(reference.values, self.measured) if reference and reference.values else None

    @property
    def again(self) -> str:
        """Command that repeats this row's runs; a sweep skips finished runs, so it needs another outputs folder."""
        first, *others = self.experiment.split()
        seeds = ",".join(map(str, sorted({*self.by_seed, *self.declared_seeds}) or (0, 1, 2)))
        scale = [] if self.scale in ("paper", None) else [f"scale={self.scale}"]
        words = [f"experiment={first}", *others, *scale, f"seed={seeds}"]
        return shlex.join(["neurobench", "sweep", *self.options, *words])

    @property
    def emulated(self) -> bool:
        return any(result["data"].get("emulated") for result in self.runs)

    @property
    def verdict(self) -> Verdict:
        """Verdict on the row: "reported" if nothing was declared; "SMOKE" if only runs at a smaller scale exist, which
        are never a result. Emulated data never replace recorded ones: against a published figure they are "SMOKE" too,
        and an unpublished target for them is "EMULATED" if it is reached. If a relation or runs of the original are
        declared, the verdict of that comparison."""
        if self.mean is None:
            return "not run"
        if self.scale != "paper" or (self.emulated and self.row.published is not None):
            return "SMOKE"
        low, high = self.row.band
        if (low is not None and self.mean < low) or (high is not None and self.mean > high):
            return "OUT"
        if self.comparison:
            return self.comparison.verdict
        if self.emulated:
            return "EMULATED"
        return "reported" if low is None and high is None else "in band"

    @property
    def evaluated_on(self) -> str:
        """Name of the evaluated samples: the test set, or the others of this metric ("1100 recorded samples")."""
        if not self.runs:
            return ""
        data, split = self.runs[-1]["data"], self.row.metric.removesuffix("_accuracy")
        if split in _SPLITS or f"n_{split}" not in data:
            return data["evaluated_on"]
        return f"{data[f'n_{split}']} {split} samples"

    @property
    def data(self) -> str:
        """Source and size of the data: "bundled, 55000 + 5000 + 10000" (training, validation, test)."""
        if not self.runs:
            return ""
        data = self.runs[-1]["data"]
        sizes = " + ".join(str(data[key]) for key in ("n_train", "n_validation", "n_test") if key in data)
        others = "others for some seeds" if self.is_mixed else ""
        return ", ".join(part for part in (data.get("source", ""), sizes, others) if part)

    @property
    def is_mixed(self) -> bool:
        """Whether the runs read different data, as after an edit of a file of the user's own."""
        return len({result["data"].get("sha256") for result in self.runs}) > 1

    @property
    def commits(self) -> tuple[str, ...]:
        """Commits of the code that made the runs, seven digits each, with "+" if files differed from it."""
        commits = dict.fromkeys(result.get("commit") for result in self.runs)
        return tuple(f"{commit[:7]}{'+' if commit.endswith('+changes') else ''}" for commit in commits if commit)

    @property
    def wall_seconds(self) -> float | None:
        """Mean over the runs of the total time of all timed phases: training, finalizing, tests."""
        return statistics.fmean(sum(run.get("seconds", {}).values()) for run in self.runs) if self.runs else None

    def as_dict(self) -> dict[str, Any]:
        derived = (
            "experiment", "mean", "sd", "interval", "difference", "scale", "verdict", "evaluated_on", "data",
            "setting_hash", "commits", "wall_seconds", "again",
        )  # fmt: skip
        return {
            **asdict(self.row),
            "measured": list(self.measured),
            "seeds": list(self.by_seed),
            "comparison": self.comparison._asdict() if self.comparison else None,
            **{name: getattr(self, name) for name in derived},
        }


def join(
    published: Sequence[Published], outputs: Path, runs: Sequence[Entry] | None = None, scale: str | None = None
) -> list[ResultRow]:
    """Join rows with finished runs of exactly the published setting; the newest run of each seed counts.

    `scale`: use only runs at that scale; else at the largest that was run.
    """
    by_name: dict[str, list[Entry]] = {}
    for entry in read_index(outputs) if runs is None else runs:
        by_name.setdefault(entry.path.partition("/")[0], []).append(entry)
    rows = []
    for setting in published:
        largest, entries = newest(setting, by_name.get(setting.name, []), scale)
        results = [
            {**entry.result, "commit": entry.record.get("commit"), "run": entry.path}
            for entry in entries
            if entry.result
        ]
        for row in setting.rows:
            of_row = tuple(result for result in results if row.metric in result["metrics"])
            paper = setting.setting_hashes["paper"]
            made = ResultRow(row, setting.experiment, of_row, largest, paper)
            rows.append(replace(made, declared_seeds=setting.seeds, options=setting.options))
    by_id = {row.row.id: row for row in rows}
    return [replace(row, partner=by_id.get(row.row.relation.row)) if row.row.relation else row for row in rows]


def newest(setting: Published, runs: Sequence[Entry], only: str | None) -> tuple[str | None, list[Entry]]:
    """Scale and runs of a setting, one per seed: at paper scale; if there are none, at another scale, which proves
    nothing. The scale is None if nothing was run."""
    scales = [only] if only else ["paper", *(scale for scale in setting.setting_hashes if scale != "paper")]
    for scale in scales:
        hashes = (setting.setting_hashes[scale], setting.earlier_hashes.get(scale))
        by_seed = {
            entry.result["seed"]: entry for entry in runs if entry.result and entry.result["setting_hash"] in hashes
        }
        if by_seed:
            return scale, [by_seed[seed] for seed in sorted(by_seed)]
    return None, []
