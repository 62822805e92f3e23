"""From one layout to another, so that every model meets every data set: recipes, and which pair takes which.

Heavy work is in `encode_events` and `encode_images`; this module imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from neurobench.config.bounds import Bound
from neurobench.config.spec import Spec
from neurobench.config.targets import load
from neurobench.data.dataset import Layout, Split, Splits

if TYPE_CHECKING:
    from torch import Tensor

    from neurobench.data.events import Events
    from neurobench.data.stored_events import StoredEvents

Shape = tuple[int, ...]
Milliseconds = Annotated[float, Bound(0, 300, above=True)]  # a recording of N-MNIST has about 300
Cells = Annotated[int, Bound(1, 64)]
Fraction = Annotated[float, Bound(0, 1)]


@dataclass(frozen=True)
class EncoderSpec(Spec):
    """An encoder as its YAML names it. `opens` names what is called with (spec, x, ids) and returns encoded samples."""

    reads: ClassVar[tuple[Layout, ...]]
    yields: ClassVar[Layout]
    emulates: ClassVar[bool] = False  # what comes out stands for recordings that were never made

    def misfit(self, shape: Shape) -> str | None:
        """Why samples of this shape cannot be encoded, or None."""
        return None

    def shape(self, shape: Shape) -> Shape:
        """Of an encoded sample."""
        return shape

    def encode(self, x: Any, ids: Tensor) -> Any:
        """Samples in the layout that it yields; `x` is a split's, `ids` (N,) number its samples."""
        return load(self.opens)(self, x, ids)


@dataclass(frozen=True)
class Auto(EncoderSpec):
    """Nothing where the model reads the data as they are; else what `DEFAULTS` names."""

    reads: ClassVar[tuple[Layout, ...]] = ("vector", "image", "events")


@dataclass(frozen=True)
class Latency(EncoderSpec):
    """One event a value: the larger, the earlier, t = window (1 - value). Begun again `repeats` times.

    A vector's value is first told by `cells` cells with overlapping Gaussian fields (Bohte, Kok, La Poutre 2002), one
    row of the sensor a value. An image's pixel is one cell, its channel the polarity.
    """

    reads: ClassVar[tuple[Layout, ...]] = ("vector", "image")
    yields: ClassVar[Layout] = "events"

    window: Milliseconds = 50.0
    repeats: Annotated[int, Bound(1, 300)] = 6
    cells: Cells = 16
    dimmest: Fraction = 0.1  # a smaller value makes no event

    def misfit(self, shape: Shape) -> str | None:
        return _too_wide(shape) or (
            f"window={self.window:g} ms {self.repeats} times is longer than the 300 ms of a recording"
            if self.window * self.repeats > 300
            else None
        )

    def shape(self, shape: Shape) -> Shape:
        return _sensor(shape, self.cells)

    def encode(self, x: Tensor, ids: Tensor) -> Events:
        from neurobench.data.encode_events import latencies

        return latencies(x, self)


@dataclass(frozen=True)
class Rate(EncoderSpec):
    """A Poisson train a value, `rate` spikes a second where it is 1. Cells and pixels as in Latency."""

    reads: ClassVar[tuple[Layout, ...]] = ("vector", "image")
    yields: ClassVar[Layout] = "events"

    duration: Milliseconds = 300.0
    rate: Annotated[float, Bound(0, 1000, above=True)] = 100.0  # 1 / s
    cells: Cells = 16
    dimmest: Fraction = 0.1  # a smaller value makes no event
    noise_seed: Annotated[int, Bound(0, 2**31 - 1)] = 0  # sample k's trains depend on it and on k alone

    def misfit(self, shape: Shape) -> str | None:
        return _too_wide(shape)

    def shape(self, shape: Shape) -> Shape:
        return _sensor(shape, self.cells)

    def encode(self, x: Tensor, ids: Tensor) -> Events:
        from neurobench.data.encode_events import trains

        return trains(x, ids, self)


@dataclass(frozen=True)
class EmulatedCamera(EncoderSpec):
    """The fitted event camera of `dataset=nmnist_emulated` looks at the images."""

    reads: ClassVar[tuple[Layout, ...]] = ("image",)
    yields: ClassVar[Layout] = "events"
    emulates: ClassVar[bool] = True

    camera_seed: Annotated[int, Bound(0, 2**31 - 1)] = 0  # noise, and how late saccades are

    def misfit(self, shape: Shape) -> str | None:
        return None if shape == (1, 28, 28) else f"the camera is fitted to images of (1, 28, 28) pixels, not {shape}"

    def shape(self, shape: Shape) -> Shape:
        return 2, 34, 34

    def encode(self, x: Tensor, ids: Tensor) -> StoredEvents:
        from neurobench.data.encode_events import seen

        return seen(x, ids, self.camera_seed)


@dataclass(frozen=True)
class Counts(EncoderSpec):
    """Events counted in time bins: a channel for each bin and, unless summed, polarity; log(1 + n) / log(1 + full)."""

    reads: ClassVar[tuple[Layout, ...]] = ("events",)
    yields: ClassVar[Layout] = "image"

    bins: Annotated[int, Bound(1, 300)] = 3  # one for each of N-MNIST's saccades
    length: Annotated[float, Bound(0, above=True)] = 315.0  # ms that the bins share; later events are left out
    polarities: Literal["kept", "summed"] = "summed"
    pool: Annotated[int, Bound(1, 34)] = 1  # pixels each way that are counted together
    full: Annotated[int, Bound(1)] = 12  # events that make a 1; more make no more

    def misfit(self, shape: Shape) -> str | None:
        least = min(shape[1:])
        return f"pool={self.pool} is more than the sensor's {least} pixels" if self.pool > least else None

    def shape(self, shape: Shape) -> Shape:
        kept = shape[0] if self.polarities == "kept" else 1
        return self.bins * kept, -(-shape[1] // self.pool), -(-shape[2] // self.pool)

    def encode(self, x: Events | StoredEvents, ids: Tensor) -> Tensor:
        from neurobench.data.encode_images import counts

        return counts(x, self)


@dataclass(frozen=True)
class Raster(EncoderSpec):
    """A picture of a vector: value i is a bright bar in band i of the rows, its column telling how large it is."""

    reads: ClassVar[tuple[Layout, ...]] = ("vector",)
    yields: ClassVar[Layout] = "image"

    side: Annotated[int, Bound(1, 256)] = 28  # pixels, both ways
    width: Annotated[float, Bound(0, 1, above=True)] = 0.08  # sd of the bar, of the picture's width

    def misfit(self, shape: Shape) -> str | None:
        return f"{shape[0]} values have no row each in side={self.side}" if shape[0] > self.side else None

    def shape(self, shape: Shape) -> Shape:
        return 1, self.side, self.side

    def encode(self, x: Tensor, ids: Tensor) -> Tensor:
        from neurobench.data.encode_images import rasters

        return rasters(x, self)


@dataclass(frozen=True)
class Flat(EncoderSpec):
    """An image's pixels, or an encoded one's, in a row."""

    reads: ClassVar[tuple[Layout, ...]] = ("image",)
    yields: ClassVar[Layout] = "vector"

    def shape(self, shape: Shape) -> Shape:
        return (prod(shape),)

    def encode(self, x: Tensor, ids: Tensor) -> Tensor:
        return x.flatten(1)


# What `encoder=auto` does to a layout that the model does not read: the first whose result it reads.
DEFAULTS: dict[Layout, tuple[Sequence[EncoderSpec], ...]] = {
    "vector": ((Latency(),), (Raster(),)),
    "image": ((EmulatedCamera(),), (Latency(),), (Flat(),)),
    "events": ((Counts(),), (Counts(), Flat())),
}


def chain(asked: EncoderSpec, layout: Layout, shape: Shape, reads: Sequence[Layout]) -> Sequence[EncoderSpec] | str:
    """The encoders between data and model, none where none is needed; or why there is no way."""
    if not isinstance(asked, Auto):
        if layout not in asked.reads:
            return f"reads {' or '.join(asked.reads)}, not {layout}"
        if asked.yields not in reads:
            return f"yields {asked.yields}; the model reads {' or '.join(reads)}"
        return asked.misfit(shape) or (asked,)
    if layout in reads:
        return ()
    refused = f"knows no way from {layout} to {' or '.join(reads)}"
    for steps in DEFAULTS[layout]:
        if steps[-1].yields in reads:
            fault = steps[0].misfit(shape)
            if fault is None:
                return steps
            refused = fault
    return refused


def encoded(splits: Splits, steps: Sequence[EncoderSpec]) -> Splits:
    """All splits through the encoders, in order."""
    for step in steps:
        splits = replace(
            splits,
            train=_through(step, splits.train),
            validation=_through(step, splits.validation),
            test=_through(step, splits.test, 1 << 20),
            others={name: _through(step, split, 1 << 21) for name, split in splits.others.items()},
            emulated=splits.emulated or step.emulates,
            source=f"{splits.source}, emulated recordings of it" if step.emulates else splits.source,
            evaluated_on=f"emulated recordings of {splits.evaluated_on}" if step.emulates else splits.evaluated_on,
        )
    return splits


def _through(step: EncoderSpec, split: Split, offset: int = 0) -> Split:
    """`offset` keeps the noise of a test sample apart from that of the training sample with the same id."""
    return replace(split, x=step.encode(split.x, split.ids + offset))


def _sensor(shape: Shape, cells: int) -> Shape:
    return (1, shape[0], cells) if len(shape) == 1 else shape


def _too_wide(shape: Shape) -> str | None:
    return f"a sensor has at most 256 rows and columns, not {shape}" if max(shape) > 256 else None
