"""Tables for papers that compare runs: their accuracies, and the tests of each pair."""

from __future__ import annotations

from collections.abc import Sequence

from neurobench.report import latex
from neurobench.report.comparison import LETTERS, Pair, conclusion, p_text
from neurobench.report.results_table import short_names, value_text
from neurobench.storage.differences import differences
from neurobench.storage.folder import RunFolder

RUNS = ("", "run", "settings that differ", "accuracy (%)", "95 % interval")
SHOWN = 4  # settings of a run, at most
TESTS = ("", "samples", "first only", "second only", "difference", "95 % interval", "p", "p (Holm)")


def _runs(runs: Sequence[RunFolder]) -> list[list[str]]:
    rows = []
    config = [row for row in differences(*runs)["config"] if not row.key.endswith("._target_")]  # its name says as much
    config.sort(key=lambda row: not row.key.endswith(".name"))  # choices first, such as the model
    names = short_names([row.key.removesuffix(".name") for row in config])
    more = f", and {len(config) - SHOWN} more" if len(config) > SHOWN else ""
    for number, run in enumerate(runs):
        result = run.result()
        assert result is not None
        low, high = result["intervals"]["test_accuracy"]
        values = (value_text(row.values[number]) for row in config[:SHOWN])
        settings = ", ".join(f"{name} {value}" for name, value in zip(names.values(), values, strict=False)) + more
        accuracy = f"{100 * result['metrics']['test_accuracy']:.2f}"
        interval = f"{100 * low:.2f} to {100 * high:.2f}"
        rows.append([LETTERS[number], run.label, settings or "the same", accuracy, interval])
    return rows


def _tests(pairs: Sequence[Pair]) -> list[list[str]]:
    rows = []
    for pair in pairs:
        if pair.test:
            low, high = (f"{100 * end:+.2f}" for end in pair.test.interval)
            counts = (str(pair.test.n), str(pair.test.only_a), str(pair.test.only_b))
            difference = f"{100 * pair.test.difference:+.2f}"
            p = (p_text(pair.test.p), p_text(pair.corrected))
            rows.append([f"{pair.a}, {pair.b}", *counts, difference, f"{low} to {high}", *p])
    return rows


def _words(pairs: Sequence[Pair]) -> str:
    exact = {pair.test.exact for pair in pairs if pair.test}
    kinds = {True: "exact", False: "chi squared with continuity correction"}
    method = " or ".join(kinds[each] for each in sorted(exact, reverse=True))
    sentences = "; ".join(conclusion(pair) for pair in pairs)
    said = "Samples that only one of the two classifies correctly, difference of accuracies in points, McNemar's test"
    return f"{said} ({method}). {sentences}" if method else sentences


def as_markdown(runs: Sequence[RunFolder], pairs: Sequence[Pair]) -> str:
    tables = [_markdown(RUNS, _runs(runs))]
    if rows := _tests(pairs):
        tables.append(_markdown(TESTS, rows))
    return "\n\n".join([*tables, f"{_words(pairs)}."])


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *([text.replace("|", r"\|") for text in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def as_latex(runs: Sequence[RunFolder], pairs: Sequence[Pair]) -> str:
    tables = [latex.table(RUNS, _runs(runs), "lpprr", "Runs and their test accuracies.", "compared-runs")]
    if rows := _tests(pairs):
        tables.append(latex.table(TESTS, rows, "lrrrrrrr", f"{_words(pairs)}.", "paired-tests"))
    return "\n\n".join(tables)
