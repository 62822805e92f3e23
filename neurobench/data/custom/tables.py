"""Custom data in a table: one row per sample."""

from __future__ import annotations

import csv
import math
import warnings
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from neurobench.config.errors import did_you_mean
from neurobench.data.custom.locate import VALIDATION, existing, require_read, version
from neurobench.data.custom.specs import CSV, Header
from neurobench.data.custom.splits import Content, Samples, encode_labels, scaled, splits, unscaled
from neurobench.data.dataset import DataError, Splits

SEPARATORS = (",", ";", "\t")
MISSING = ("", "?", "na", "nan", "n/a", "null", "none")
MOST_CLASSES = 1000
COUNTED = 20  # fewest rows of which consecutive numbers are no coincidence
INDEX = ("", "unnamed: 0", "index", "id")  # names of a column of row numbers, whatever their case; pandas writes ""


class Table(NamedTuple):
    x: np.ndarray  # (N, D) float64
    labels: list[str]
    names: tuple[str, ...]  # of the features; () if the first line has none
    doubts: tuple[str, ...]  # what may not be meant: a first line that is taken as names, a column that numbers rows


def header(spec: CSV) -> Header:
    """Header of a table. Raises DataError with line and column of a cell that is not a number."""
    tables = _tables(spec)
    widths = {table.x.shape[1] for table in tables.values()}
    if len(widths) > 1:
        files = _files(spec)
        widths_text = ", ".join(f"{files[name].name} {table.x.shape[1]}" for name, table in tables.items())
        raise DataError(f"{spec.root}: rows have different numbers of features: {widths_text}")
    _require_same_columns(spec, tables)
    classes, _ = encode_labels(label for table in tables.values() for label in table.labels)
    n = sum(len(table.labels) for table in tables.values())
    if len(classes) > min(MOST_CLASSES, max(2, n // 2)):
        raise DataError(
            f"{spec.root}: column {spec.label} has {len(classes)} different values in {n} rows; is it the label? "
            "Name its column with dataset.label=COLUMN"
        )
    return Header("vector", (widths.pop(),), classes, n)


def _require_same_columns(spec: CSV, tables: Mapping[str, Table]) -> None:
    """Features are matched by position. Raises DataError if a table has others, or in another order."""
    files, train = _files(spec), tables["train"].names
    for part, table in tables.items():
        for k, (name, other) in enumerate(zip(train, table.names, strict=False)):
            if name != other:
                raise DataError(
                    f"{spec.root}: feature {k} is {name} in {files['train'].name} and {other} in {files[part].name}; "
                    "give both the same columns in the same order"
                )


def load(spec: CSV, seed: int) -> Splits:
    """Read the tables into splits. Raises DataError."""
    tables = _tables(spec)
    for doubt in (doubt for table in tables.values() for doubt in table.doubts):
        warnings.warn(doubt, stacklevel=2)
    classes, y = encode_labels(label for table in tables.values() for label in table.labels)
    parts = np.split(y, np.cumsum([len(table.labels) for table in tables.values()])[:-1])
    samples = {name: Samples(table.x, y_part) for (name, table), y_part in zip(tables.items(), parts, strict=True)}
    scale = scaled if spec.scaling == "auto" else unscaled
    files, validation = tuple(_files(spec).values()), samples.get("validation")
    content = Content(samples["train"], samples.get("test"), classes, files, scale, validation)
    return splits(spec, content, seed)


def _files(spec: CSV) -> dict[str, Path]:
    base = Path(str(spec.root)).expanduser()
    if base.is_dir():
        files = {name: existing(str(base / f"{name}.csv"), spec.expected) for name in ("train", "test")}
        offered = [f"{name}.csv" for name in VALIDATION]
        tables = sorted(file.name for file in base.iterdir() if file.suffix.lower() == ".csv")
        if held_out := next((name for name in offered if name in tables), None):
            files["validation"] = existing(str(base / held_out), spec.expected)
        require_read(base, tables, [file.name for file in files.values()], offered)
        return files
    return {"train": existing(spec.root, spec.expected)}


def _tables(spec: CSV) -> dict[str, Table]:
    return {name: _read(str(path), version(path), spec.label, spec.separator) for name, path in _files(spec).items()}


@lru_cache(maxsize=4)
def _read(path: str, _version: Any, label: str, separator: str | None) -> Table:
    rows = _rows(path, separator)
    if not rows:
        raise DataError(f"{path}: is empty; expected one row per sample")
    (_, first), *others = rows
    place, named = _label_place(path, first, label)
    if not named:
        others = rows
    if not others:
        raise DataError(f"{path}: has a line of names but no samples")
    label_name, all_names = first[place].strip(), [name.strip() for name in first]
    if named and label != label_name and label in all_names:
        raise DataError(
            f"{path}: label={label} is the number of column {label_name} and the name of another; rename that"
        )
    if named and label_name and all_names.count(label_name) > 1:
        raise DataError(f"{path}: several columns are named {label_name}, as the label is; rename or remove the others")
    names = first if named else [str(k) for k in range(len(first))]
    if len(first) < 2:
        raise DataError(
            f"{path}: has one column; expected features and a label, separated by a comma, semicolon or tab, or as "
            "dataset.separator says"
        )
    x, labels = np.empty((len(others), len(first) - 1)), []
    for number, (line, row) in enumerate(others):
        if len(row) != len(first):
            raise DataError(f"{path}: line {line} has {len(row)} cells, the first line {len(first)}")
        label_text = row[place].strip()
        if label_text.lower() in MISSING:
            raise DataError(
                f"{path}: line {line} has no label (column {names[place]} reads {label_text!r}); give it one, rename a "
                "class of that name, or remove it"
            )
        labels.append(label_text)
        x[number] = [
            _number(cell, path, line, name) for k, (cell, name) in enumerate(zip(row, names, strict=True)) if k != place
        ]
    features = tuple(name.strip() for k, name in enumerate(names) if k != place) if named else ()
    return Table(x, labels, features, tuple(_doubts(path, names, place, named, x)))


def _rows(path: str, separator: str | None) -> list[tuple[int, list[str]]]:
    """Line number and cells of each row that is not blank."""
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as stream:
            if separator is None:
                start = stream.readline()
                separator = max(SEPARATORS, key=start.count)
                stream.seek(0)
            reader = csv.reader(stream, delimiter=separator, skipinitialspace=True, strict=True)
            return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text at byte {error.start}; save it as UTF-8") from error
    except (OSError, csv.Error, TypeError) as error:
        raise DataError(f"{path}: cannot be read as a table ({error})") from error


def _label_place(path: str, first: list[str], label: str) -> tuple[int, bool]:
    """Number of the label's column, and whether the first line names the columns."""
    names = [name.strip() for name in first]
    if label in names and not _is_whole(label):
        return names.index(label), True
    if not _is_whole(label):
        guess = did_you_mean(label, names)
        raise DataError(f"{path}: has no column {label}; its first line reads {', '.join(names[:12])}.{guess}")
    number = int(label)
    if not -len(names) <= number < len(names):
        raise DataError(f"{path}: has {len(names)} columns, so label={number} is out of range")
    number %= len(names)
    features = [(k, name) for k, name in enumerate(names) if k != number]
    if len(features) > 2 and all(name == str(k) for k, name in features):
        return number, True
    # A missing cell is not a name: a first sample with a missing cell is refused with its line, not skipped as names.
    return number, any(_value(name) is None for _, name in features if name.lower() not in MISSING)


def _doubts(path: str, names: list[str], label: int, named: bool, x: np.ndarray) -> Iterator[str]:
    """A first line of numbers that is taken as names; and columns that number the rows, such as an index: in a table
    that was once sorted by class they tell the class."""
    features = [(k, name) for k, name in enumerate(names) if k != label]
    numbers = [k for k, name in features if _value(name) is not None]
    if named and numbers:
        yield f"{path}: the first line is taken as column names, though column {numbers[0]} reads {names[numbers[0]]}"
    for (k, name), column in zip(features, x.T, strict=True):
        if len(column) >= COUNTED and _is_index(name, column):
            called = f"{k} ({name})" if named and name else str(k)
            yield f"{path}: column {called} numbers the rows and is used as a feature; remove it if it is an index"


def _is_index(name: str, column: np.ndarray) -> bool:
    """Whether a column has consecutive numbers, also after rows were shuffled; or, if rows were left out since, other
    whole numbers, each once, under the name of an index."""
    steps = np.diff(np.sort(column))
    named = name.strip().lower() in INDEX
    return bool((steps == 1).all() or (named and (steps > 0).all() and (column == column.round()).all()))


def _is_whole(text: str) -> bool:
    return text.removeprefix("-").isdecimal()


def _value(cell: str) -> float | None:
    try:
        return None if "_" in cell else float(cell)  # Python's 1_000 is not a number in a table
    except ValueError:
        return None


def _number(cell: str, path: str, line: int, name: str) -> float:
    value = _value(cell)
    if cell.strip().lower() in MISSING:
        raise DataError(f"{path}: line {line}, column {name} is missing ({cell.strip()!r}); fill it or drop the row")
    if value is None:
        comma = _value(cell.replace(",", ".")) is not None
        advice = "write its decimal comma as a point" if comma else "encode it as numbers"
        raise DataError(f"{path}: line {line}, column {name} is {cell.strip()!r}, not a number; {advice}")
    if not math.isfinite(value):
        raise DataError(f"{path}: line {line}, column {name} is {cell.strip()}, not a finite number")
    return value
