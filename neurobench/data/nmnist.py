"""N-MNIST: MNIST digits shown to an event camera of 34 x 34 pixels that makes three small saccades.

Orchard, Jayawant, Cohen, Thakor, "Converting Static Image Datasets to Spiking Neuromorphic Datasets Using
Saccades", Frontiers in Neuroscience 9:437 (2015); CC BY-SA 4.0. The package ships the first 1000 training and the
first 100 test recordings; the full set (60,000 and 10,000, 1.2 GB) is read by tonic from a root.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from neurobench.config.bounds import Bound, Fault
from neurobench.data.dataset import DatasetSpec, Layout, Splits

N_BUNDLED = 1000  # training recordings in the package


@dataclass(frozen=True)
class NMNIST(DatasetSpec):
    """Ids are recording number - 1: recording k shows the MNIST image of the same id in the same split."""

    layout: ClassVar[Layout] = "events"
    shape: ClassVar[tuple[int, int, int]] = (2, 34, 34)  # polarities, rows, columns
    n_classes: ClassVar[int] = 10

    validation: Annotated[int, Bound(0)] | None = None  # recordings held out of the training set; None: a tenth
    root: str | None = None  # tonic's folder, with NMNIST/Train and NMNIST/Test in it; None: the bundled recordings

    def conflicts(self) -> list[Fault]:
        if self.root is None and self.validation is not None and self.validation >= N_BUNDLED:
            fault = f"={self.validation} is not below {N_BUNDLED}, the number of bundled training recordings"
            return [("validation", fault)]
        return []

    def load(self, seed: int) -> Splits:
        """Find, check and decode the recordings; `seed` draws those held out. Raises DataError."""
        from neurobench.data.aer import check_apart
        from neurobench.data.files import combined
        from neurobench.data.holdout import hold_out
        from neurobench.data.nmnist_bundled import bundled
        from neurobench.data.nmnist_folder import folder, is_emulated
        from neurobench.data.recordings import in_words, join

        train, test = bundled() if self.root is None else folder(self.root)
        emulated = self.root is not None and is_emulated(self.root)
        held_out = len(train) // 10 if self.validation is None else self.validation
        trained, held = hold_out(len(train), held_out, seed)
        digests: dict[str, str] = {}  # name of a recording: sha256 of its bytes
        parts = [join([train[k] for k in chosen], self.shape, digests) for chosen in (trained, held)]
        tested: dict[str, str] = {}
        parts.append(join(test, self.shape, tested))
        check_apart(digests, tested)
        digests |= tested
        return Splits(
            train=parts[0],
            validation=parts[1],
            test=parts[2],
            source="bundled" if self.root is None else self.root,
            sha256=combined(digests[each.name] for each in [*train, *test]),
            evaluated_on=f"emulated recordings, {in_words(test)}" if emulated else in_words(test),
            emulated=emulated,
        )
