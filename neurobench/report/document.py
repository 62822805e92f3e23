"""Measured figures in somebody's own Markdown document (a README, a paper's draft), brought up to date in place.

A marked place is what lies between `<!-- table NAME [row ...] -->` and `<!-- end -->`: the rows of that table, by their
ids and in that order, or all that were measured. `<!-- table matrix -->` is a grid of models, data sets and backends;
a cell that was not run at paper scale names its scale.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from neurobench.config.errors import UserError
from neurobench.report.formats import number
from neurobench.report.table import Filled

_PLACE = re.compile(r"(<!-- table (?P<name>\S+)(?P<rows>[^>]*?) -->\n)(?P<old>.*?)(?P<end><!-- end -->)", re.DOTALL)
_ACCURACY = re.compile(r"accuracy(_at_\d+_shots|_of_first_epochs)?$")
_CELL = re.compile(r"(?P<model>.+) on (?P<dataset>.+), backend (?P<backend>\w+)")


def tables_named(text: str) -> list[str]:
    """Which tables the document has places for, in the order of their first one."""
    return list(dict.fromkeys(place["name"] for place in _PLACE.finditer(text)))


def refreshed(text: str, tables: Mapping[str, Sequence[Filled]]) -> str:
    """The document with every marked place of one of `tables` written anew; all else is as it was.

    Raises UserError for a row that its table does not have.
    """

    def anew(place: re.Match[str]) -> str:
        if place["name"] not in tables:
            return place[0]
        rows = tables[place["name"]]
        lines = (
            _grid(rows) if place["name"] == "matrix" else _figures(_chosen(place["name"], rows, place["rows"].split()))
        )
        return place[1] + "\n".join(["", *lines, ""]) + "\n" + place["end"]

    return _PLACE.sub(anew, text)


def _chosen(name: str, rows: Sequence[Filled], ids: Sequence[str]) -> list[Filled]:
    if not ids:
        return [row for row in rows if row.runs]
    of_id = {filled.row.id: filled for filled in rows}
    missing = [row for row in ids if row not in of_id]
    if missing:
        raise UserError(f"table {name} has no row {', '.join(missing)}; it has {', '.join(of_id)}")
    return [of_id[row] for row in ids]


def _figures(rows: Sequence[Filled]) -> Iterator[str]:
    yield "| figure | published | measured | seeds |"
    yield "|---|---|---|---|"
    for filled in rows:
        told = (_figure(filled, filled.row.published), _figure(filled, filled.mean, filled.sd), len(filled.runs) or "-")
        yield f"| {filled.row.what} | {' | '.join(map(str, told))} |"


def _figure(filled: Filled, value: float | None, sd: float | None = None) -> str:
    """Accuracies in percent, as tutorials and papers print them; anything else as it is."""
    if value is None:
        return "-"
    if _ACCURACY.search(filled.row.metric):
        return f"{100 * value:.2f}" + ("" if sd is None else f" ± {100 * sd:.2f}") + " %"
    return number(value) + ("" if sd is None else f" ± {sd:.2g}")


def _grid(rows: Sequence[Filled]) -> Iterator[str]:
    """Mean accuracy of each cell; a model's line, a column for each data set and backend."""
    found: dict[str, dict[tuple[str, str], str]] = {}
    for filled in rows:
        cell = _CELL.fullmatch(filled.row.what)
        assert cell, filled.row.what
        accuracy = "-" if filled.mean is None else f"{filled.mean:.1%}".replace("%", " %")
        if filled.scale not in ("paper", None):
            accuracy += f" ({filled.scale})"
        found.setdefault(cell["model"], {})[cell["dataset"], cell["backend"]] = accuracy
    columns = list(dict.fromkeys(column for cells in found.values() for column in cells))
    columns.sort(key=lambda column: (column[0], column[1] != "sim"))
    yield "| model | " + " | ".join(f"{dataset}, `{backend}`" for dataset, backend in columns) + " |"
    yield "|---" * (len(columns) + 1) + "|"
    for model, cells in found.items():
        yield f"| {model} | " + " | ".join(cells.get(column, "-") for column in columns) + " |"
