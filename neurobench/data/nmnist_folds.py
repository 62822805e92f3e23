"""Cross-validation over N-MNIST: every recording is tested once, by a network that never saw it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from neurobench.config.bounds import Bound, Fault
from neurobench.data.dataset import DatasetSpec, Layout, Splits


@dataclass(frozen=True)
class NMNISTFolds(DatasetSpec):
    """All recordings, training and test, dealt into `folds` parts; part `fold` is the test set, nothing is held out.

    The dealing does not depend on the run's seed, so that the folds of different seeds complete each other. Ids of
    test recordings follow those of the training recordings.
    """

    layout: ClassVar[Layout] = "events"
    shape: ClassVar[tuple[int, int, int]] = (2, 34, 34)  # polarities, rows, columns
    n_classes: ClassVar[int] = 10

    fold: Annotated[int, Bound(0)] = 0
    folds: Annotated[int, Bound(2, 1000)] = 5
    root: str | None = None  # tonic's folder, with NMNIST/Train and NMNIST/Test in it; None: the bundled recordings

    def conflicts(self) -> list[Fault]:
        if self.fold >= self.folds:
            return [("fold", f"={self.fold} is not below {self.folds}, the number of folds")]
        return []

    def load(self, seed: int) -> Splits:
        """Find, check and decode the recordings. Raises DataError."""
        import numpy as np

        from neurobench.data.files import combined
        from neurobench.data.nmnist_bundled import bundled
        from neurobench.data.nmnist_folder import folder
        from neurobench.data.recordings import join

        train, test = bundled() if self.root is None else folder(self.root)
        every = [*train, *(each._replace(id=each.id + len(train)) for each in test)]
        part = np.random.default_rng(0).permutation(len(every)) % self.folds
        digests: dict[str, str] = {}  # name of a recording: sha256 of its bytes
        return Splits(
            train=join([each for each, own in zip(every, part, strict=True) if own != self.fold], self.shape, digests),
            validation=join([], self.shape, digests),
            test=join([each for each, own in zip(every, part, strict=True) if own == self.fold], self.shape, digests),
            source="bundled" if self.root is None else self.root,
            sha256=combined(digests[each.name] for each in every),
            evaluated_on=f"fold {self.fold + 1} of {self.folds} of all {len(every)} recordings",
        )
