"""Division of samples and labels into three splits: stratified by class, without copies, numbers scaled to [0, 1]."""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurobench.data.checks import apart
from neurobench.data.custom.specs import CustomData
from neurobench.data.dataset import DataError, Split, Splits
from neurobench.data.events import Events


class Samples(NamedTuple):
    """Samples and labels as read."""

    x: Any  # (N, ...) array of numbers, or N recordings
    y: np.ndarray  # (N,) int64 class


class Content(NamedTuple):
    """Content of a user's files. A set that is None is drawn from the training samples."""

    train: Samples
    test: Samples | None
    classes: tuple[str, ...]
    files: tuple[Path, ...]
    scale: Callable[[np.ndarray, np.ndarray], Tensor] | None = None  # (values, training values) -> float32 in [0, 1]
    validation: Samples | None = None
    emulated: bool = False
    folders: tuple[str, ...] = ()  # set and class of each file, if its folder states them


def splits(spec: CustomData, content: Content, seed: int) -> Splits:
    """Make the splits. Raises DataError if a class has too few samples to be in every split."""
    train, places = _deduplicated(content.train, spec.root)
    whole = np.arange(len(train.y))
    test = content.test
    if test is None:
        rest, tested = stratified_split(train.y, spec.test, spec.split_seed, content.classes, "test")  # type: ignore[attr-defined]
        words = f"{len(tested)} samples drawn from {spec.root} with split_seed={spec.split_seed}"  # type: ignore[attr-defined]
        test, test_ids = _at(train, tested), places[tested]
    else:
        rest, test_ids = whole, np.arange(len(test.y))
        words = f"the test set of {spec.root}, {len(test.y)} samples"
    validation = content.validation
    if validation is None:
        trained, held = stratified_split(train.y[rest], spec.validation, seed, content.classes, "validation")
        trained, held = rest[trained], rest[held]
        validation, held_ids = _at(train, held), places[held]
    else:
        trained, held_ids = rest, np.arange(len(validation.y))
    parts = zip((_at(train, trained), validation, test), (places[trained], held_ids, test_ids), strict=True)
    made = [_split(part, ids) for part, ids in parts]
    for one, other in pairwise(name for name in content.classes if _is_number(name)):
        if Decimal(one) == Decimal(other):
            warnings.warn(f"{spec.root}: classes {one} and {other} are the same number; are they one?", stacklevel=2)
    absent = [name for k, name in enumerate(content.classes) if not (test.y == k).any()]
    if absent:
        warnings.warn(f"{spec.root}: no test sample is of class {', '.join(absent[:10])}", stacklevel=2)
    digests = [_sha256(file) for file in content.files]
    if content.folders:  # a file that was moved to another class has the same bytes, but another label
        digests = [f"{digest} {folder}" for digest, folder in zip(digests, content.folders, strict=True)]
    raw = Splits(
        train=made[0],
        validation=made[1],
        test=made[2],
        source=str(spec.root),
        sha256=digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest(),
        evaluated_on=f"emulated recordings, {words}" if content.emulated else words,
        emulated=content.emulated,
        classes=content.classes,
        bytes_read=sum(file.stat().st_size for file in content.files),
    )
    left = apart(raw)  # compared before scaling, which may make samples beyond the training samples equal
    if not len(left.train):
        raise DataError(f"{spec.root}: every training sample is also in the validation set, which leaves none")
    return _scaled(left, content.scale)


def _split(samples: Samples, ids: np.ndarray) -> Split:
    x = samples.x if isinstance(samples.x, Events) else torch.from_numpy(samples.x)
    return Split(x, torch.from_numpy(samples.y), torch.from_numpy(ids.astype(np.int64)))


def _scaled(raw: Splits, scale: Callable[[np.ndarray, np.ndarray], Tensor] | None) -> Splits:
    """Splits whose numbers are scaled by those of the training samples; recordings have no scale."""
    if scale is None:
        return raw
    learned = _numbers(raw.train)

    def through(split: Split) -> Split:
        try:
            return replace(split, x=scale(_numbers(split), learned))
        except DataError as error:
            raise DataError(f"{raw.source}: {error}") from None

    train, validation, test = map(through, (raw.train, raw.validation, raw.test))
    return replace(raw, train=train, validation=validation, test=test)


def _numbers(split: Split) -> np.ndarray:
    assert isinstance(split.x, Tensor)
    return split.x.numpy()


def encode_labels(labels: Iterable[Any]) -> tuple[tuple[str, ...], np.ndarray]:
    """Names of the classes, finite numbers by size before strings in order, and the class of each label, int64."""
    words = [str(label) for label in labels]
    names = sorted(set(words), key=lambda name: (0, float(name), name) if _is_number(name) else (1, 0.0, name))
    place = {name: k for k, name in enumerate(names)}
    return tuple(names), np.array([place[word] for word in words], np.int64)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))  # NaN has no place in an order
    except ValueError:
        return False


def stratified_split(
    y: np.ndarray, share: float, seed: int, classes: Sequence[str], into: str
) -> tuple[np.ndarray, np.ndarray]:
    """Positions that stay and those drawn, each ascending: `share` of every class, at least one sample if share > 0."""
    if share == 0:
        return np.arange(len(y)), np.arange(0)
    random, taken = np.random.default_rng(seed), []
    for k, name in enumerate(classes):
        members = random.permutation(np.flatnonzero(y == k))
        if not len(members):  # a class that only a separate test set has: the splits as a whole are refused
            continue
        if len(members) < 2:
            remedy = "set dataset.validation=0" if into == "validation" else "provide a separate test set"
            raise DataError(
                f"class {name} has {len(members)} sample to share between training and {into}; add samples of it, "
                f"remove it, or {remedy}"
            )
        taken.append(members[: min(max(1, round(share * len(members))), len(members) - 1)])
    chosen = np.sort(np.concatenate(taken))
    return np.setdiff1d(np.arange(len(y)), chosen), chosen


def scaled(values: np.ndarray, learned: np.ndarray) -> Tensor:
    """Values as float32 in [0, 1]: unchanged if already in it, 8-bit grey levels divided by 255, others scaled by the
    extremes of the training samples, per feature of vectors, over all pixels of images; values beyond are clipped."""
    if values.dtype == np.uint8:
        return torch.from_numpy(values.astype(np.float32) / np.float32(255))
    axis = 0 if values.ndim == 2 else None
    low, high = learned.min(axis), learned.max(axis)
    if np.min(low) >= 0 and np.max(high) <= 1:
        low, high = np.zeros_like(low), np.ones_like(high)
    span = np.where(high > low, high - low, 1)
    return torch.from_numpy(np.clip((values - low) / span, 0, 1).astype(np.float32))


def unscaled(values: np.ndarray, learned: np.ndarray) -> Tensor:
    low, high = (float(extreme) for extreme in (values.min(initial=0), values.max(initial=0)))
    if low < 0 or high > 1:
        raise DataError(f"values span [{low:g}, {high:g}], not [0, 1]: scale them, or set dataset.scaling=auto")
    return torch.from_numpy(values.astype(np.float32))


def _deduplicated(samples: Samples, root: str | None) -> tuple[Samples, np.ndarray]:
    """Samples without repetitions, of which one could be trained on and another tested; and their positions, (N,)."""
    first: dict[bytes, int] = {}
    other = 0
    for k in range(len(samples.y)):
        earlier = first.setdefault(_bytes(samples.x, k), k)
        other += samples.y[earlier] != samples.y[k]
    again = len(samples.y) - len(first)
    if not again:
        return samples, np.arange(len(samples.y))
    labels = f", {other} of them under another label" if other else ""
    warnings.warn(f"{root}: {again} samples repeat others{labels}; the first of each is used", stacklevel=3)
    places = np.array(sorted(first.values()))
    return _at(samples, places), places


def _bytes(x: Any, k: int) -> bytes:
    if isinstance(x, Events):
        one = x[k : k + 1]
        return b"".join(getattr(one, field).numpy().tobytes() for field in ("t", "x", "y", "p"))
    return (x[k] if x.dtype == np.uint8 else x[k] + 0.0).tobytes()  # -0.0 + 0.0 is 0.0, which has other bits


def _at(samples: Samples, index: np.ndarray) -> Samples:
    place = torch.from_numpy(index) if isinstance(samples.x, Events) else index
    return Samples(samples.x[place], samples.y[index])


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
