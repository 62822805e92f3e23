"""Published and measured figures of a tutorial."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from neurobench.api.overrides import folder_of, outputs_of
from neurobench.api.runs import html_table
from neurobench.config.errors import UserError, did_you_mean
from neurobench.config.targets import import_extra
from neurobench.report import controls_table
from neurobench.report.controls import Comparison, comparisons
from neurobench.report.controls_table import with_rows
from neurobench.report.formats import COLUMNS, cells
from neurobench.report.published import published_tables, table_names
from neurobench.report.table import ResultRow, join
from neurobench.storage.store import read_index

if TYPE_CHECKING:
    import pandas as pd


def table(name: str, outputs: str | Path | None = None, *, config_dir: str | Path | None = None) -> Table:
    """The table that `neurobench table NAME` prints: a row per figure, from the finished runs below `outputs`.

    `config_dir`: a folder of YAML files of your own, whose experiments may declare further tables. Raises UserError if
    there is no such table or folder.
    """
    own = folder_of(config_dir)
    names = table_names(own)
    if name not in names:
        raise UserError(f"there is no table {name!r}; there is {', '.join(names)}.{did_you_mean(name, names)}")
    folder = outputs_of(outputs)
    tables, runs = published_tables(own), read_index(folder)
    rows = join(tables[name], folder, runs)
    return Table(rows, comparisons(rows, tables, folder, runs))


class Table(Sequence[ResultRow]):
    """Rows with the published and the measured figure and whether it lies in its band; and a comparison for each pair
    of settings that the table compares."""

    def __init__(self, rows: Sequence[ResultRow], comparisons: Sequence[Comparison] = ()):
        self._rows = list(rows)
        self.comparisons = list(comparisons)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> ResultRow: ...

    @overload
    def __getitem__(self, index: slice) -> Table: ...

    def __getitem__(self, index: int | slice) -> ResultRow | Table:
        if not isinstance(index, slice):
            return self._rows[index]
        rows = self._rows[index]
        return Table(rows, [made for made in self.comparisons if any(made.control is row for row in rows)])

    def frame(self) -> pd.DataFrame:
        """Table with a row per figure and numeric values. Raises UserError if pandas is not installed."""
        pandas = import_extra("pandas", "frame", "Table.frame")
        records: list[dict[str, Any]] = [row.as_dict() for row in self]
        frame: pd.DataFrame = pandas.DataFrame.from_records(records)
        return frame

    def __repr__(self) -> str:
        return with_rows(self, [self.comparisons])

    def _repr_html_(self) -> str:
        rows = html_table(COLUMNS, [cells(row) for row in self], len(self))
        made = [
            dict(zip(controls_table.COLUMNS, controls_table.cells(each), strict=True))
            for each in self.comparisons
            if each.seeds
        ]
        return rows + (html_table(controls_table.COLUMNS, made, len(made)) if made else "")
