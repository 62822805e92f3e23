"""Published figures beside ours. What was published, and the band ours must fall in, is declared in an experiment's
YAML before any run; this module only joins."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich import box
from rich.markup import escape
from rich.table import Table as RichTable

from neurobench.config.compose import Composer, choices
from neurobench.config.identity import config_hash
from neurobench.config.schema import Row
from neurobench.runs.store import all_runs

COLUMNS = ("figure", "published", "measured", "seeds", "band", "verdict", "evaluated on", "what it means")


@dataclass(frozen=True)
class Declared:
    """An experiment that contributes rows to a table."""

    experiment: str
    name: str  # of its runs' folder
    setting_hashes: dict[str, str]  # scale -> hash of the configuration without its seed
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Filled:
    """A row with what was measured."""

    row: Row
    experiment: str
    measured: tuple[float, ...]  # one a seed, at the scale that counts; else of the smoke runs
    scale: str | None  # "paper", another one, or None where nothing was run
    evaluated_on: str
    setting_hash: str

    @property
    def mean(self) -> float | None:
        return statistics.fmean(self.measured) if self.measured else None

    @property
    def verdict(self) -> str:
        """ "in band", "OUT", "reported" where no band was declared, "not run"; "SMOKE" where there are only runs at a
        smaller scale, which are never a result."""
        if self.mean is None:
            return "not run"
        if self.scale != "paper":
            return "SMOKE"
        low, high = self.row.band
        if low is None and high is None:
            return "reported"
        inside = (low is None or self.mean >= low) and (high is None or self.mean <= high)
        return "in band" if inside else "OUT"

    def as_dict(self) -> dict[str, Any]:
        told = {**asdict(self.row), "experiment": self.experiment, "measured": list(self.measured), "mean": self.mean}
        return {**told, "scale": self.scale, "verdict": self.verdict, "setting_hash": self.setting_hash}


def declared_tables(compose: Composer) -> dict[str, list[Declared]]:
    """Table name -> the experiments that declare rows for it."""
    found: dict[str, list[Declared]] = {}
    scales = {name: compose([f"scale={name}"]).scale for name in choices("scale")}
    for experiment in choices("experiment"):
        config = compose([f"experiment={experiment}"])
        if config.table is None:
            continue
        hashes = {name: _hash(config, scale) for name, scale in scales.items()}
        rows = tuple(Row(**row) for row in OmegaConf.to_container(config.table.rows, resolve=True))  # type: ignore
        found.setdefault(config.table.name, []).append(Declared(experiment, config.name, hashes, rows))
    return found


def _hash(config: DictConfig, scale: DictConfig) -> str:
    config.scale = scale
    return config_hash(config, with_seed=False)


def fill(declared: Sequence[Declared], outputs: Path) -> list[Filled]:
    """Join with finished runs of exactly the declared setting; the newest run of each seed counts."""
    results = [result for run in all_runs(outputs) if (result := run.result())]
    filled = []
    for experiment in declared:
        scale, newest = _newest(experiment, results)
        for row in experiment.rows:
            values = [result["metrics"][row.metric] for result in newest if row.metric in result["metrics"]]
            words = newest[-1]["data"]["evaluated_on"] if newest else ""
            setting = experiment.setting_hashes["paper"]
            filled.append(Filled(row, experiment.experiment, tuple(values), scale, words, setting))
    return filled


def _newest(experiment: Declared, results: Sequence[dict[str, Any]]) -> tuple[str | None, list[dict[str, Any]]]:
    """Paper-scale results, one a seed; where there are none, those of another scale, which prove nothing."""
    scales = ["paper", *(scale for scale in experiment.setting_hashes if scale != "paper")]
    for scale in scales:
        setting = experiment.setting_hashes[scale]
        of_seed = {r["seed"]: r for r in results if r["setting_hash"] == setting and r["name"] == experiment.name}
        if of_seed:
            return scale, [of_seed[seed] for seed in sorted(of_seed)]
    return None, []


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.5g}"


def _measured(filled: Filled) -> str:
    if len(filled.measured) < 2:
        return _number(filled.mean)
    return f"{_number(filled.mean)} ± {statistics.stdev(filled.measured):.2g}"


def _band(row: Row) -> str:
    low, high = row.band
    if low is None and high is None:
        return "-"
    if low is None or high is None:
        return f"≤ {_number(high)}" if low is None else f"≥ {_number(low)}"
    return f"{_number(low)} to {_number(high)}"


def _cells(filled: Filled) -> tuple[str, ...]:
    row = filled.row
    n = str(len(filled.measured))
    published = _number(row.published)
    return (row.what, published, _measured(filled), n, _band(row), filled.verdict, filled.evaluated_on, row.means)


def as_rich(rows: Sequence[Filled], title: str) -> RichTable:
    """For a terminal, 80 columns wide or more: what a figure means stands under its name."""
    colours = {"in band": "green", "OUT": "bold red", "SMOKE": "yellow", "not run": "dim", "reported": "default"}
    table = RichTable(title=f"table {title}", title_justify="left", box=box.SIMPLE, show_lines=True)
    table.add_column("figure", ratio=1)
    for column in COLUMNS[1:6]:
        table.add_column(column, justify="right" if column in ("published", "measured") else "left", no_wrap=True)
    for filled in rows:
        what, published, measured, n, band, verdict, evaluated_on, means = map(escape, _cells(filled))
        words = f"{what}\n[dim]{means}{f' On {evaluated_on}.' if evaluated_on else ''}[/]"
        table.add_row(words, published, measured, n, band, f"[{colours[verdict]}]{verdict}[/]")
    return table


def as_markdown(rows: Sequence[Filled]) -> str:
    lines = [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
    for filled in rows:
        cells = (cell.replace("|", r"\|") for cell in _cells(filled))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def as_csv(rows: Sequence[Filled]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_cells(filled) for filled in rows)
    return text.getvalue().rstrip("\n")


def as_latex(rows: Sequence[Filled]) -> str:
    """A tabular for the booktabs package: the figures, without the words on their meaning."""
    kept = len(COLUMNS) - 2
    body = [" & ".join(_tex(cell) for cell in _cells(filled)[:kept]) + r" \\" for filled in rows]
    head = " & ".join(COLUMNS[:kept]) + r" \\"
    return "\n".join(
        [r"\begin{tabular}{lrrrll}", r"\toprule", head, r"\midrule", *body, r"\bottomrule", r"\end{tabular}"]
    )


def _tex(text: str) -> str:
    for plain, escaped in (("\\", r"\textbackslash{}"), ("%", r"\%"), ("&", r"\&"), ("_", r"\_"), ("#", r"\#")):
        text = text.replace(plain, escaped)
    return text.replace("±", r"$\pm$").replace("≥", r"$\geq$").replace("≤", r"$\leq$")


FORMATS: dict[str, Callable[[Sequence[Filled]], str]] = {"md": as_markdown, "csv": as_csv, "tex": as_latex}
