"""The tutorial's printout after some of its epochs: losses and accuracies, with the best of the epochs before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from neurobench.models.learner import Finished
from neurobench.models.slayer.learner import SlayerLearner
from neurobench.models.slayer.spec import TUTORIAL_EPOCHS

SPLITS = {"Train": "train", "Test ": "test", "Valid": "validation"}  # the tutorial has no validation


def printout(learner: SlayerLearner, finished: Finished) -> Iterator[str]:
    """Lines in the format of lava-dl's `LearningStats`; min and max are over the epochs before the printed one. Test
    figures by epoch require training.test_by_epoch=true; nothing is selected by them."""
    rows = finished.record.epochs
    for epoch in sorted({*TUTORIAL_EPOCHS, len(rows) - 1}):
        if epoch < len(rows):
            yield f"[Epoch {epoch:2d}/{len(rows)}]"
            for title, split in SPLITS.items():
                if f"{split}_lava_loss" in rows[epoch]:
                    yield f"{title} {_line(rows[: epoch + 1], split)}"
            yield ""


def _line(rows: Sequence[Mapping[str, float]], split: str) -> str:
    losses, accuracies = ([row[f"{split}_{name}"] for row in rows] for name in ("lava_loss", "accuracy"))
    least = f" (min = {min(losses[:-1]):11.5f})" if len(rows) > 1 else ""
    most = f" (max = {max(accuracies[:-1]):7.5f})" if len(rows) > 1 else ""
    return f"loss = {losses[-1]:11.5f}{least}    accuracy = {accuracies[-1]:7.5f}{most}"
