"""Specs of the data sets of this package: fields, bounds and conflicts. Nothing heavy is imported.

The meanings and usual values of the fields are given in conf/dataset. `root` is a user's folder; without it the bundled
files are read. A field with a default was added after configurations had been stored, or is a place to read from.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, ClassVar, Literal

from neurobench.config.bounds import Bound, Fault
from neurobench.data.dataset import DatasetSpec, Layout

# Number of MNIST's 60,000 and 10,000 images of each digit: bounds what can be held out before any file is read.
TRAIN_COUNTS = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
TEST_COUNTS = (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)
N_BUNDLED = 1000  # training recordings of N-MNIST in the package

Count = Annotated[int, Bound(1)]
Stream = Literal["compat", "fast"]
RandomState = Annotated[int, Bound(0, 2**32 - 1)]  # a seed of numpy's legacy generator


@dataclass(frozen=True, kw_only=True)
class MNIST(DatasetSpec):
    """Images of the chosen digits, renumbered 0, 1, ... in the order given; ids are positions in the official files.

    With `train_per_class` n, training uses the first n images of each digit, and validation is drawn from the others.
    `test_as_validation` and `test_slice_bug` reproduce what a published tutorial did.
    """

    opens: ClassVar[str] = "neurobench.data.mnist.load"
    layout: ClassVar[Layout] = "image"
    shape: ClassVar[tuple[int, ...]] = (1, 28, 28)

    digits: Annotated[tuple[int, ...], Bound(0, 9)]
    validation: Annotated[int, Bound(0)]
    train_per_class: Count | None = None
    test_as_validation: bool = False
    test_per_class: Count = 200
    test_slice_bug: bool = False
    root: str | None = None  # with MNIST/raw/*-ubyte or *-ubyte.gz

    @property
    def n_classes(self) -> int:
        return len(self.digits)

    def conflicts(self) -> list[Fault]:
        faults = []
        if len(self.digits) < 2:
            fault = f"={list(self.digits)} names fewer than two classes; there is nothing to distinguish"
            faults.append(("digits", fault))
        if len(set(self.digits)) < len(self.digits):
            faults.append(("digits", f"={list(self.digits)} names a class twice; give each digit once"))
        for name, counts in (("train_per_class", TRAIN_COUNTS), ("test_per_class", TEST_COUNTS)):
            rarest = min(self.digits, key=lambda digit: counts[digit], default=0)
            n = getattr(self, name)
            if n is not None and n > counts[rarest]:
                faults.append((name, f"={n} is more than the {counts[rarest]} images of digit {rarest}; use fewer"))
        if self.test_as_validation and self.validation:
            faults.append(("validation", f"={self.validation} with test_as_validation=true; set validation=0"))
        if self.test_slice_bug and self.train_per_class is None:
            faults.append(("test_slice_bug", "=True takes train_per_class of each digit; set train_per_class"))
        spare = sum(TRAIN_COUNTS[digit] - (self.train_per_class or 0) for digit in self.digits)
        if not faults and self.validation and self.validation >= spare:
            fault = f"={self.validation} is not below {spare}, the number of training images left"
            faults.append(("validation", fault))
        return faults


@dataclass(frozen=True)
class Recordings:
    """Layout, shape and classes shared by data sets of N-MNIST's camera."""

    layout: ClassVar[Layout] = "events"
    shape: ClassVar[tuple[int, ...]] = (2, 34, 34)  # polarities, rows, columns
    n_classes: ClassVar[int] = 10


@dataclass(frozen=True, kw_only=True)
class NMNIST(Recordings, DatasetSpec):
    """N-MNIST. Ids are recording number - 1: a recording shows the MNIST image of the same id in the same split."""

    opens: ClassVar[str] = "neurobench.data.nmnist.load"

    validation: Annotated[int, Bound(0)] | None
    root: str | None = None  # tonic's folder, with NMNIST/Train and NMNIST/Test in it

    def conflicts(self) -> list[Fault]:
        if self.root is not None or self.validation is None or self.validation < N_BUNDLED:
            return []
        fault = f"={self.validation} is not below {N_BUNDLED}, the number of bundled training recordings"
        return [("validation", fault)]


@dataclass(frozen=True, kw_only=True)
class NMNISTFolds(Recordings, DatasetSpec):
    """Cross-validation on N-MNIST: every recording is tested once, by a network that was not trained on it.

    All recordings, training and test, are divided into `folds` parts; part `fold` is the test set, nothing is held out.
    The division does not depend on the run's seed, so that the folds of different seeds complement each other. Ids of
    test recordings follow those of the training recordings.
    """

    opens: ClassVar[str] = "neurobench.data.nmnist.load_fold"

    fold: Annotated[int, Bound(0)]
    folds: Annotated[int, Bound(2, 1000)]
    root: str | None = None  # tonic's folder, with NMNIST/Train and NMNIST/Test in it

    def conflicts(self) -> list[Fault]:
        fault = f"={self.fold} is not below {self.folds}, the number of folds"
        return [("fold", fault)] if self.fold >= self.folds else []


@dataclass(frozen=True, kw_only=True)
class NMNISTEmulated(Recordings, DatasetSpec):
    """Emulated N-MNIST at full size. Ids are those of the MNIST images shown, in the same split.

    The emulation is judged on real recordings: with `recorded`, a network trained on emulated recordings is also tested
    on the 1100 real ones of the package. Real recording k shows MNIST image k, so training leaves those images out.
    """

    opens: ClassVar[str] = "neurobench.data.camera.recordings.load"

    validation: Annotated[int, Bound(0)]
    leave_out: Annotated[int, Bound(0, 59_000)]
    train: Count | None
    test: Annotated[int, Bound(1, 10_000)] | None
    recorded: bool
    camera_seed: Annotated[int, Bound(0, 2**31 - 1)]
    camera: str | None

    def conflicts(self) -> list[Fault]:
        faults = []
        left = sum(TRAIN_COUNTS) - self.leave_out
        if self.train is not None and self.train > left:
            faults.append(("train", f"={self.train} is more than the {left} recordings that leave_out leaves"))
        elif self.validation >= (self.train or left):
            fault = f"={self.validation} is not below {self.train or left}, the number of training recordings"
            faults.append(("validation", fault))
        if self.recorded and self.leave_out < N_BUNDLED:
            fault = f"={self.leave_out} would train on images that the real recordings show; leave out {N_BUNDLED}, or "
            faults.append(("leave_out", f"{fault}test without them (dataset.recorded=false)"))
        return faults


@dataclass(frozen=True, kw_only=True)
class YinYang(DatasetSpec):
    """Yin-Yang: points of a disc in three classes; index 2 is the dots, 0 and 1 are the two halves.

    Sizes and seeds are those of the published data set; Kriener, Göltz, Petrovici, arXiv:2102.08211. Ids continue from
    split to split: no sample is in two.
    """

    opens: ClassVar[str] = "neurobench.data.yin_yang.load"
    layout: ClassVar[Layout] = "vector"
    shape: ClassVar[tuple[int, ...]] = (4,)  # x, y, 1 - x, 1 - y
    n_classes: ClassVar[int] = 3

    # Below a thousandth, drawing one dot by rejection would take hundreds of thousands of points.
    r_small: Annotated[float, Bound(0.001)]  # radius of a dot
    # The square [0, 2R]^2 must lie in [0, 1]^2, because the features are x, y, 1 - x and 1 - y.
    r_big: Annotated[float, Bound(0, 0.5, above=True)]  # R, radius of the disc
    train: Count
    validation: Count
    test: Count
    train_seed: RandomState
    validation_seed: RandomState
    test_seed: RandomState
    stream: Stream

    def memory(self) -> dict[str, int]:
        return {name: 64 * getattr(self, name) for name in ("train", "validation", "test")}

    def conflicts(self) -> list[Fault]:
        faults = []
        if 2 * self.r_small >= self.r_big:
            fault = f"={self.r_small} is not below half of r_big={self.r_big}; the dots would not fit"
            faults.append(("r_small", fault))
        seeds = {name: getattr(self, name) for name in ("train_seed", "validation_seed", "test_seed")}
        return faults + [
            (second, f"={seeds[second]} equals {first}: both splits would hold the same samples; give three seeds")
            for first, second in combinations(seeds, 2)
            if seeds[first] == seeds[second]
        ]
