"""Specs of the encoders between data and model, and the default encoders for each pair of layouts.

`neurobench.data.encode` implements them; nothing heavy is imported here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isqrt, prod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from neurobench.config.bounds import Bound
from neurobench.config.spec import Spec
from neurobench.config.targets import load
from neurobench.data.dataset import Layout, Split, Splits

if TYPE_CHECKING:
    from torch import Tensor

Shape = tuple[int, ...]
Milliseconds = Annotated[float, Bound(0, 300, above=True)]  # a recording of N-MNIST has about 300
Seed = Annotated[int, Bound(0, 2**31 - 1)]


@dataclass(frozen=True)
class EncoderSpec(Spec):
    """An encoder as specified in YAML. `opens` names the function that maps (spec, x, ids) to encoded samples."""

    reads: ClassVar[tuple[Layout, ...]]
    yields: ClassVar[Layout]
    emulates: ClassVar[bool] = False  # the result represents recordings that were never made

    def misfit(self, shape: Shape) -> str | None:
        """Why samples of this shape cannot be encoded, or None."""
        return None

    def shape(self, shape: Shape) -> Shape:
        """Shape of an encoded sample."""
        return shape

    def can_be_moved(self, shape: Shape) -> bool:
        """Whether an encoded sample keeps its meaning if it is shifted by pixels, as images and recordings do."""
        return True

    def encode(self, x: Any, ids: Tensor) -> Any:
        """Encode samples into the layout that it yields; `x` is that of a split, `ids` (N,) number its samples. Raises
        DataError if the function, which may be a user's, returns them in another form."""
        from neurobench.data.form import require_encoded  # imports torch

        shape = x.sensor if hasattr(x, "sensor") else tuple(x.shape[1:])
        encoded = load(self.opens)(self, x, ids)
        require_encoded(encoded, self.yields, self.shape(shape), len(ids), type(self).__name__)
        return encoded


@dataclass(frozen=True)
class Auto(EncoderSpec):
    """No encoder if the model reads the layout of the data; otherwise the encoders in `DEFAULTS`."""

    opens: ClassVar[str] = ""  # other encoders are opened in its place
    reads: ClassVar[tuple[Layout, ...]] = ("vector", "image", "events")


@dataclass(frozen=True, kw_only=True)
class Spikes:
    """Base of encoders that turn values into the spikes of cells.

    Each value of a vector is encoded by `cells` cells with overlapping Gaussian receptive fields (Bohte, Kok, La Poutre
    2002), one row of the sensor per value. Each pixel of an image is one cell, its channel the polarity.
    """

    reads: ClassVar[tuple[Layout, ...]] = ("vector", "image")
    yields: ClassVar[Layout] = "events"

    cells: Annotated[int, Bound(1, 64)]
    dimmest: Annotated[float, Bound(0, 1)]  # least activity at which a cell sends a spike

    def misfit(self, shape: Shape) -> str | None:
        return f"a sensor has at most 256 rows and columns, not {shape}" if max(shape) > 256 else None

    def shape(self, shape: Shape) -> Shape:
        return (1, shape[0], self.cells) if len(shape) == 1 else shape

    def can_be_moved(self, shape: Shape) -> bool:
        return len(shape) != 1  # rows are values and columns cells


@dataclass(frozen=True, kw_only=True)
class Latency(Spikes, EncoderSpec):
    """One event per value, the larger the earlier: t = window (1 - value). Presented `repeats` times."""

    opens: ClassVar[str] = "neurobench.data.encode.latency"

    window: Milliseconds
    repeats: Annotated[int, Bound(1, 300)]

    def misfit(self, shape: Shape) -> str | None:
        fault = f"window={self.window:g} ms repeated {self.repeats} times is longer than the 300 ms of a recording"
        return super().misfit(shape) or (fault if self.window * self.repeats > 300 else None)


@dataclass(frozen=True, kw_only=True)
class Rate(Spikes, EncoderSpec):
    """One Poisson spike train per value, with `rate` spikes per second for a value of 1."""

    opens: ClassVar[str] = "neurobench.data.encode.rate"

    duration: Milliseconds
    rate: Annotated[float, Bound(0, 1000, above=True)]  # 1 / s
    noise_seed: Seed


@dataclass(frozen=True)
class EmulatedCamera(EncoderSpec):
    """Images as recorded by the fitted event camera of `dataset=nmnist_emulated`."""

    opens: ClassVar[str] = "neurobench.data.encode.camera"
    reads: ClassVar[tuple[Layout, ...]] = ("image",)
    yields: ClassVar[Layout] = "events"
    emulates: ClassVar[bool] = True

    camera_seed: Seed

    def misfit(self, shape: Shape) -> str | None:
        return None if shape == (1, 28, 28) else f"the camera is fitted to images of (1, 28, 28) pixels, not {shape}"

    def shape(self, shape: Shape) -> Shape:
        return 2, 34, 34


@dataclass(frozen=True)
class Counts(EncoderSpec):
    """Events counted in time bins: a channel for each bin and, unless summed, polarity; log(1 + n) / log(1 + full)."""

    opens: ClassVar[str] = "neurobench.data.encode.counts"
    reads: ClassVar[tuple[Layout, ...]] = ("events",)
    yields: ClassVar[Layout] = "image"

    bins: Annotated[int, Bound(1, 300)]
    length: Annotated[float, Bound(0, above=True)]  # ms
    polarities: Literal["kept", "summed"]
    pool: Annotated[int, Bound(1, 34)]
    full: Annotated[int, Bound(1)]

    def misfit(self, shape: Shape) -> str | None:
        least = min(shape[1:])
        return f"pool={self.pool} is more than the sensor's {least} pixels" if self.pool > least else None

    def shape(self, shape: Shape) -> Shape:
        polarities = shape[0] if self.polarities == "kept" else 1
        return self.bins * polarities, -(-shape[1] // self.pool), -(-shape[2] // self.pool)


@dataclass(frozen=True)
class Raster(EncoderSpec):
    """An image of a vector: value i is a bright bar in band i of the rows, at a column that encodes its size."""

    opens: ClassVar[str] = "neurobench.data.encode.raster"
    reads: ClassVar[tuple[Layout, ...]] = ("vector",)
    yields: ClassVar[Layout] = "image"

    side: Annotated[int, Bound(1, 256)]
    width: Annotated[float, Bound(0, 1, above=True)]

    def misfit(self, shape: Shape) -> str | None:
        return f"{shape[0]} values do not fit one row each into side={self.side}" if shape[0] > self.side else None

    def shape(self, shape: Shape) -> Shape:
        return 1, self.side, self.side

    def can_be_moved(self, shape: Shape) -> bool:
        return False  # rows are values, and columns their sizes


@dataclass(frozen=True)
class Square(EncoderSpec):
    """An image of a vector: value i fills place i, row by row, of the smallest square with a place for each value; the
    other places are 0. A place has as many pixels along each axis as `side` allows, at least one."""

    opens: ClassVar[str] = "neurobench.data.encode.square"
    reads: ClassVar[tuple[Layout, ...]] = ("vector",)
    yields: ClassVar[Layout] = "image"

    side: Annotated[int, Bound(1, 256)]

    def places(self, values: int) -> int:
        """Number of places along each side of the square."""
        return isqrt(values - 1) + 1

    def shape(self, shape: Shape) -> Shape:
        places = self.places(shape[0])
        side = places * max(1, self.side // places)
        return 1, side, side

    def can_be_moved(self, shape: Shape) -> bool:
        return self.places(shape[0]) ** 2 == shape[0]  # a vector that fills the square may be an image's pixels


@dataclass(frozen=True)
class Flat(EncoderSpec):
    """Pixels of an image, or of an encoded one, as a vector."""

    opens: ClassVar[str] = "neurobench.data.encode.flat"
    reads: ClassVar[tuple[Layout, ...]] = ("image",)
    yields: ClassVar[Layout] = "vector"

    def shape(self, shape: Shape) -> Shape:
        return (prod(shape),)


# Encoders that `encoder=auto` may use for a layout that the model does not read: it takes the first that fit and whose
# result the model reads. Values as in conf/encoder.
LATENCY = Latency(window=50.0, repeats=6, cells=16, dimmest=0.1)
COUNTS = Counts(bins=3, length=315.0, polarities="summed", pool=1, full=12)
SQUARE = Square(side=28)
DEFAULTS: dict[Layout, tuple[Sequence[EncoderSpec], ...]] = {
    "vector": ((LATENCY,), (SQUARE, LATENCY), (Raster(side=28, width=0.08),), (SQUARE,)),
    "image": ((EmulatedCamera(camera_seed=0),), (LATENCY,), (Flat(),)),
    "events": ((COUNTS,), (COUNTS, Flat())),
}


def chain(encoder: EncoderSpec, layout: Layout, shape: Shape, reads: Sequence[Layout]) -> Sequence[EncoderSpec] | str:
    """Encoders between data and model, none if none is needed; or the reason why none fits."""
    if not isinstance(encoder, Auto):
        if layout not in encoder.reads:
            return f"reads {' or '.join(encoder.reads)}, not {layout}"
        if encoder.yields not in reads:
            return f"yields {encoder.yields}; the model reads {' or '.join(reads)}"
        return encoder.misfit(shape) or (encoder,)
    if layout in reads:
        return ()
    refusal = f"cannot convert {layout} to {' or '.join(reads)}"
    for steps in DEFAULTS[layout]:
        if steps[-1].yields in reads:
            fault = _misfit(steps, shape)
            if fault is None:
                return steps
            refusal = fault
    return refusal


def _misfit(steps: Sequence[EncoderSpec], shape: Shape) -> str | None:
    """Misfit of the first encoder that does not fit, or None."""
    for step in steps:
        if fault := step.misfit(shape):
            return fault
        shape = step.shape(shape)
    return None


# Added to the ids of samples by which their noise is drawn: samples of two sets never share it.
TEST, OTHERS, HELD_OUT = 1 << 20, 1 << 21, 3 << 20


def encoded(splits: Splits, steps: Sequence[EncoderSpec]) -> Splits:
    """All splits, passed through the encoders in order."""

    def through(split: Split, offset: int = 0) -> Split:
        """Encode a split; `offset` separates a sample's noise from that of the training sample of the same id."""
        return replace(split, x=step.encode(split.x, split.ids + offset))

    # A validation set in separate files is numbered from 0, as the training set is.
    held_out = 0 if {*splits.validation.ids.tolist()}.isdisjoint(splits.train.ids.tolist()) else HELD_OUT
    for step in steps:
        splits = replace(
            splits,
            train=through(splits.train),
            validation=through(splits.validation, held_out),
            test=through(splits.test, TEST),
            others={name: through(split, OTHERS << k) for k, (name, split) in enumerate(splits.others.items())},
        )
        if step.emulates:
            source, words = (
                f"{splits.source}, emulated recordings of it",
                f"emulated recordings of {splits.evaluated_on}",
            )
            splits = replace(splits, emulated=True, source=source, evaluated_on=words)
    return splits
