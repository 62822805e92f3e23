"""Measured figures inserted at marked places of a user's Markdown document.

`<!-- table NAME [row ...] -->` and `<!-- end -->` enclose rows of that table, selected by their ids and in that order,
or all measured rows. `<!-- table matrix -->` is a grid of models, data sets and backends; a cell that was not run at
paper scale states its scale. Within a line, `<!-- figure NAME row -->` and `<!-- end -->` enclose one figure.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise

from neurobench.config.errors import UserError
from neurobench.metrics.catalog import printed
from neurobench.report.formats import band_of, reference
from neurobench.report.table import ResultRow

CONTENT = r"(?:(?!<!-- (?:table|comparisons) ).)*?"  # of a place; another mark, as of a table of contents, is outside
_PLACE = re.compile(rf"(<!-- table (?P<name>\S+)(?P<rows>[^>]*?) -->\n){CONTENT}(?P<end><!-- end -->)", re.DOTALL)
_MARK = re.compile(r"<!-- (?P<what>(?:table|comparisons) [^>]*?(?= -->\n)|figure [^>\n]*?(?= -->)|end(?= -->)) -->")
_IN_LINE = re.compile(r"(?P<begin><!-- figure (?P<name>\S+) (?P<row>\S+) -->)[^\n]*?(?P<end><!-- end -->)")


def tables_named(text: str) -> list[str]:
    """Names of the tables that a document has places for, in order of first appearance."""
    places = [*_PLACE.finditer(text), *_IN_LINE.finditer(text)]
    return list(dict.fromkeys(place["name"] for place in sorted(places, key=re.Match.start)))


def require_ends(text: str, tables: Collection[str]) -> None:
    """Refuse a document in which a place of one of `tables` has no end marker: it could not be rewritten. Raises
    UserError."""
    for mark, following in pairwise([*_MARK.finditer(text), None]):
        assert mark is not None
        what, is_ended = mark["what"], following is not None and following["what"] == "end"
        if what.startswith("figure "):  # without an end in its line it is no place
            is_ended |= following is None or "\n" in text[mark.end() : following.start()]
        if not is_ended and what.partition(" ")[2].split(" ")[0] in tables:
            line = text.count("\n", 0, mark.start()) + 1
            raise UserError(f"line {line}: <!-- {what} --> has no <!-- end -->; put one behind the text to be replaced")


def refreshed(text: str, tables: Mapping[str, Sequence[ResultRow]]) -> str:
    """Return the document with every marked place of one of `tables` rewritten, and all else unchanged.

    Raises UserError if a table does not have a row that a place names.
    """

    def rewritten(place: re.Match[str]) -> str:
        name = place["name"]
        if name not in tables:
            return place[0]
        lines = _grid(tables[name]) if name == "matrix" else _figures(_selected(name, tables[name], place["rows"]))
        return place[1] + "\n".join(["", *lines, ""]) + "\n" + place["end"]

    def in_line(place: re.Match[str]) -> str:
        name = place["name"]
        if name not in tables:
            return place[0]
        (row,) = _selected(name, tables[name], place["row"])
        return place["begin"] + _in_words(row) + place["end"]

    return _IN_LINE.sub(in_line, _PLACE.sub(rewritten, text))


def _in_words(row: ResultRow) -> str:
    """A row's figure as text: "96.26 ± 0.03 % (≥ 96 %: in band)"."""
    if row.mean is None:
        return "no record"
    remarks = [] if row.verdict == "reported" else [f"{band_of(row)}: {row.verdict}"]
    if missing := _missing(row):
        remarks.append(f"{len(row.declared_seeds) - len(missing)} of {len(row.declared_seeds)} seeds")
    return printed(row.row.metric, row.mean, row.sd) + (f" ({', '.join(remarks)})" if remarks else "")


def _selected(name: str, rows: Sequence[ResultRow], ids: str) -> list[ResultRow]:
    if not ids.split():
        return [row for row in rows if row.runs]
    by_id = {row.row.id: row for row in rows}
    missing = [id for id in ids.split() if id not in by_id]
    if missing:
        raise UserError(f"table {name} has no row {', '.join(missing)}; it has {', '.join(by_id)}")
    for id in ids.split():
        if len(experiments := [row.experiment for row in rows if row.row.id == id]) > 1:
            named = ", ".join(f"experiment={experiment}" for experiment in experiments)
            raise UserError(f"table {name} has several rows {id} ({named}): give each another id")
    return [by_id[id] for id in ids.split()]


def _figures(rows: Sequence[ResultRow]) -> Iterator[str]:
    yield "| figure | published | reference | measured | band | set | verdict | seeds | again |"
    yield "|---" * 9 + "|"
    for row in rows:
        name, published, mean = row.row.metric, row.row.published, row.mean
        origin = row.row.band_from
        texts = (
            row.row.what,
            "-" if published is None else printed(name, published),
            reference(row, partial(printed, name)),
            "no record" if mean is None else printed(name, mean, row.sd),
            band_of(row),
            "-" if origin is None else f"{origin}, {origin.commit}",
            row.verdict,
            _seeds(row),
            f"`{row.again}`",
        )
        yield f"| {' | '.join(text.replace('|', chr(92) + '|') for text in texts)} |"


def _seeds(row: ResultRow) -> str:
    """Seeds of a row, "0,1,2", and those declared that have no run yet: "0,1 of 12", or "0,1,12 without 2" if others
    have one."""
    missing, others = _missing(row), row.by_seed.keys() - {*row.declared_seeds}
    lacking = f" without {','.join(map(str, missing))}" if others else f" of {len(row.declared_seeds)}"
    return (",".join(map(str, row.by_seed)) or "-") + (lacking if missing else "")


def _missing(row: ResultRow) -> list[int]:
    """Declared seeds that have no run yet."""
    return [seed for seed in row.declared_seeds if seed not in row.by_seed]


def _grid(rows: Sequence[ResultRow]) -> Iterator[str]:
    """Markdown grid of each cell's mean accuracy: one line per model, one column per data set and backend."""
    grid: dict[str, dict[tuple[str, str], str]] = {}
    for row in rows:
        accuracy = "-" if row.mean is None else f"{100 * row.mean:.1f} %"
        if row.scale not in ("paper", None):
            accuracy += f" ({row.scale})"
        cell = row.row
        grid.setdefault(str(cell.model), {})[str(cell.dataset), str(cell.backend)] = accuracy
    columns = list(dict.fromkeys(column for cells in grid.values() for column in cells))
    columns.sort(key=lambda column: (column[0], column[1] != "sim"))
    yield "| model | " + " | ".join(f"{dataset}, `{backend}`" for dataset, backend in columns) + " |"
    yield "|---" * (len(columns) + 1) + "|"
    for model, cells in grid.items():
        yield f"| {model} | " + " | ".join(cells.get(column, "-") for column in columns) + " |"
