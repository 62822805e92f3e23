"""The interface of data sets to the rest of the program: a layout, a number of classes, three splits.

A data set's spec names files and seeds; it imports nothing heavy, so that a configuration can be checked without torch.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from neurobench.config.spec import Spec
from neurobench.config.targets import load

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from neurobench.data.events import Events, StoredEvents
    from neurobench.figures.drawing import Drawing

Layout = Literal["vector", "image", "events"]
FEW = 5  # samples of a class; if more are due, random order has at least one of them in 99 of 100 cases


class DataError(Exception):
    """A data file is missing, truncated, altered or malformed. The message names the file, the offset and a remedy."""


class Batch(NamedTuple):
    """Some samples of a split."""

    x: Tensor | Events  # vector (B, D) or image (B, C, H, W), float32 in [0, 1]; or B recordings
    y: Tensor  # (B,) int64 class


@dataclass(frozen=True)
class Split:
    """Samples in a fixed order."""

    x: Tensor | Events | StoredEvents  # vector (N, D) or image (N, C, H, W), float32 in [0, 1]; or N recordings
    y: Tensor  # (N,) int64 class, in [0, n_classes)
    ids: Tensor  # (N,) int64 positions in the source's file order: two splits overlap where ids agree
    classes: tuple[str, ...] = ()  # class names for figures, if the data have any

    def __len__(self) -> int:
        return len(self.y)

    def batch(self, index: Tensor | slice) -> Batch:
        """The samples at `index` ((B,) int64 or a slice), in that order."""
        import torch

        if isinstance(self.x, torch.Tensor) and isinstance(index, torch.Tensor):  # copies row by row, not by number
            return Batch(self.x.index_select(0, index), self.y[index])
        return Batch(self.x[index], self.y[index])

    def limited(self, n: int | None) -> Split:
        """At most n samples, in their order: the first n; if the samples are sorted by class, or the first n lack a
        class of which FEW or more are due, the first ones of each class, in the proportion of the classes."""
        import numpy as np
        import torch

        if n is None or n >= len(self):
            return self
        y = self.y.numpy()
        sizes = np.bincount(y)
        by_chance = 1 - np.square(sizes / len(y)).sum()  # share of neighbours of different classes in random order
        mixed = 2 * np.mean(y[1:] != y[:-1]) >= by_chance
        if mixed and np.bincount(y[:n], minlength=len(sizes))[n * sizes >= FEW * len(y)].all():
            return self.head(n)
        rank = np.empty(len(y))  # of each sample among those of its class
        rank[np.argsort(y, kind="stable")] = np.concatenate([np.arange(size) for size in sizes])
        chosen = np.sort(np.argsort((rank + 0.5) / sizes[y], kind="stable")[:n])
        return self.only(torch.from_numpy(chosen))

    def head(self, n: int | None) -> Split:
        """The first n samples (all of them if n is None or larger)."""
        return self if n is None or n >= len(self) else replace(self, x=self.x[:n], y=self.y[:n], ids=self.ids[:n])

    def only(self, index: Tensor) -> Split:
        """The samples at `index` ((B,) int64), in that order."""
        from neurobench.data.events import StoredEvents

        x = self.x.only(index.numpy()) if isinstance(self.x, StoredEvents) else self.x[index]
        return replace(self, x=x, y=self.y[index], ids=self.ids[index])


@dataclass(frozen=True)
class Splits:
    """Training, validation and test splits, and their source."""

    train: Split
    validation: Split  # may be empty: then nothing may be selected by it
    test: Split
    source: str  # "bundled", "generated" or the root that was read
    sha256: str  # of the bytes read, and of the classes that folders state; or of the generated arrays
    evaluated_on: str  # the test set in words: "the official test set", "100 of the 10,000 official test recordings"
    emulated: bool = False  # emulated data never replace recorded data in a table
    validation_is_tested: bool = False  # the mistake of a tutorial that validates on its test set
    classes: tuple[str, ...] = ()  # class names, if the data have any
    disjoint: bool = False  # no sample is in two splits: compared before scaling, which can make samples equal
    bytes_read: int | None = None  # size of the files, if they are a user's
    others: Mapping[str, Split] = field(default_factory=dict)  # further test sets; NAME_accuracy is measured on each
    drawings: Callable[[], Mapping[str, Drawing]] | None = None  # figures of the data themselves, for a run's record

    def limited(self, train: int | None, test: int | None) -> Splits:
        """Splits with at most `train` training (and validation) and `test` test samples; `evaluated_on` says so."""
        words, tested = self.evaluated_on, self.test.limited(test)
        if len(tested) < len(self.test):
            first = tested.ids.equal(self.test.ids[:test])
            words = f"{'the first ' if first else ''}{test} samples of {words}"
        return replace(
            self,
            train=self.train.limited(train),
            validation=self.validation.limited(train),
            test=tested,
            others={name: split.limited(test) for name, split in self.others.items()},
            evaluated_on=words,
        )


@dataclass(frozen=True)
class DatasetSpec(Spec):
    """A data set as specified in YAML. `opens` names the function that maps (spec, seed) to Splits."""

    @property
    @abstractmethod
    def layout(self) -> Layout: ...

    @property
    @abstractmethod
    def n_classes(self) -> int: ...

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample: (D,), (C, H, W), or (polarities, rows, columns) of a sensor."""

    def memory(self) -> Mapping[str, int]:
        """Configuration key -> bytes of samples that it requests, if nothing else bounds them."""
        return {}

    def load(self, seed: int) -> Splits:
        """Read or generate the splits. `seed` decides the validation samples and any draw. Raises DataError."""
        return load(self.opens)(self, seed)


def stamp(root: str | None) -> str:
    """Hash of the names, sizes and times of the files at a data root: while it is unchanged, so are the data. Reading
    them all again to be sure would take longer than many runs. "" if there is no root."""
    if root is None:
        return ""
    files = [root] if Path(root).is_file() else [f"{at}/{name}" for at, _, names in os.walk(root) for name in names]
    digest = hashlib.sha256()
    for file in sorted(files):
        with contextlib.suppress(OSError):  # a dangling link
            status = os.stat(file)  # noqa: PTH116 - Path.stat on 70,000 files costs seconds
            digest.update(os.fsencode(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\0"))
    return digest.hexdigest()


def hold_out(n: int, validation: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions (n - validation,) to train on and (validation,) to hold out, int64, each ascending.

    The held-out samples are the END of a permutation drawn with `seed`, so a larger validation set contains
    every smaller one.
    """
    import numpy as np

    if not 0 <= validation < n:
        fault = f"validation={validation} of {n} training samples leaves none to train on. Hold out fewer than {n}."
        raise DataError(fault)
    order = np.random.default_rng(seed).permutation(n)
    return np.sort(order[: n - validation]), np.sort(order[n - validation :])
