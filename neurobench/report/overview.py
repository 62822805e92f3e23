"""Overview of a table on one screen: published and measured figure, band and verdict of each row that was run; and the
number of rows that were not, with the command that runs them."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from neurobench.config.compose import choices
from neurobench.config.descriptions import comments, stated_seconds
from neurobench.metrics.catalog import printed
from neurobench.report.formats import COLOURS, band_of
from neurobench.report.screen import print_whole
from neurobench.report.table import ResultRow

Judge = Callable[[ResultRow], str]
VERDICT_COLOURS = {**COLOURS, "held": "green", "BELOW": "bold red"}


def print_overview(
    name: str, rows: Sequence[ResultRow], judge: Judge, console: Console, scale: str | None = None
) -> None:
    """Print the overview, at most five lines if nothing was run. `scale`: the only one whose runs the rows show."""
    run = [row for row in rows if row.runs]
    if run:
        console.print(f"table {name}", style="bold", highlight=False)
        print_whole(_table(run, judge), console)
    lacking: dict[str, dict[str, None]] = {}  # experiment -> metrics that its runs do not have
    for row in rows:
        if row.scale and not row.runs:
            lacking.setdefault(row.experiment, {})[row.row.metric] = None
    for experiment, metrics in lacking.items():
        text = f"the runs of experiment={experiment} have no {', '.join(metrics)} (neurobench show RUN says why)"
        console.print(text, highlight=False, soft_wrap=True)
    missing = [row for row in rows if row.scale is None]
    if not missing:
        return
    is_full = scale in (None, "paper")  # for which alone times are stated
    seconds = (stated_seconds(comments("table").get(name, "")) or _seconds(missing)) if is_full else None
    time = "" if seconds is None else f", {_about(seconds)} of one core per seed"
    console.print(f"table {name}: {len(missing)} of {len(rows)} rows not run yet{time}:", highlight=False)
    console.print(f"  {how_to_run(rows, None if is_full else scale)}", highlight=False, soft_wrap=True)
    console.print(f"published figures and bands: neurobench table {shlex.quote(name)} --all", highlight=False)


def _about(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _table(rows: Sequence[ResultRow], judge: Judge) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for column in ("figure", "published", "measured", "band", "verdict"):
        table.add_column(column, justify="left" if column in ("figure", "verdict") else "right")
    for row in rows:
        figure, verdict = row.row, judge(row)
        published = "-" if figure.published is None else printed(figure.metric, figure.published)
        assert row.mean is not None
        measured = printed(figure.metric, row.mean, row.sd)
        cells = (figure.what, published, measured, band_of(row))
        table.add_row(*cells, Text(verdict, style=VERDICT_COLOURS.get(verdict, "default")))
    return table


def how_to_run(rows: Sequence[ResultRow], scale: str | None = None) -> str:
    """Command that runs the experiments of the rows, with the seeds that most of them declare, at full scale if it is
    None; finished runs are skipped."""
    others: dict[str, dict[str, None]] = {}
    declared = Counter(row.declared_seeds for row in rows if row.declared_seeds).most_common(1)
    seeds = ",".join(map(str, declared[0][0] if declared else (0, 1, 2)))
    for setting in dict.fromkeys(row.experiment for row in rows):
        for word in setting.split()[1:]:
            key, _, value = word.partition("=")
            others.setdefault(key, {})[value] = None
    over = [f"{key}={','.join(values)}" for key, values in others.items()]
    at = [] if scale is None else [f"scale={scale}"]
    words = [f"experiment={_selection(_experiments(rows))}", *over, *at, f"seed={seeds}"]
    return shlex.join(["neurobench", "sweep", *rows[0].options, *words])


def _experiments(rows: Sequence[ResultRow]) -> list[str]:
    return list(dict.fromkeys(row.experiment.split()[0] for row in rows))


def _selection(experiments: Sequence[str]) -> str:
    """Value of experiment=: `glob(dynex_*)` if these are all that share a first word, else one by one."""
    first = experiments[0].partition("_")[0]
    family = [name for name in choices("experiment") if name.startswith(f"{first}_")]
    return f"glob({first}_*)" if len(family) > 2 and set(family) == set(experiments) else ",".join(experiments)


def _seconds(rows: Sequence[ResultRow]) -> float | None:
    """Seconds that one seed of each experiment takes, as far as stated."""
    described = comments("experiment")
    known = [stated_seconds(described.get(name, "")) for name in _experiments(rows)]
    return sum(filter(None, known)) or None
