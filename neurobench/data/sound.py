"""What must hold of any data set's splits before anything is trained on them: there are samples, every class that is
tested can be learned, numbers are finite, and no sample is in two splits, by its content and not by its name."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from neurobench.data.dataset import DataError, Split, Splits
from neurobench.data.events import StoredEvents


def sound(splits: Splits, n_classes: int) -> Splits:
    """The splits, without training samples that are held out for validation as well. Raises DataError for an empty
    split, for a label that is no class, for a sample with a number that is not finite, for a class that is tested and
    nowhere in training, and for a sample of the test set that is among the training set or its held-out part."""
    named = {"training": splits.train, "validation": splits.validation, "test": splits.test}
    for name, split in named.items():
        if not len(split) and name != "validation":
            raise DataError(f"{splits.source}: the {name} set is empty. Give it samples, or hold out fewer.")
        for label in {*split.y.tolist()} - {*range(n_classes)}:
            raise DataError(f"{splits.source}: label {label} of the {name} set is none of 0 to {n_classes - 1}.")
        strange = _not_finite(split)
        if strange:
            raise DataError(
                f"{splits.source}: {len(strange)} samples of the {name} set hold NaN or an infinite number (first: "
                f"number {int(split.ids[strange[0]])}). Remove or repair them."
            )
    missing = sorted({*splits.test.y.tolist()} - {*splits.train.y.tolist()})
    if missing:
        classes = ", ".join(map(str, missing))
        raise DataError(
            f"{splits.source}: class {classes} is in the test set and nowhere among the {len(splits.train)} training "
            "samples, so it cannot be learned. Add samples of it, or hold out fewer."
        )
    keys = {name: _keys(split) for name, split in named.items()}
    labels: dict[int, int] = {}
    both = sum(labels.setdefault(key, y) != y for key, y in zip(keys["training"], splits.train.y.tolist(), strict=True))
    if both:
        warnings.warn(f"{splits.source}: {both} training samples occur under two labels", stacklevel=2)
    for name in ("training",) if splits.validation_is_tested else ("training", "validation"):
        shared = _shared(splits.test, keys["test"], named[name], keys[name])
        if shared:
            number, tested = int(named[name].ids[shared[0][1]]), int(splits.test.ids[shared[0][0]])
            raise DataError(
                f"{splits.source}: {len(shared)} test samples are in the {name} set as well, by content (first: number "
                f"{tested}, there number {number}). Remove one of each."
            )
    copies = {
        other_row for _, other_row in _shared(splits.validation, keys["validation"], splits.train, keys["training"])
    }
    if not copies:
        return splits
    warnings.warn(
        f"{splits.source}: {len(copies)} training samples are copies of held-out ones, left out", stacklevel=2
    )
    rest = torch.tensor([k for k in range(len(splits.train)) if k not in copies])
    return replace(splits, train=Split(_only(splits.train.x, rest), splits.train.y[rest], splits.train.ids[rest]))


def _not_finite(split: Split) -> list[int]:
    """Positions of samples that a mean or a gradient would not survive. Recordings are whole numbers."""
    if not isinstance(split.x, torch.Tensor) or not split.x.is_floating_point():
        return []
    if math.isfinite(split.x.sum()):  # what is not finite spoils it; a fortieth of the time of looking at each
        return []
    return (~torch.isfinite(split.x).flatten(1).all(1)).nonzero().flatten().tolist()


def _only(x: Any, index: torch.Tensor) -> Any:
    return x.only(index.numpy()) if isinstance(x, StoredEvents) else x[index]


def _shared(one: Split, keys: Sequence[int], other: Split, other_keys: Sequence[int]) -> list[tuple[int, int]]:
    """Positions in both of samples with the same content; every one of the other's is listed."""
    known = {key: k for k, key in enumerate(keys)}
    pairs = [(known[key], other_row) for other_row, key in enumerate(other_keys) if key in known]
    return [(row, other_row) for row, other_row in pairs if _equal(one, row, other, other_row)]


def _keys(split: Split) -> list[int]:
    """Of each sample, the same for samples of the same content, and hardly ever for others."""
    x = split.x
    if isinstance(x, torch.Tensor):
        table = x.flatten(1).to(torch.float32).numpy()
    else:
        fields: tuple[np.ndarray, ...]
        if isinstance(x, StoredEvents):
            begin, length, fields = x.begin, x.length, (x.codes,)
        else:
            begin, length = x.start[:-1].numpy(), x.start.diff().numpy()
            fields = tuple(field.numpy() for field in (x.t, x.x, x.y, x.p))
        places = [begin + length * part // 8 for part in range(8)]
        table = np.stack([length, *(field[np.minimum(at, len(field) - 1)] for field in fields for at in places)], 1)
    if not table.size:
        return []
    words = np.ascontiguousarray(table).view(np.uint32).reshape(len(table), -1)
    odd = np.random.default_rng(0).integers(2**63, size=words.shape[1], dtype=np.uint64) * 2 + 1
    return np.einsum("ij,j->i", words, odd, dtype=np.uint64, casting="unsafe").tolist()


def _equal(one: Split, row: int, other: Split, other_row: int) -> bool:
    a: Any = one.x[row : row + 1]
    b: Any = other.x[other_row : other_row + 1]
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    return all(torch.equal(getattr(a, field), getattr(b, field)) for field in ("t", "x", "y", "p"))
