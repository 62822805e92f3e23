"""N-MNIST at full size by emulation: an event camera looking at MNIST. Never the recorded set, and labelled so.

What it is worth is judged on real recordings: with `recorded`, a network that was trained on emulated ones is tested
on the 1100 real ones of the package too. Real recording k shows MNIST image k, so training leaves those images out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar

from neurobench.config.bounds import Bound, Fault
from neurobench.data.dataset import DatasetSpec, Layout, Split, Splits
from neurobench.data.nmnist import N_BUNDLED, NMNIST

if TYPE_CHECKING:
    import numpy as np

    from neurobench.data.stored_events import StoredEvents

N_TRAIN, N_TEST = 60_000, 10_000  # images of MNIST


@dataclass(frozen=True)
class NMNISTEmulated(DatasetSpec):
    """Ids are those of the MNIST image that is shown, in the same split."""

    layout: ClassVar[Layout] = "events"
    shape: ClassVar[tuple[int, int, int]] = (2, 34, 34)  # polarities, rows, columns
    n_classes: ClassVar[int] = 10

    validation: Annotated[int, Bound(0)] = 5000  # recordings held out of the training set
    leave_out: Annotated[int, Bound(0, 59_000)] = N_BUNDLED  # first training images: those that real recordings show
    train: Annotated[int, Bound(1)] | None = (
        None  # training and held-out recordings after those; None: all that are left
    )
    test: Annotated[int, Bound(1, 10_000)] | None = None  # first test images; None: all 10,000
    recorded: bool = True  # test on the 1100 real recordings too: recorded_accuracy
    camera_seed: Annotated[int, Bound(0, 2**31 - 1)] = 0  # noise, and how late saccades are
    camera: str | None = None  # JSON file of another camera; None: the one fitted to the bundled training recordings

    def conflicts(self) -> list[Fault]:
        faults = []
        left = N_TRAIN - self.leave_out
        if self.train is not None and self.train > left:
            faults.append(("train", f"={self.train} is more than the {left} recordings that leave_out leaves"))
        elif self.validation >= (self.train or left):
            fault = f"={self.validation} is not below {self.train or left}, the number of training recordings"
            faults.append(("validation", fault))
        if self.recorded and self.leave_out < N_BUNDLED:
            fault = f"={self.leave_out} would train on images that the real recordings show; leave out {N_BUNDLED}, or "
            faults.append(("leave_out", f"{fault}test without them (dataset.recorded=false)"))
        return faults

    def load(self, seed: int) -> Splits:
        """Emulate or find in the cache; `seed` draws those held out. Raises DataError."""
        import numpy as np

        from neurobench.data.camera_figure import figures
        from neurobench.data.files import combined
        from neurobench.data.holdout import hold_out

        (train, labels, one), (test, test_labels, two) = self.recordings()
        trained, held = hold_out(len(train) - self.leave_out, self.validation, seed)
        return Splits(
            train=_split(train, labels, trained + self.leave_out),
            validation=_split(train, labels, held + self.leave_out),
            test=_split(test, test_labels, np.arange(len(test))),
            source="emulated from the bundled MNIST",
            sha256=combined([one, two]),
            evaluated_on=f"emulated recordings of {_in_words(len(test))}",
            emulated=True,
            others={"recorded": recorded()} if self.recorded else {},
            figures=partial(figures, self.camera) if self.recorded else None,
        )

    def recordings(self) -> tuple[tuple[StoredEvents, np.ndarray, str], tuple[StoredEvents, np.ndarray, str]]:
        """Of the training images, those left out too, and of the test images: events, digits, sha256."""
        from neurobench.data.camera import read as read_camera
        from neurobench.data.camera_store import stored
        from neurobench.data.mnist import read
        from neurobench.data.mnist_files import checked_root

        camera = read_camera(self.camera)
        found = []
        with checked_root(None) as root:
            for train in (True, False):
                images, labels = (part[: self._wanted(train)] for part in read(root, train))
                # A training and a test image of the same number get different noise.
                ids = range(len(images)) if train else range(N_TRAIN, N_TRAIN + len(images))
                events, sha256 = stored(camera, self.camera_seed, images.numpy(), ids)
                found.append((events, labels.numpy(), sha256))
        return found[0], found[1]

    def _wanted(self, train: bool) -> int | None:
        """How many of the images are emulated."""
        if train:
            return None if self.train is None else self.leave_out + self.train
        return self.test


def recorded() -> Split:
    """All 1100 real recordings: those of training images have ids 0 to 999, those of test images 60,000 to 60,099."""
    import torch

    from neurobench.data.events import Events

    splits = NMNIST(validation=0).load(0)
    one, two = splits.train, splits.test
    assert isinstance(one.x, Events)
    assert isinstance(two.x, Events)
    t, x, y, p = (torch.cat([getattr(one.x, key), getattr(two.x, key)]) for key in ("t", "x", "y", "p"))
    start = torch.cat([one.x.start, two.x.start[1:] + one.x.start[-1]])
    events = Events(t, x, y, p, start, one.x.sensor)
    return Split(events, torch.cat([one.y, two.y]), torch.cat([one.ids, two.ids + N_TRAIN]))


def _in_words(n_test: int) -> str:
    first = "" if n_test == N_TEST else f"the first {n_test} of "
    return f"{first}the official MNIST test images"


def _split(events: StoredEvents, labels: np.ndarray, chosen: np.ndarray) -> Split:
    import torch

    return Split(events.only(chosen), torch.from_numpy(labels[chosen]), torch.from_numpy(chosen))
