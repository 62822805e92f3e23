"""Comparisons of controls with their models: on a screen, as plain values for programs, and in a document between
`<!-- comparisons TABLE -->` and `<!-- end -->`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from neurobench.metrics.catalog import printed, printed_change
from neurobench.report import formats
from neurobench.report.comparison import p_text
from neurobench.report.controls import PREDICTED, Comparison, conclusion, not_run
from neurobench.report.document import CONTENT
from neurobench.report.screen import print_whole
from neurobench.report.table import ResultRow
from neurobench.storage.predictions import FILE as PREDICTIONS

COLUMNS = (
    "first", "second", "parameters", "operations", "chip, J", "mesh, J", "seeds", "samples",
    "mean of first", "mean of second", "difference (95 %)", "p (t-test)", "p (Holm)", "McNemar", "the first is",
)  # fmt: skip
_PLACE = re.compile(rf"(?P<begin><!-- comparisons (?P<name>\S+) -->\n){CONTENT}(?P<end><!-- end -->)", re.DOTALL)
COLOURS = {
    "better": "bold yellow",
    "worse": "green",
    "larger": "default",
    "smaller": "default",
    "no difference": "default",
    "not tested": "default",
    "not run": "dim",
}
MEANT = (
    "parameters: of the first / of the second. p (t-test): Student's paired t-test over the seeds; p (Holm): corrected "
    "by Holm's rule over the table."
)
OF_COST = ("operations", "chip, J", "mesh, J")  # columns that are left out if no record has any
MEANT_OF_COST = (
    " Per prediction: operations (a MAC multiplies, an AC adds a weight for a spike; neither is converted to joules) "
    "and two estimates of the joules from separate sources: energy_joules of the chip's operations, mesh_joules of an "
    "architecture model of its mesh; - if no chip is modelled."
)
OF_SAMPLES = ("samples", "McNemar")  # columns that are empty if no predictions are available
MEANT_OF_SAMPLES = (
    " McNemar: seeds whose two trained models the test distinguishes on the same samples, also by Holm's rule."
)


def cells(made: Comparison) -> tuple[str, ...]:
    """Cells of a comparison's row, in the order of COLUMNS."""
    control, model = made.control, made.model
    names = (control.row.what, f"{model.row.what} ({model.experiment})")
    if not made.seeds:
        return (*names, *["-"] * (len(COLUMNS) - 3), f"not run: {made.reason}")
    metric, over = control.row.metric, made.over_seeds
    interval = (
        over.interval if over else made.samples[0].interval if len(made.seeds) == len(made.samples) == 1 else None
    )
    ends = (
        f" ({' to '.join(printed_change(metric, end).removesuffix(' points') for end in interval)})" if interval else ""
    )
    sizes = {test.n for test in made.samples}
    return (
        *names,
        *(f"{of(control)} / {of(model)}" for of in (_parameters, _operations)),
        *(f"{_joules(control, name)} / {_joules(model, name)}" for name in ("energy_joules", "mesh_joules")),
        str(len(made.seeds)),
        " to ".join(f"{n:,}" for n in sorted({min(sizes), max(sizes)})) if sizes else "-",
        *(_mean(side, made.seeds) for side in (control, model)),
        printed_change(metric, made.difference) + ends,
        p_text(over.p if over else None),
        p_text(made.p),
        f"{made.told_apart} of {len(made.samples)}" if made.samples else f"none: {made.reason}",
        made.judged,
    )


def _parameters(side: ResultRow) -> str:
    count = side.runs[-1]["metrics"].get("parameter_count")
    return "?" if count is None else f"{count:,.0f}"


def _operations(side: ResultRow) -> str:
    """Operations of the newest run: "407,050 MAC", "1,482,512 AC", both if a network has both."""
    counts = {unit: side.runs[-1]["metrics"].get(f"effective_{unit.lower()}s") for unit in ("MAC", "AC")}
    return " + ".join(f"{count:,.0f} {unit}" for unit, count in counts.items() if count) or "?"


def _joules(side: ResultRow, name: str) -> str:
    value = side.runs[-1]["metrics"].get(name)
    return "-" if value is None else printed(name, value, digits=3)


def _mean(side: ResultRow, seeds: Sequence[int]) -> str:
    """Mean of one side over the given seeds, which both have."""
    values = [run["metrics"][side.row.metric] for run in side.runs if run["seed"] in seeds]
    return printed(side.row.metric, sum(values) / len(values))


def print_comparisons(made: Sequence[Comparison], console: Console) -> None:
    """Print a block per comparison that was run, for a terminal of any width, the number of those not run, and the
    conclusion. Print nothing if no control was run: the table itself says how to run them."""
    if not any(each.control.runs for each in made):
        return
    run = [each for each in made if each.seeds]
    for each in run:
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
        _, _, *columns = COLUMNS
        for column in columns:
            table.add_column(column, justify="right")
        *texts, outcome = cells(each)[2:]
        table.add_row(*texts, Text(outcome, style=COLOURS[each.outcome]))
        console.print(
            f"\n{each.control.row.what} against {each.model.row.what} ({each.model.experiment})", style="bold"
        )
        print_whole(table, console)
    if missing := not_run(made):
        console.print(f"\n{missing}", highlight=False)
    console.print(f"\n{conclusion(made)}", highlight=False)


def as_markdown(made: Sequence[Comparison]) -> Iterator[str]:
    """Markdown lines: table of the comparisons run, meaning of its columns, comparisons not run, and conclusion."""
    run = [each for each in made if each.seeds]
    if run:
        tested = not all(each.reason.endswith((f"no {PREDICTIONS}", f"{PREDICTED} only")) for each in run)
        rows = [dict(zip(COLUMNS, cells(each), strict=True)) for each in run]
        absent = [name for name in OF_COST if {row[name] for row in rows} <= {"? / ?", "- / -"}]
        shown = [name for name in COLUMNS if name not in absent and (tested or name not in OF_SAMPLES)]
        for line in ({name: name for name in COLUMNS}, dict.fromkeys(COLUMNS, "---"), *rows):
            yield f"| {' | '.join(line[name].replace('|', chr(92) + '|') for name in shown)} |"
        costs = len(absent) < len(OF_COST)
        yield from ("", MEANT + MEANT_OF_COST * costs + MEANT_OF_SAMPLES * tested, "")
    if missing := not_run(made):
        yield from (missing, "")
    yield conclusion(made)


def with_rows(rows: Sequence[ResultRow], compared: Iterable[Sequence[Comparison]]) -> str:
    """Markdown of tables' rows and the comparisons below them, except for tables of which no control was run."""
    begun = [made for made in compared if any(each.control.runs for each in made)]
    return "\n".join([formats.as_markdown(rows), *(line for made in begun for line in ("", *as_markdown(made)))])


def tables_named(text: str) -> list[str]:
    """Names of the tables whose comparisons have a place in the document."""
    return [place["name"] for place in _PLACE.finditer(text)]


def refreshed(text: str, compared: Mapping[str, Sequence[Comparison]]) -> str:
    """Return the document with the comparisons of each of these tables rewritten at their places."""

    def rewritten(place: re.Match[str]) -> str:
        if place["name"] not in compared:
            return place[0]
        return place["begin"] + "\n".join(["", *as_markdown(compared[place["name"]]), ""]) + "\n" + place["end"]

    return _PLACE.sub(rewritten, text)


def plain(each: Comparison) -> dict[str, Any]:
    """A comparison as plain values, for programs."""
    return {
        "model": each.model.experiment,
        "seeds": list(each.seeds),
        "differences": list(each.differences),
        "paired_t": each.over_seeds._asdict() if each.over_seeds else None,
        "p_holm": each.p,
        "mcnemar": [{**test._asdict(), "p_holm": p} for test, p in zip(each.samples, each.p_samples, strict=True)],
        "outcome": each.outcome,
        "reason": each.reason or None,
    }
