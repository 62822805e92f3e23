"""Specs of custom data: files and folders, and how they are divided into three splits.

Layout, shape and classes come from the files: their headers and labels are read when the configuration is checked,
before anything is computed. Nothing heavy is imported before that.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar, Literal, NamedTuple

from neurobench.config.bounds import Bound, Fault
from neurobench.config.targets import load
from neurobench.data.dataset import DataError, DatasetSpec, Layout

Share = Annotated[float, Bound(0, 1, below=True)]
Seed = Annotated[int, Bound(0, 2**31 - 1)]


class Header(NamedTuple):
    """Properties of a data set that are known before its samples are read."""

    layout: Layout
    shape: tuple[int, ...]  # of one sample
    classes: tuple[str, ...]  # names, in the order of their numbers
    n: int = 0  # number of samples in all splits


@dataclass(frozen=True, kw_only=True)
class CustomData(DatasetSpec):
    """Base of custom data. `reads_header` names the function that maps a spec to its Header."""

    reads_header: ClassVar[str]
    expected: ClassVar[str]  # what `root` must be, in words

    root: str | None  # file or folder
    validation: Share  # of each class of the training samples, drawn with the run's seed unless the files contain one

    @cached_property
    def header(self) -> Header:
        """Header of the files. Raises DataError."""
        if self.root is None:
            raise DataError(f"no files are given yet: give {self.expected} with dataset.root=PATH")
        header: Header = load(self.reads_header)(self)
        if len(header.classes) < 2:
            only = header.classes[0] if header.classes else "none"
            raise DataError(f"{self.root}: there are not two classes to distinguish, only {only}")
        return header

    @property
    def layout(self) -> Layout:
        return self.header.layout

    @property
    def shape(self) -> tuple[int, ...]:
        return self.header.shape

    @property
    def n_classes(self) -> int:
        return len(self.header.classes)

    def memory(self) -> dict[str, int]:
        values = 1
        for side in self.shape:
            values *= side
        return {"root": 4 * values * self.header.n} if self.layout != "events" else {}

    def conflicts(self) -> list[Fault]:
        try:
            _ = self.header
        except DataError as error:
            return [("root", f": {error}")]
        return []


@dataclass(frozen=True, kw_only=True)
class Splittable(CustomData):
    """Custom data that may come without a test set: one is then drawn, stratified by class. `split_seed` decides which
    samples are in it, not the run's seed, so that all runs are tested on the same ones."""

    test: Annotated[float, Bound(0, 1, above=True, below=True)]
    split_seed: Seed


@dataclass(frozen=True, kw_only=True)
class NPZ(Splittable):
    """Arrays x_train, y_train, x_test, y_test, and x_val, y_val if there is a validation set; or x and y.

    x: (N, D) vectors, (N, H, W), (N, C, H, W) or (N, H, W, C) images; y: (N,) whole numbers or strings. `label` is the
    name of y in the file.
    """

    opens: ClassVar[str] = "neurobench.data.custom.arrays.load"
    reads_header: ClassVar[str] = "neurobench.data.custom.arrays.header"
    expected: ClassVar[str] = "a .npz file"

    label: str
    scaling: Literal["auto", "none"]


@dataclass(frozen=True, kw_only=True)
class CSV(Splittable):
    """One row per sample: numeric features and a column with the label; a file, or a folder with train.csv, test.csv
    and, if there is a validation set, val.csv.

    `label`: name of the label's column, or its number from 0 (-1: the last).
    """

    opens: ClassVar[str] = "neurobench.data.custom.tables.load"
    reads_header: ClassVar[str] = "neurobench.data.custom.tables.header"
    expected: ClassVar[str] = "a .csv file, or a folder with train.csv and test.csv"

    label: str
    separator: str | None
    scaling: Literal["auto", "none"]


@dataclass(frozen=True, kw_only=True)
class ImageFolder(Splittable):
    """Images ROOT/CLASS/*.png, or ROOT/train/CLASS/*.png, ROOT/test/CLASS/*.png and, if there is a validation set,
    ROOT/val/CLASS/*.png; or any other format that Pillow reads."""

    opens: ClassVar[str] = "neurobench.data.custom.images.load"
    reads_header: ClassVar[str] = "neurobench.data.custom.images.header"
    expected: ClassVar[str] = "a folder with a folder of images for each class"

    size: tuple[Annotated[int, Bound(1, 4096)], ...] | None
    colour: bool

    def conflicts(self) -> list[Fault]:
        if self.size is not None and len(self.size) != 2:
            return [("size", f"={list(self.size)} is not two numbers: [rows, columns]")]
        return super().conflicts()


@dataclass(frozen=True, kw_only=True)
class EventsFolder(Splittable):
    """Recordings ROOT/CLASS/FILE, or ROOT/train/CLASS/FILE, ROOT/test/CLASS/FILE and, if there is a validation set,
    ROOT/val/CLASS/FILE, one per file.

    N-MNIST's .bin; .npy and .npz with fields or arrays t, x, y, p; .h5 with data sets t, x, y, p, at the top level or
    in a group `events`; .aedat4, .aedat, .raw and .dat with the readers of the extra `events`.
    """

    opens: ClassVar[str] = "neurobench.data.custom.recordings.load"
    reads_header: ClassVar[str] = "neurobench.data.custom.recordings.header"
    expected: ClassVar[str] = "a folder with a folder of recordings for each class"

    sensor: tuple[Annotated[int, Bound(1, 65_535)], ...] | None
    pool: Annotated[int, Bound(1, 256)]
    polarity: Literal["kept", "merged"]
    unit: Literal["us", "ms", "s"]
    origin: Literal["first", "clock"]
    faster: Annotated[float, Bound(0, above=True)]
    window: Annotated[float, Bound(0, 2_000_000, above=True)]

    def conflicts(self) -> list[Fault]:
        if self.sensor is not None and len(self.sensor) != 2:
            return [("sensor", f"={list(self.sensor)} is not two numbers: [rows, columns]")]
        return super().conflicts()


@dataclass(frozen=True, kw_only=True)
class Torchvision(CustomData):
    """A data set of torchvision in its own files; `split` applies to EMNIST."""

    opens: ClassVar[str] = "neurobench.data.custom.published.load_images"
    reads_header: ClassVar[str] = "neurobench.data.custom.published.images_header"
    expected: ClassVar[str] = "torchvision's root"

    set: Literal["MNIST", "FashionMNIST", "KMNIST", "QMNIST", "EMNIST"]
    split: Literal["balanced", "byclass", "bymerge", "digits", "letters", "mnist"]
    download: bool


@dataclass(frozen=True, kw_only=True)
class Tonic(CustomData):
    """A data set of tonic, named by its class, with a training and a test part. Times are scaled by 1 / `faster`."""

    opens: ClassVar[str] = "neurobench.data.custom.published.load_recordings"
    reads_header: ClassVar[str] = "neurobench.data.custom.published.recordings_header"
    expected: ClassVar[str] = "tonic's save_to"

    set: str
    pool: Annotated[int, Bound(1, 256)]
    polarity: Literal["kept", "merged"]
    faster: Annotated[float, Bound(0, above=True)]
    window: Annotated[float, Bound(0, 2_000_000, above=True)]
    download: bool
