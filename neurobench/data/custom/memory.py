"""Samples in the caller's memory: a configuration knows only their shape and number of classes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Annotated, ClassVar, NoReturn

from neurobench.config.bounds import Bound
from neurobench.data.dataset import DataError, DatasetSpec, Layout

Count = Annotated[int, Bound(1)]


@dataclass(frozen=True, kw_only=True)
class Vectors(DatasetSpec):
    """Arrays (N, D) to which an estimator is fitted."""

    opens: ClassVar[str] = "neurobench.data.custom.memory.refuse"
    layout: ClassVar[Layout] = "vector"

    sizes: tuple[Count, ...]  # shape of one sample
    classes: Annotated[int, Bound(2)]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.sizes

    @property
    def n_classes(self) -> int:
        return self.classes


@dataclass(frozen=True, kw_only=True)
class Images(Vectors):
    """Arrays (N, C, H, W) to which an estimator is fitted."""

    layout: ClassVar[Layout] = "image"


def refuse(spec: Vectors, seed: int) -> NoReturn:
    """Refuse to load, as there is nothing to read. Raises DataError."""
    size = prod(spec.sizes)
    raise DataError(
        f"samples of {size} numbers in {spec.classes} classes were only in memory, so there is no file to read"
    )
