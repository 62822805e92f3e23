"""Checks of a data set's splits before training: there are samples, every tested class can be learned, numbers are
finite, and no sample is in two splits, compared by content and not by name."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from neurobench.data.dataset import DataError, DatasetSpec, Split, Splits
from neurobench.data.events import StoredEvents
from neurobench.data.form import require_form

RESERVED = {"train", "training", "validation", "test"}  # names of these splits' metrics begin with these words


def load_checked(spec: DatasetSpec, seed: int) -> Splits:
    """Load a data set, whose function may be a user's, and check form and content. Raises DataError."""
    splits = spec.load(seed)
    require_form(splits, spec.layout, spec.shape, spec.n_classes)
    return sound(splits, spec.n_classes)


def sound(splits: Splits, n_classes: int) -> Splits:
    """Check the splits and drop training samples that are also held out for validation. Raises DataError if a split is
    empty, a label is not a class, a sample contains a non-finite number, a tested class does not occur in training, or
    a test sample is also in the training set or its held-out part."""
    for name in sorted(RESERVED & {*splits.others}):
        raise DataError(f"{splits.source}: a further test set is named {name}, like another split. Rename it.")
    tests = {"test": splits.test, **splits.others}
    learned = {"training": splits.train, "validation": splits.validation}
    for name, split in {**learned, **tests}.items():
        _require_samples(split, f"the {name} set", splits.source, n_classes, may_be_empty=name == "validation")
    left = splits if splits.disjoint else apart(splits)
    for name, split in tests.items():
        _require_classes(split, f"the {name} set", left)
    if missing := _not_learned(splits.validation, left):
        warnings.warn(
            f"{splits.source}: class {missing} is in the validation set but not in training, so that none of its "
            "samples can count as correct there",
            stacklevel=2,
        )
    return left


def apart(splits: Splits) -> Splits:
    """Compare the samples of all splits and drop training samples that are also held out for validation. Raises
    DataError if a test sample is also in the training set or its held-out part."""
    tests = {"test": splits.test, **splits.others}
    learned = {"training": splits.train, "validation": splits.validation}
    keys = {name: _keys(split) for name, split in learned.items()}
    _warn_of_two_labels(splits, keys["training"])
    for name, split in tests.items():
        tested = _keys(split)
        for other in ("training",) if splits.validation_is_tested else ("training", "validation"):
            _require_apart(name, split, tested, other, learned[other], keys[other], splits.source)
    return replace(_without_copies(splits, keys["training"], keys["validation"]), disjoint=True)


def _warn_of_two_labels(splits: Splits, keys: Sequence[int]) -> None:
    labels: dict[int, int] = {}
    both = sum(labels.setdefault(key, y) != y for key, y in zip(keys, splits.train.y.tolist(), strict=True))
    if both:
        warnings.warn(f"{splits.source}: {both} training samples occur under two labels", stacklevel=3)


def _require_apart(
    name: str, test: Split, tested: Sequence[int], other: str, learned: Split, keys: Sequence[int], source: str
) -> None:
    """Check that a test set shares no sample with another split. Raises DataError with the first pair of samples."""
    if shared := _shared(test, tested, learned, keys):
        number, other_number = int(test.ids[shared[0][0]]), int(learned.ids[shared[0][1]])
        raise DataError(
            f"{source}: {len(shared)} {name} samples are in the {other} set as well, by content (first: "
            f"number {number}, there number {other_number}). Remove one of each."
        )


def _without_copies(splits: Splits, keys: Sequence[int], held_keys: Sequence[int]) -> Splits:
    """The splits without training samples that are copies of held-out ones, which are warned of."""
    copies = {row for _, row in _shared(splits.validation, held_keys, splits.train, keys)}
    if not copies:
        return splits
    warnings.warn(
        f"{splits.source}: {len(copies)} training samples are copies of held-out ones, left out", stacklevel=3
    )
    rest = torch.tensor([k for k in range(len(splits.train)) if k not in copies], dtype=torch.int64)
    return replace(splits, train=splits.train.only(rest))


def _require_samples(split: Split, name: str, source: str, n_classes: int, may_be_empty: bool) -> None:
    """Check a split's samples. Raises DataError if there are none, a label is not a class or a number is not finite."""
    if not len(split) and not may_be_empty:
        raise DataError(f"{source}: {name} is empty. Give it samples, or hold out fewer.")
    for label in {*split.y.tolist()} - {*range(n_classes)}:
        raise DataError(f"{source}: label {label} of {name} is not in 0 to {n_classes - 1}.")
    if strange := _not_finite(split):
        raise DataError(
            f"{source}: {len(strange)} samples of {name} contain NaN or an infinite number (first: number "
            f"{int(split.ids[strange[0]])}). Remove or repair them."
        )


def _require_classes(test: Split, name: str, splits: Splits) -> None:
    """Check the classes of a test set. Raises DataError if one is tested but cannot have been learned."""
    if missing := _not_learned(test, splits):
        raise DataError(
            f"{splits.source}: class {missing} is in {name} but not among the "
            f"{len(splits.train)} training samples, so it cannot be learned. Add samples of it, or hold out fewer."
        )


def _not_learned(split: Split, splits: Splits) -> str:
    """Classes of a split that do not occur in training."""
    return ", ".join(map(str, sorted({*split.y.tolist()} - {*splits.train.y.tolist()})))


def _not_finite(split: Split) -> list[int]:
    """Positions of samples with non-finite numbers, which spoil a mean or a gradient. Recordings are whole numbers."""
    if not isinstance(split.x, torch.Tensor) or not split.x.is_floating_point():
        return []
    if math.isfinite(split.x.sum()):  # any non-finite number spoils the sum; a fortieth of the time of checking each
        return []
    return (~torch.isfinite(split.x).flatten(1).all(1)).nonzero().flatten().tolist()


def _shared(one: Split, keys: Sequence[int], other: Split, other_keys: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs of positions in both splits of samples with the same content; every such sample of `other` is listed."""
    known = {key: k for k, key in enumerate(keys)}
    pairs = [(known[key], other_row) for other_row, key in enumerate(other_keys) if key in known]
    return [(row, other_row) for row, other_row in pairs if _equal(one, row, other, other_row)]


def _keys(split: Split) -> list[int]:
    """Hash of each sample: equal for samples with the same content, and hardly ever for others."""
    x = split.x
    if isinstance(x, torch.Tensor):
        unscaled = x.dtype == torch.float64  # a user's numbers, where -0.0 is 0.0, though not bit by bit
        table = (x.flatten(1) + 0.0 if unscaled else x.flatten(1).to(torch.float32)).numpy()
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
