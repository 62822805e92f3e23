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

RESERVED = {"train", "training", "validation", "test"}  # figures of these splits begin with their names


def sound(splits: Splits, n_classes: int) -> Splits:
    """The splits, without training samples that are held out for validation as well. Raises DataError for an empty
    split, for a label that is no class, for a sample with a number that is not finite, for a class that is tested and
    nowhere in training, and for a sample of a test set that is among the training set or its held-out part."""
    for name in sorted(RESERVED & {*splits.others}):
        raise DataError(f"{splits.source}: a further test set is named {name}, as another split is. Name it otherwise.")
    tests = {"test": splits.test, **splits.others}
    learned = {"training": splits.train, "validation": splits.validation}
    for name, split in {**learned, **tests}.items():
        _require_samples(split, f"the {name} set", splits.source, n_classes, may_be_empty=name == "validation")
    for name, split in tests.items():
        _require_classes(split, f"the {name} set", splits)
    if missing := _not_learned(splits.validation, splits):
        warnings.warn(
            f"{splits.source}: class {missing} is in the validation set and nowhere in training, so that none of its "
            "samples counts as correct there",
            stacklevel=2,
        )
    keys = {name: _keys(split) for name, split in learned.items()}
    labels: dict[int, int] = {}
    both = sum(labels.setdefault(key, y) != y for key, y in zip(keys["training"], splits.train.y.tolist(), strict=True))
    if both:
        warnings.warn(f"{splits.source}: {both} training samples occur under two labels", stacklevel=2)
    for name, split in tests.items():
        tested = _keys(split)
        for other in ("training",) if splits.validation_is_tested else ("training", "validation"):
            if shared := _shared(split, tested, learned[other], keys[other]):
                number, there = int(split.ids[shared[0][0]]), int(learned[other].ids[shared[0][1]])
                raise DataError(
                    f"{splits.source}: {len(shared)} {name} samples are in the {other} set as well, by content (first: "
                    f"number {number}, there number {there}). Remove one of each."
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
    train = splits.train
    return replace(splits, train=replace(train, x=_only(train.x, rest), y=train.y[rest], ids=train.ids[rest]))


def _require_samples(split: Split, name: str, source: str, n_classes: int, may_be_empty: bool) -> None:
    """Raises DataError where there is none, or one without a class or with a number that is not finite."""
    if not len(split) and not may_be_empty:
        raise DataError(f"{source}: {name} is empty. Give it samples, or hold out fewer.")
    for label in {*split.y.tolist()} - {*range(n_classes)}:
        raise DataError(f"{source}: label {label} of {name} is none of 0 to {n_classes - 1}.")
    if strange := _not_finite(split):
        raise DataError(
            f"{source}: {len(strange)} samples of {name} hold NaN or an infinite number (first: number "
            f"{int(split.ids[strange[0]])}). Remove or repair them."
        )


def _require_classes(test: Split, name: str, splits: Splits) -> None:
    """Raises DataError for one that is tested and cannot have been learned."""
    if missing := _not_learned(test, splits):
        raise DataError(
            f"{splits.source}: class {missing} is in {name} and nowhere among the "
            f"{len(splits.train)} training samples, so it cannot be learned. Add samples of it, or hold out fewer."
        )


def _not_learned(split: Split, splits: Splits) -> str:
    """Its classes that are nowhere in training."""
    return ", ".join(map(str, sorted({*split.y.tolist()} - {*splits.train.y.tolist()})))


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
