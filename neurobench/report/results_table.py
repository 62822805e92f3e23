"""Comparison of settings as text: for the screen, Markdown, LaTeX, spreadsheets and programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from neurobench.metrics.catalog import metric as about
from neurobench.metrics.catalog import printed
from neurobench.report import latex
from neurobench.report.results import VARIES, Results, Setting, Spread
from neurobench.report.screen import print_whole

BEST = " *"


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Last part of each key, if no other key has the same: model.lr -> lr."""
    last = [key.rpartition(".")[2] for key in keys]
    return {key: name if last.count(name) == 1 else key for key, name in zip(keys, last, strict=True)}


def value_text(value: Any) -> str:
    """Value as typed in an override, with all its digits: two settings never look the same."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(value_text, value))}]"
    return str(value)


def spread_text(figure: str, spread: Spread | None) -> str:
    """Mean and deviation, "96.20 ± 0.31", in per cent for a proportion; the column heading states the unit."""
    return "-" if spread is None else printed(figure, spread.mean, spread.sd).removesuffix(" %")


def interval_text(figure: str, spread: Spread | None) -> str:
    if spread is None or spread.interval is None:
        return "-"
    low, high = (printed(figure, end).removesuffix(" %") for end in spread.interval)
    return f"{low} to {high}"


def heading(figure: str) -> str:
    return figure.replace("_", " ") + (" (%)" if about(figure).unit == "proportion" else "")


def columns(results: Results) -> list[str]:
    judge = [heading(results.judge)] if results.judge else []
    return [*short_names(results.keys).values(), "seeds", *judge, heading(results.metric), "95 % interval"]


def cells(results: Results, setting: Setting) -> list[str]:
    """Cells of a setting's row, in the order of `columns`."""
    figures = [results.judge, results.metric] if results.judge else [results.metric]
    texts = [spread_text(figure, setting.spread(figure)) for figure in figures]
    if results.best is not None:
        texts[0] += BEST if setting is results.best else ""
    values = [value_text(setting.values[key]) for key in results.keys]
    spread, n = setting.spread(results.metric), len(setting.runs)
    with_metric = spread.n if spread else 0
    seeds = str(n) if with_metric == n else f"{with_metric} of {n}"  # the others have no such figure
    return [*values, seeds, *texts, interval_text(results.metric, spread)]


def remarks(results: Results) -> Iterator[str]:
    """Remarks that a reader of the table needs."""
    if results.added and len(results.added) < len(results.keys):
        yield f"settings also differ in {', '.join(results.added)}: filter by it to leave it out"
    if any(value == VARIES for each in results.settings for value in each.values.values()):
        yield f"{VARIES}: the runs of the row have different values, as for a key that follows the seed"
    if any(len(each.runs) > 1 for each in results.settings):
        yield "mean ± standard deviation over seeds; interval: Student's over seeds, or over test samples for one run"
    elif results.settings:
        yield "one seed per setting: the interval is over test samples; seed=0,1,2 shows how much seeds differ"
    if results.best is not None:
        judge = str(results.judge).replace("_", " ")
        yield f"* best by {judge}, never by a test figure"
        if len({tuple(run.seed for run in each.runs) for each in results.settings}) > 1:
            yield "the settings were not run with the same seeds, by which their means differ too"
    if results.note:
        yield results.note
    runs = [run for each in results.settings for run in each.runs]
    if smaller := ", ".join(sorted({run.scale for run in runs} - {"paper"})):
        yield f"scale {smaller}: never a result"
    if mixed := sum(len({run.sha256 for run in each.runs}) > 1 for each in results.settings):
        rows = "a row is a mean" if mixed == 1 else f"{mixed} rows are means"
        yield f"{rows} over runs that read different data (sha256)"
    if any(run.emulated for run in runs):
        yield "emulated data: no substitute for recorded data"


def print_results(results: Results, console: Console) -> None:
    table = Table(box=box.SIMPLE, show_edge=False, padding=(0, 1))
    for number, name in enumerate(columns(results)):
        key = number < len(results.keys)  # names, which differ at their ends, may wrap; numbers are one word
        table.add_column(name, justify="left" if key else "right", no_wrap=not key)
    for setting in results.settings:
        style = "bold green" if setting is results.best else ""
        table.add_row(*map(Text, cells(results, setting)), style=style)
    print_whole(table, console)
    for line in remarks(results):
        console.print(line, style="dim", highlight=False)


def as_markdown(results: Results) -> str:
    lines = [columns(results), *(cells(results, setting) for setting in results.settings)]
    texts = [" | ".join(text.replace("|", r"\|") for text in line) for line in lines]
    rule = ["---"] * len(results.keys) + ["---:"] * (len(lines[0]) - len(results.keys))
    body = [f"| {text} |" for text in (texts[0], " | ".join(rule), *texts[1:])]
    return "\n".join([*body, "", "; ".join(remarks(results)) + "."])


def as_latex(results: Results, title: str = "") -> str:
    """Floating table. `title`: what all settings share, for a document with several such tables."""
    head = columns(results)
    align = "l" * len(results.keys) + "r" * (len(head) - len(results.keys))
    rows = [cells(results, setting) for setting in results.settings]
    what = results.metric.replace("_", " ").capitalize()
    by = f"{what} by {', '.join(short_names(results.keys).values())}"
    caption = "; ".join([f"{by} ({title})" if title else by, *remarks(results)])
    label = "-".join([results.metric, "by", *results.keys, *title.split()])
    return latex.table(head, rows, align, f"{caption}.", label)


def as_csv(results: Results) -> str:
    """CSV of plain numbers, even for shares of samples: a column each for mean, sd, n and both ends of the interval."""
    figures = [results.metric, *([results.judge] if results.judge else [])]
    parts = ("mean", "sd", "low", "high", "n")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*results.keys, "seeds", "best", *(f"{figure}_{part}" for figure in figures for part in parts)])
    for setting in results.settings:
        numbers: list[Any] = []
        for figure in figures:
            spread = setting.spread(figure)
            low, high = spread.interval if spread and spread.interval else (None, None)
            numbers += [spread.mean, spread.sd, low, high, spread.n] if spread else [None] * len(parts)
        seeds = " ".join(str(run.seed) for run in setting.runs)
        writer.writerow([*setting.values.values(), seeds, int(setting is results.best), *numbers])
    return text.getvalue().rstrip("\n")


def as_json(results: Results) -> str:
    """JSON with every figure of every setting."""
    settings = []
    for setting in results.settings:
        names = dict.fromkeys(name for run in setting.runs for name in (*run.metrics, *run.validation))
        spreads = {name: spread._asdict() for name in names if (spread := setting.spread(name))}
        runs = [{"run": run.path, "seed": run.seed} for run in setting.runs]
        settings.append({"values": setting.values, "best": setting is results.best, "runs": runs, "figures": spreads})
    described = {"keys": results.keys, "metric": results.metric, "judge": results.judge, "note": results.note}
    return json.dumps({**described, "settings": settings}, indent=2)


FORMATS: dict[str, Callable[[Results], str]] = {
    "md": as_markdown, "csv": as_csv, "tex": as_latex, "json": as_json,
}  # fmt: skip
