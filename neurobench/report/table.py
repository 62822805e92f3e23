"""Published figures beside ours. What was published, and the band ours must fall in, is declared in an experiment's
YAML before any run; this module only joins."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from neurobench.config.schema import Row
from neurobench.metrics.statistics import t_interval
from neurobench.report.published import Declared
from neurobench.runs.index import Entry, read_index

_OWN = ("train", "validation", "test")  # samples of the data set itself; a run may be tested on others too


@dataclass(frozen=True)
class Filled:
    """A row with what was measured."""

    row: Row
    experiment: str
    runs: tuple[dict[str, Any], ...]  # results that hold the metric, one a seed, by seed
    scale: str | None  # "paper" where a run at the scale that counts is there, another one, or None: nothing was run
    setting_hash: str  # of the configuration without its seed, at paper scale

    @property
    def measured(self) -> tuple[float, ...]:
        return tuple(result["metrics"][self.row.metric] for result in self.runs)

    @property
    def mean(self) -> float | None:
        return statistics.fmean(self.measured) if self.runs else None

    @property
    def sd(self) -> float | None:
        return statistics.stdev(self.measured) if len(self.runs) > 1 else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 %: Student's over seeds; of a single run, the interval over test samples (Wilson) where it is one of
        proportions."""
        if len(self.runs) > 1:
            return t_interval(self.measured)
        if not self.runs:
            return None
        found = self.runs[0].get("intervals", {}).get(self.row.metric)
        return (found[0], found[1]) if found else None

    @property
    def difference(self) -> float | None:
        """Measured less published, in the figure's own unit."""
        return None if self.mean is None or self.row.published is None else self.mean - self.row.published

    @property
    def verdict(self) -> str:
        """ "in band", "OUT", "reported" where no band was declared, "not run"; "SMOKE" where there are only runs at a
        smaller scale, which are never a result. Emulated data never stand for recorded ones: against a published figure
        they are "SMOKE" too, and a target of our own for them is "EMULATED" where it is reached."""
        if self.mean is None:
            return "not run"
        emulated = any(result["data"].get("emulated") for result in self.runs)
        if self.scale != "paper" or (emulated and self.row.published is not None):
            return "SMOKE"
        low, high = self.row.band
        inside = (low is None or self.mean >= low) and (high is None or self.mean <= high)
        if not inside:
            return "OUT"
        if emulated:
            return "EMULATED"
        return "reported" if low is None and high is None else "in band"

    @property
    def evaluated_on(self) -> str:
        """In words: the test set, or the other samples that this metric is of ("1100 recorded samples")."""
        if not self.runs:
            return ""
        data, of = self.runs[-1]["data"], self.row.metric.removesuffix("_accuracy")
        return data["evaluated_on"] if of in _OWN or f"n_{of}" not in data else f"{data[f'n_{of}']} {of} samples"

    @property
    def data(self) -> str:
        """Source and size: "bundled, 55000 + 5000 + 10000" (training, validation, test)."""
        if not self.runs:
            return ""
        data = self.runs[-1]["data"]
        sizes = " + ".join(str(data[key]) for key in ("n_train", "n_validation", "n_test") if key in data)
        return ", ".join(part for part in (data.get("source", ""), sizes) if part)

    @property
    def commits(self) -> tuple[str, ...]:
        """Of the code that the runs were made with, seven digits, "+" where files differed from it."""
        found = dict.fromkeys(result.get("commit") for result in self.runs)
        return tuple(f"{commit[:7]}{'+' if commit.endswith('+changes') else ''}" for commit in found if commit)

    @property
    def wall_seconds(self) -> float | None:
        """Mean over the runs of all that they timed: training, settling, tests."""
        if not self.runs:
            return None
        return statistics.fmean(sum(result.get("seconds", {}).values()) for result in self.runs)

    def as_dict(self) -> dict[str, Any]:
        return {
            **asdict(self.row),
            "experiment": self.experiment,
            "measured": list(self.measured),
            "seeds": [result["seed"] for result in self.runs],
            "mean": self.mean,
            "sd": self.sd,
            "interval": self.interval,
            "difference": self.difference,
            "scale": self.scale,
            "verdict": self.verdict,
            "evaluated_on": self.evaluated_on,
            "data": self.data,
            "setting_hash": self.setting_hash,
            "commits": self.commits,
            "wall_seconds": self.wall_seconds,
        }


def fill(
    declared: Sequence[Declared], outputs: Path, runs: Sequence[Entry] | None = None, scale: str | None = None
) -> list[Filled]:
    """Join with finished runs of exactly the declared setting; the newest run of each seed counts.

    `scale`: of that scale alone; else of the largest that was run.
    """
    of_name: dict[str, list[Entry]] = {}
    for entry in read_index(outputs) if runs is None else runs:
        of_name.setdefault(entry.path.partition("/")[0], []).append(entry)
    filled = []
    for experiment in declared:
        ran, newest = _newest(experiment, of_name.get(experiment.name, []), scale)
        for row in experiment.rows:
            told = tuple(result for result in newest if row.metric in result["metrics"])
            filled.append(Filled(row, experiment.experiment, told, ran, experiment.setting_hashes["paper"]))
    return filled


def _newest(experiment: Declared, runs: Sequence[Entry], only: str | None) -> tuple[str | None, list[dict[str, Any]]]:
    """Paper-scale results, one a seed; where there are none, those of another scale, which prove nothing."""
    scales = [only] if only else ["paper", *(scale for scale in experiment.setting_hashes if scale != "paper")]
    found: dict[str, dict[int, Any]] = {experiment.setting_hashes[scale]: {} for scale in scales}
    for _, record, result in runs:
        if result and result["setting_hash"] in found:
            found[result["setting_hash"]][result["seed"]] = {**result, "commit": record.get("commit")}
    for scale in scales:
        of_seed = found[experiment.setting_hashes[scale]]
        if of_seed:
            return scale, [of_seed[seed] for seed in sorted(of_seed)]
    return None, []
