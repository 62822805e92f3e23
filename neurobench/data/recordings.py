"""Recordings that were found and not yet read: what their names say, their order, and reading them into one split."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import as_tensor

from neurobench.data.aer import Recording, check_window
from neurobench.data.dataset import DataError, Split
from neurobench.data.events import Events

OFFICIAL = {"Train": 60_000, "Test": 10_000}  # recordings of the full set, numbered from 1


class Found(NamedTuple):
    """One recording."""

    name: str  # of the file, or of the archive's member
    id: int  # its number - 1
    label: int
    size: int  # bytes
    read: Callable[[], tuple[Recording, str]]  # checked events and the sha256 of the bytes


def identify(path: str) -> tuple[int, int]:
    """Label and id that an official path ("Train/<digit>/<number>.bin", at its end) states. Raises DataError."""
    match = re.search(r"(?:^|/)(Train|Test)/([0-9])/([0-9]{5})\.bin$", path)
    if match is None:
        raise DataError(f"{path}: is not named as a recording is, (Train or Test)/(digit 0-9)/(five-digit number).bin")
    split, label, number = match[1], int(match[2]), int(match[3])
    if not 1 <= number <= OFFICIAL[split]:
        raise DataError(f"{path}: the {split} recordings are numbered 1 to {OFFICIAL[split]}")
    return label, number - 1


def in_order(found: Iterable[Found]) -> list[Found]:
    """By id. A number that occurs twice would be in two classes, or in two splits: refused."""
    ordered = sorted(found, key=lambda each: each.id)
    for one, other in pairwise(ordered):
        if one.id == other.id:
            raise DataError(f"{one.name} and {other.name} carry the same number; remove the one that is wrong.")
    return ordered


def join(found: Sequence[Found], sensor: tuple[int, int, int], digests: dict[str, str]) -> Split:
    """Read recordings one by one, each straight into its place (the full set fills 2 GB, which must not double).

    Notes the sha256 of each under its name in `digests`.
    """
    start = np.zeros(len(found) + 1, np.int64)
    np.cumsum([each.size // 5 for each in found], out=start[1:])
    t = np.empty(start[-1], np.int32)
    x, y, p = (np.empty(start[-1], np.uint8) for _ in range(3))
    for k, each in enumerate(found):
        events, digests[each.name] = each.read()
        check_window(events, each.name)
        own = slice(start[k], start[k + 1])
        t[own], x[own], y[own], p[own] = events
    return Split(
        x=Events(as_tensor(t), as_tensor(x), as_tensor(y), as_tensor(p), as_tensor(start), sensor),
        y=torch.tensor([each.label for each in found], dtype=torch.int64),
        ids=torch.tensor([each.id for each in found], dtype=torch.int64),
    )


def in_words(test: Sequence[Found]) -> str:
    """What a figure measured on these recordings was measured on."""
    n, full = len(test), OFFICIAL["Test"]
    if n == full:
        return "the official test set"
    first = "the first " if test[-1].id == n - 1 else ""
    return f"{first}{n} of the {full:,} official test recordings"
