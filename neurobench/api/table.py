"""A tutorial's figures: published beside measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from neurobench.api.runs import html_table
from neurobench.config.errors import UserError, did_you_mean
from neurobench.config.targets import import_extra
from neurobench.report.formats import COLUMNS, as_markdown, cells
from neurobench.report.published import published_tables, table_names
from neurobench.report.table import ResultRow, join
from neurobench.storage.store import default_outputs

if TYPE_CHECKING:
    import pandas as pd


def table(name: str, outputs: str | Path | None = None) -> Table:
    """The table that `neurobench table NAME` prints: a row a figure, from the finished runs below `outputs`.

    Raises UserError where there is no such table.
    """
    names = table_names()
    if name not in names:
        raise UserError(f"there is no table {name!r}; there is {', '.join(names)}.{did_you_mean(name, names)}")
    return Table(join(published_tables()[name], default_outputs() if outputs is None else Path(outputs)))


class Table(Sequence[ResultRow]):
    """Rows with what was published, what was measured, and whether it lies in its band."""

    def __init__(self, rows: Sequence[ResultRow]):
        self._rows = list(rows)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> ResultRow: ...

    @overload
    def __getitem__(self, index: slice) -> Table: ...

    def __getitem__(self, index: int | slice) -> ResultRow | Table:
        return Table(self._rows[index]) if isinstance(index, slice) else self._rows[index]

    def frame(self) -> pd.DataFrame:
        """A row a figure, its numbers as numbers. Raises UserError where pandas is not installed."""
        pandas = import_extra("pandas", "frame", "Table.frame")
        records: list[dict[str, Any]] = [row.as_dict() for row in self]
        frame: pd.DataFrame = pandas.DataFrame.from_records(records)
        return frame

    def __repr__(self) -> str:
        return as_markdown(self)

    def _repr_html_(self) -> str:
        return html_table(COLUMNS, [cells(row) for row in self], len(self))
