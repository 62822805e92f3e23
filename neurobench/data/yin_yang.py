"""Yin-Yang: points of a disc in three classes, generated; index 2 are the dots, 0 and 1 the two halves.

Kriener, Göltz, Petrovici, "The Yin-Yang dataset", arXiv:2102.08211.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, ClassVar, Literal

from neurobench.config.bounds import Bound, BoundsError, Fault
from neurobench.data.dataset import DatasetSpec, Layout, Split, Splits
from neurobench.data.yin_yang_shape import YinYangShape

SPLITS = ("train", "validation", "test")
Size = Annotated[int, Bound(1)]
Seed = Annotated[int, Bound(0, 2**32 - 1)]  # what numpy's RandomState takes


@dataclass(frozen=True)
class YinYang(DatasetSpec):
    """Sizes and seeds are those of the published data set. Ids run on from split to split: no sample is in two."""

    layout: ClassVar[Layout] = "vector"
    shape: ClassVar[tuple[int, ...]] = (4,)  # x, y, 1 - x, 1 - y
    n_classes: ClassVar[int] = 3

    r_small: Annotated[float, Bound(0, above=True)] = 0.1  # of a dot
    r_big: Annotated[float, Bound(0, above=True)] = 0.5  # of the disc
    train: Size = 5000  # samples
    validation: Size = 1000
    test: Size = 1000
    train_seed: Seed = 42
    validation_seed: Seed = 41
    test_seed: Seed = 40
    stream: Literal["compat", "fast"] = "compat"  # the published samples, bit for bit; or only their distribution

    def conflicts(self) -> list[Fault]:
        return [*self._misfits(), *self._repeats()]

    def _misfits(self) -> list[tuple[str, str]]:
        try:
            YinYangShape(self.r_small, self.r_big)
        except BoundsError as error:
            return error.faults
        return []

    def _repeats(self) -> list[tuple[str, str]]:
        seeds = {f"{split}_seed": getattr(self, f"{split}_seed") for split in SPLITS}
        return [
            (second, f"={seeds[second]} equals {first}: both splits would hold the same samples; give three seeds")
            for first, second in combinations(seeds, 2)
            if seeds[first] == seeds[second]
        ]

    def load(self, seed: int) -> Splits:
        """Draw the three splits, each from its own seed: every run sees the published samples, whatever its `seed`."""
        digest = hashlib.sha256()
        train, validation, test = (self._split(name, digest) for name in SPLITS)
        return Splits(
            train,
            validation,
            test,
            source="generated",
            sha256=digest.hexdigest(),
            evaluated_on=f"{self.test} samples drawn with seed {self.test_seed}",
        )

    def _split(self, name: str, digest: hashlib._Hash) -> Split:
        """Draw one split, and note its bytes."""
        import torch

        from neurobench.data.yin_yang_stream import YinYangStream

        seed = getattr(self, f"{name}_seed")
        x, y = YinYangStream(seed, self.r_small, self.r_big, self.stream).draw(getattr(self, name))
        digest.update(x.tobytes() + y.tobytes())
        before = sum(getattr(self, earlier) for earlier in SPLITS[: SPLITS.index(name)])
        return Split(torch.from_numpy(x), torch.from_numpy(y), before + torch.arange(len(y)))
