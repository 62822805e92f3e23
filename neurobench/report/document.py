"""Measured figures in somebody's own Markdown document (a README, a paper's draft), brought up to date in place.

A marked place is what lies between `<!-- table NAME [row ...] -->` and `<!-- end -->`: the rows of that table, by their
ids and in that order, or all that were measured. `<!-- table matrix -->` is a grid of models, data sets and backends;
a cell that was not run at paper scale names its scale.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from neurobench.config.errors import UserError
from neurobench.metrics.catalog import printed
from neurobench.report.table import ResultRow

_PLACE = re.compile(r"(<!-- table (?P<name>\S+)(?P<rows>[^>]*?) -->\n)(?P<old>.*?)(?P<end><!-- end -->)", re.DOTALL)


def tables_named(text: str) -> list[str]:
    """Which tables the document has places for, in the order of their first one."""
    return list(dict.fromkeys(place["name"] for place in _PLACE.finditer(text)))


def refreshed(text: str, tables: Mapping[str, Sequence[ResultRow]]) -> str:
    """The document with every marked place of one of `tables` written anew; all else is left as it is.

    Raises UserError for a row that its table does not have.
    """

    def rewritten(place: re.Match[str]) -> str:
        name = place["name"]
        if name not in tables:
            return place[0]
        lines = _grid(tables[name]) if name == "matrix" else _figures(_selected(name, tables[name], place["rows"]))
        return place[1] + "\n".join(["", *lines, ""]) + "\n" + place["end"]

    return _PLACE.sub(rewritten, text)


def _selected(name: str, rows: Sequence[ResultRow], ids: str) -> list[ResultRow]:
    if not ids.split():
        return [row for row in rows if row.runs]
    by_id = {row.row.id: row for row in rows}
    missing = [id for id in ids.split() if id not in by_id]
    if missing:
        raise UserError(f"table {name} has no row {', '.join(missing)}; it has {', '.join(by_id)}")
    return [by_id[id] for id in ids.split()]


def _figures(rows: Sequence[ResultRow]) -> Iterator[str]:
    yield "| figure | published | measured | seeds |"
    yield "|---|---|---|---|"
    for row in rows:
        published, measured = _figure(row, row.row.published), _figure(row, row.mean, row.sd)
        yield f"| {row.row.what} | {published} | {measured} | {len(row.runs) or '-'} |"


def _figure(row: ResultRow, value: float | None, sd: float | None = None) -> str:
    return "-" if value is None else printed(row.row.metric, value, sd)


def _grid(rows: Sequence[ResultRow]) -> Iterator[str]:
    """Mean accuracy of each cell; a model's line, a column for each data set and backend."""
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
