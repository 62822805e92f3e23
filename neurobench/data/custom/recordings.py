"""Custom data: a folder of event recordings for each class."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from neurobench.data.custom.formats import READERS, Raw, read
from neurobench.data.custom.locate import Folders, Labelled, class_folders, version
from neurobench.data.custom.specs import EventsFolder, Header
from neurobench.data.custom.splits import Content, Samples, splits
from neurobench.data.dataset import DataError, Splits
from neurobench.data.events import MANY_LATE, Events, are_emulated

MICROSECONDS = {"us": 1.0, "ms": 1000.0, "s": 1e6}
BRIEF = 10  # ms; a recording that is shorter has hardly a time step, or its times are in another unit
WIDEST = 256  # most rows and columns: an event's are stored in one byte each


class View(NamedTuple):
    """Preprocessing of a sensor's recordings."""

    sensor: tuple[int, int]  # rows, columns, before pooling
    pool: int
    merged: bool  # whether polarities are merged
    scale: float  # stored time -> microseconds of the model's time
    from_first: bool
    window: float  # ms

    @property
    def shape(self) -> tuple[int, int, int]:
        rows, columns = (-(-side // self.pool) for side in self.sensor)
        return 1 if self.merged else 2, rows, columns


def header(spec: EventsFolder) -> Header:
    """Header of the recordings. If the sensor is not given, its size is computed from the events of all recordings,
    which are read for that. Raises DataError."""
    folders = class_folders(spec.root, spec.expected, tuple(READERS))
    return Header("events", _view(spec, folders).shape, folders.classes, len(folders.files))


def load(spec: EventsFolder, seed: int) -> Splits:
    """Read the recordings into splits. Raises DataError with the name of a recording that cannot be used."""
    folders = class_folders(spec.root, spec.expected, tuple(READERS))
    view = _view(spec, folders)

    def samples(part: Labelled, warns_as: str | None = None) -> Samples:
        named = ((str(file), _read(str(file), version(file))) for file in part.files)
        return Samples(joined(named, view, warns_as, f"dataset.unit={spec.unit}"), np.array(part.labels, np.int64))

    validation, test = (samples(part) if part else None for part in (folders.validation, folders.test))
    train = samples(folders.train, str(spec.root))
    emulated = are_emulated(Path(str(spec.root)).expanduser())
    content = Content(train, test, folders.classes, folders.files, None, validation, emulated, folders.folders)
    return splits(spec, content, seed)


def _view(spec: EventsFolder, folders: Folders) -> View:
    if spec.sensor is not None:
        rows, columns = spec.sensor
    else:
        rows, columns = np.max([_extent(str(file), version(file)) for file in folders.files], axis=0).tolist()
    view = View(
        sensor=(rows, columns),
        pool=spec.pool,
        merged=spec.polarity == "merged",
        scale=MICROSECONDS[spec.unit] / spec.faster,
        from_first=spec.origin == "first",
        window=spec.window,
    )
    require_sensor(view, str(spec.root))
    return view


def require_sensor(view: View, root: str) -> None:
    """Check the sensor's size. Raises DataError if one byte cannot number its rows or columns."""
    if max(view.shape[1:]) > WIDEST:
        least = -(-max(view.sensor) // WIDEST)
        raise DataError(
            f"{root}: a sensor of {view.sensor[0]} x {view.sensor[1]} pixels has more than {WIDEST} rows or columns. "
            f"Pool pixels: dataset.pool={least}"
        )


@lru_cache(maxsize=100_000)
def _extent(file: str, of: Any) -> tuple[int, int]:
    raw = _read(file, of)
    return int(raw.y.max(initial=0)) + 1, int(raw.x.max(initial=0)) + 1


def _read(file: str, _version: Any) -> Raw:
    return checked(read(Path(file)), file)


def checked(raw: Raw, file: str) -> Raw:
    """Checked events: times as stored, whole numbers from 0 for pixels, polarity 0 or 1. Raises DataError."""
    lengths = {len(field) for field in raw}
    if len(lengths) > 1 or any(field.ndim != 1 for field in raw):
        listed = ", ".join(f"{name} {field.shape}" for name, field in zip(Raw._fields, raw, strict=True))
        raise DataError(f"{file}: t, x, y and p differ in length: {listed}")
    if not len(raw.t):
        raise DataError(f"{file}: has no event. Replace or remove it.")
    for name, field in zip(Raw._fields, raw, strict=True):
        if field.dtype.kind not in "buif":
            raise DataError(f"{file}: {name} is of type {field.dtype}, not numbers")
        if field.dtype.kind == "f" and not (
            np.isfinite(field).all() and (name == "t" or (field == field.round()).all())
        ):
            raise DataError(
                f"{file}: {name} contains a value that is not a {'finite' if name == 't' else 'whole'} number"
            )
    polarities = {*np.unique(raw.p).tolist()}
    if not polarities <= {0, 1} and not polarities <= {-1, 1}:
        listed = ", ".join(str(value) for value in sorted(polarities)[:5])
        raise DataError(f"{file}: polarities are {listed}; they must be 0 and 1, or -1 and 1")
    for name in ("x", "y"):
        if (getattr(raw, name) < 0).any():
            raise DataError(f"{file}: {name} contains negative numbers; pixels are numbered from 0")
    backwards = np.flatnonzero(raw.t[1:] < raw.t[:-1])
    if len(backwards):
        k = int(backwards[0]) + 1
        raise DataError(f"{file}: event {k} is at {raw.t[k]}, after one at {raw.t[k - 1]}; sort events by time")
    return Raw(raw.t, raw.x.astype(np.int64), raw.y.astype(np.int64), (raw.p > 0).astype(np.uint8))


def windowed(raw: Raw, name: str, view: View) -> Raw:
    """A recording's events within the window, in microseconds. Raises DataError."""
    for axis, side, field in (("y", view.sensor[0], raw.y), ("x", view.sensor[1], raw.x)):
        if field.max() >= side:
            k = int(np.argmax(field >= side))
            raise DataError(
                f"{name}: event {k} has {axis}={field[k]}, outside a sensor of {view.sensor[0]} x {view.sensor[1]} "
                "pixels (dataset.sensor=[rows,columns])"
            )
    begin = raw.t[0] if view.from_first else 0
    t = np.round((raw.t.astype(np.float64) - begin) * view.scale)
    if t[0] < 0:
        raise DataError(f"{name}: its first event is at a negative time, {raw.t[0]}; set dataset.origin=first")
    within = t < view.window * 1000
    if not within.any():
        raise DataError(
            f"{name}: its first event is at {t[0] / 1000:g} ms, after the window of {view.window:g} ms; set "
            "dataset.origin=first, dataset.unit or dataset.faster"
        )
    x, y, p = raw.x[within] // view.pool, raw.y[within] // view.pool, raw.p[within]
    return Raw(
        t[within].astype(np.int32),  # times past the window may exceed 32 bits as well
        x.astype(np.uint8),
        y.astype(np.uint8),
        np.zeros_like(p) if view.merged else p,
    )


def joined(named: Iterable[tuple[str, Raw]], view: View, warns_as: str | None = None, unit: str = "") -> Events:
    """Recordings within the window, end to end. Raises DataError. warns_as: name of the data in a warning if a tenth of
    the events or more come after the window, or all recordings are shorter than BRIEF; unit: the key that gives the
    unit of times, if it may be wrong."""
    each, n = [], 0
    for name, raw in named:
        each.append(windowed(raw, name, view))
        n += len(raw.t)
    start = np.concatenate([[0], np.cumsum([len(one.t) for one in each])]).astype(np.int64)
    assert all(a <= b for a, b in pairwise(start.tolist()))
    late, longest = 1 - start[-1] / n, max(int(one.t[-1]) for one in each) / 1000
    if warns_as and late >= MANY_LATE:
        other = f", unless times are not in {unit}" if unit else ""
        warnings.warn(
            f"{warns_as}: {100 * late:.0f} % of the events come after dataset.window={view.window:g} ms and are left "
            f"out; a longer window, or dataset.faster, keeps them{other}",
            stacklevel=3,
        )
    elif warns_as and unit and not late and longest < BRIEF:
        warnings.warn(f"{warns_as}: the longest recording lasts {longest:g} ms; are its times in {unit}?", stacklevel=3)
    t, x, y, p = (torch.from_numpy(np.concatenate([one[k] for one in each])) for k in range(4))
    return Events(t, x, y, p, torch.from_numpy(start), view.shape)
