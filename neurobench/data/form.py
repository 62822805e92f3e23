"""Checks of the form in which a data set's or an encoder's function returned samples: types, shapes and ranges that
models rely on.

Compiled kernels do not check indices: a column outside the sensor would read foreign memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from neurobench.data.dataset import DataError, Layout, Split, Splits
from neurobench.data.events import Events, StoredEvents

FIELDS = {"t": torch.int32, "x": torch.uint8, "y": torch.uint8, "p": torch.uint8, "start": torch.int64}


def require_form(splits: Any, layout: Layout, shape: tuple[int, ...], n_classes: int) -> None:
    """Check that these are Splits of samples of a layout and shape, with a name for each class if they have names.
    Raises DataError with all faults."""
    if not isinstance(splits, Splits):
        made = type(splits).__name__
        raise DataError(f"the function of the data set returned a {made}; expected Splits (neurobench.data.dataset)")
    parts = {"training": splits.train, "validation": splits.validation, "test": splits.test, **splits.others}
    faults = [f"{name} set: {fault}" for name, split in parts.items() for fault in _faults(split, layout, shape)]
    names = [*(splits.classes or ())]
    if names and not (len(names) == n_classes and all(isinstance(name, str) for name in names)):
        faults.append(f"classes are {splits.classes}; expected {n_classes} names, or ()")
    if faults:
        raise DataError(f"{splits.source}: " + "; ".join(faults))


def require_encoded(x: Any, layout: Layout, shape: tuple[int, ...], n: int, encoder: str) -> None:
    """Check the form of n samples that an encoder returned. Raises DataError with all faults."""
    faults = [*_sample_faults(x, layout, shape)]
    if not faults and len(x) != n:
        faults.append(f"x has {len(x)} samples; expected {n}")
    if not faults and isinstance(x, Tensor) and bool(x.isnan().any()):
        faults.append("x contains NaN")
    if faults:
        raise DataError(f"encoder {encoder}: " + "; ".join(faults))


def _faults(split: Any, layout: Layout, shape: tuple[int, ...]) -> Iterator[str]:
    if not isinstance(split, Split):
        yield f"is a {type(split).__name__}; expected a Split"
        return
    for name, part in (("y", split.y), ("ids", split.ids)):
        if not isinstance(part, Tensor) or part.dtype != torch.int64 or part.dim() != 1:
            yield f"{name} is {_described(part)}; expected a tensor of int64 (N,)"
            return
    faults = [*_sample_faults(split.x, layout, shape)]
    yield from faults
    if not faults and not len(split.x) == len(split.y) == len(split.ids):
        yield f"x has {len(split.x)} samples, y {len(split.y)} and ids {len(split.ids)}"


def _described(part: Any) -> str:
    if not isinstance(part, Tensor):
        return f"a {type(part).__name__}"
    return f"a tensor of {str(part.dtype).removeprefix('torch.')} {tuple(part.shape)}"


def _sample_faults(x: Any, layout: Layout, shape: tuple[int, ...]) -> Iterator[str]:
    return event_faults(x, shape) if layout == "events" else _number_faults(x, shape)


def _number_faults(x: Any, shape: tuple[int, ...]) -> Iterator[str]:
    if not isinstance(x, Tensor) or x.dtype != torch.float32 or tuple(x.shape[1:]) != tuple(shape):
        yield f"x is {_described(x)}; expected a tensor of float32 (N, {', '.join(map(str, shape))})"
    elif x.numel():
        low, high = (float(extreme) for extreme in torch.aminmax(x))
        if low < 0 or high > 1:
            yield (
                f"x has values in [{low:.9g}, {high:.9g}]; scale them to [0, 1] by the extremes of the training "
                "samples, and clip what lies beyond these"
            )


def event_faults(x: Any, shape: tuple[int, ...]) -> Iterator[str]:
    """Why these are not recordings of a sensor of this shape whose events a kernel can index."""
    if not isinstance(x, Events | StoredEvents):
        yield f"x is {_described(x)}; expected Events (neurobench.data.events)"
    elif tuple(x.sensor) != tuple(shape):
        yield f"x has a sensor of {tuple(x.sensor)}; expected {tuple(shape)} (polarities, rows, columns)"
    elif isinstance(x, Events):  # stored ones are made by this package
        wrong = [name for name, dtype in FIELDS.items() if not _is_row(getattr(x, name), dtype)]
        if wrong:
            listed = ", ".join(f"{name} is {_described(getattr(x, name))}" for name in wrong)
            yield f"{listed}; expected rows of int32 (t), uint8 (x, y, p) and int64 (start)"
        else:
            yield from _index_faults(x)


def _is_row(field: Any, dtype: torch.dtype) -> bool:
    return isinstance(field, Tensor) and field.dtype == dtype and field.dim() == 1


def _index_faults(x: Events) -> Iterator[str]:
    n, start = len(x.t), x.start
    if not len(start) or start[0] != 0 or start[-1] != n or bool((start.diff() < 0).any()):
        yield f"start does not ascend from 0 to the {n} events"
        return
    if any(len(field) != n for field in (x.x, x.y, x.p)):
        yield f"t, x, y and p have {n}, {len(x.x)}, {len(x.y)} and {len(x.p)} events"
        return
    if not n:
        return
    for name, field, side in zip("pyx", (x.p, x.y, x.x), x.sensor, strict=True):
        if (most := int(field.max())) >= side:
            yield f"an event has {name}={most}, outside the sensor of {x.sensor} (polarities, rows, columns)"
    backwards = x.t[1:] < x.t[:-1]
    first = start[(start > 0) & (start < n)]
    backwards[first - 1] = False  # the first event of a recording may precede the last of the one before
    if int(x.t.min()) < 0 or bool(backwards.any()):
        yield "the times of a recording are negative or not in order"
