"""MNIST: 70,000 images of written digits, 28 x 28 pixels, read by torchvision from checked files.

LeCun, Cortes, Burges, "The MNIST database of handwritten digits"; CC BY-SA 3.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from neurobench.config.bounds import Bound, Fault
from neurobench.data.dataset import DatasetSpec, Layout, Split, Splits

if TYPE_CHECKING:
    from torch import Tensor

# How many of the 60,000 training images show each digit: what can be held out is known before a file is read.
TRAIN_COUNTS = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
TEST_COUNTS = (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)


@dataclass(frozen=True)
class MNIST(DatasetSpec):
    """The digits kept, re-numbered 0, 1, ... in the order given; ids are positions in the official files.

    With `train_per_class`, training takes the first so many images of each digit, validation is drawn from the others.
    `test_as_validation` and `test_slice_bug` repeat what a published tutorial did.
    """

    layout: ClassVar[Layout] = "image"
    shape: ClassVar[tuple[int, ...]] = (1, 28, 28)
    # Fields that came after runs were made: see `neurobench.experiment.identity`
    later: ClassVar[tuple[str, ...]] = ("train_per_class", "test_as_validation", "test_per_class", "test_slice_bug")

    digits: Annotated[tuple[int, ...], Bound(0, 9)] = tuple(range(10))
    validation: Annotated[int, Bound(0)] = 5000  # images held out of the training set
    train_per_class: Annotated[int, Bound(1)] | None = None  # the first of each digit; null: all
    test_as_validation: bool = False  # the first `test_per_class` test images of each digit serve as validation
    test_per_class: Annotated[int, Bound(1)] = 200
    test_slice_bug: bool = False  # `train_per_class` is taken in place of `test_per_class`
    root: str | None = None  # a folder with MNIST/raw/*-ubyte or *-ubyte.gz; None: the bundled files

    def conflicts(self) -> list[Fault]:
        faults = []
        if len(self.digits) < 2:
            faults.append(("digits", f"={self.digits} names fewer than two classes; there is nothing to tell apart"))
        if len(set(self.digits)) < len(self.digits):
            faults.append(("digits", f"={self.digits} names a class twice; give each digit once"))
        faults += self._subset_faults()
        if not faults and self.validation and self.validation >= (n := self._spare()):
            faults.append(("validation", f"={self.validation} is not below {n}, the number of training images left"))
        return faults

    def _spare(self) -> int:
        """Training images that `train_per_class` leaves."""
        return sum(TRAIN_COUNTS[digit] - (self.train_per_class or 0) for digit in self.digits)

    def _subset_faults(self) -> list[tuple[str, str]]:
        faults = []
        for name, counts in (("train_per_class", TRAIN_COUNTS), ("test_per_class", TEST_COUNTS)):
            few = min(self.digits, key=lambda digit: counts[digit], default=0)
            asked = getattr(self, name)
            if asked is not None and asked > counts[few]:
                faults.append((name, f"={asked} is more than the {counts[few]} images of digit {few}; ask for fewer"))
        if self.test_as_validation and self.validation:
            faults.append(("validation", f"={self.validation} with test_as_validation=true; set validation=0"))
        if self.test_slice_bug and self.train_per_class is None:
            faults.append(("test_slice_bug", "=True takes train_per_class of each digit; set train_per_class"))
        return faults

    @property
    def n_classes(self) -> int:
        return len(self.digits)

    def load(self, seed: int) -> Splits:
        """Check the files, read them, hold out `validation` training images drawn with `seed`. Raises DataError."""
        from neurobench.data.files import MNIST_RAW, combined
        from neurobench.data.holdout import hold_out
        from neurobench.data.mnist_files import checked_root

        with checked_root(self.root) as root:
            images, labels = read(root, train=True)
            test_images, test_labels = read(root, train=False)
        kept = self._positions(labels)
        if self.train_per_class is None:
            trained, held = (kept[part] for part in hold_out(len(kept), self.validation, seed))
        else:
            trained, others = _first(kept, labels, self.train_per_class)
            held = others[hold_out(len(others), self.validation, seed)[1]] if self.validation else others[:0]
        test = self._split(test_images, test_labels, self._positions(test_labels))
        validation = self._split(images, labels, held)
        if self.test_as_validation:
            asked = self.train_per_class if self.test_slice_bug else self.test_per_class
            first, _ = _first(self._positions(test_labels), test_labels, asked or self.test_per_class)
            validation = self._split(test_images, test_labels, first)
        return Splits(
            train=self._split(images, labels, trained),
            validation=validation,
            test=test,
            source="bundled" if self.root is None else self.root,
            sha256=combined(raw.sha256 for raw in MNIST_RAW),
            evaluated_on=self._words(len(test)),
        )

    def _positions(self, labels: Tensor) -> Tensor:
        """Where the digits kept are: (n,) int64, ascending."""
        import torch

        return torch.isin(labels, torch.tensor(self.digits)).nonzero().squeeze(1)

    def _split(self, images: Tensor, labels: Tensor, ids: Tensor) -> Split:
        """Images (N, 28, 28) uint8 and digits (N,) -> the samples at ids, in [0, 1], with class numbers."""
        import torch

        number = torch.full((10,), -1)
        number[list(self.digits)] = torch.arange(self.n_classes)
        x = images[ids].unsqueeze(1).to(torch.float32).div_(255)
        return Split(x, number[labels[ids]], ids)

    def _words(self, n_test: int) -> str:
        if sorted(self.digits) == list(range(10)):
            return "the official test set"
        return f"the {n_test} official test images of digits {', '.join(map(str, self.digits))}"


def _first(ids: Tensor, labels: Tensor, per_class: int) -> tuple[Tensor, Tensor]:
    """The first `per_class` of each digit among ascending ids, and the others; both ascending."""
    import torch

    rank = torch.zeros(len(ids), dtype=torch.int64)
    for digit in labels[ids].unique():
        its = labels[ids] == digit
        rank[its] = torch.arange(int(its.sum()))
    return ids[rank < per_class], ids[rank >= per_class]


def read(root: Path, train: bool) -> tuple[Tensor, Tensor]:
    """Images (N, 28, 28) uint8 and digits (N,) int64 of one official set, by torchvision's reader."""
    from torchvision import datasets

    class MNIST(datasets.MNIST):  # torchvision builds the folder's name from the class's
        def _check_legacy_exist(self) -> bool:
            """Never read MNIST/processed/*.pt, which torchvision prefers to the files that were checked."""
            return False

    stored = MNIST(root, train=train, download=False)
    return stored.data, stored.targets.long()
