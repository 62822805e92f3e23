"""The tutorial's printout after each epoch: a line of figures, and the best epoch so far."""

from __future__ import annotations

from collections.abc import Iterator

from neurobench.models.learner import Finished
from neurobench.models.qcnn.learner import HybridQCNNLearner

VALIDATED = {"eval_loss": "validation_loss", "val_acc": "validation_accuracy"}  # keyed by the tutorial's names


def printout(learner: HybridQCNNLearner, finished: Finished) -> Iterator[str]:
    """Lines for each epoch, counted from 0 as in the tutorial; time is that of all epochs so far, with measurements in
    between. The best is that of all epochs so far, the last of equals; the tutorial's is always the current epoch."""
    best, at = float("-inf"), 0
    for epoch, row in enumerate(finished.record.epochs):
        figures = {"train_loss": row["train_loss"], "acc": row["train_accuracy"]}
        figures |= {name: row[key] for name, key in VALIDATED.items() if key in row}
        words = [f"{name}:{value:.4f}" for name, value in {"time": row["elapsed"], **figures}.items()]
        yield " | ".join([f"epoch:{epoch}", *words])
        if "val_acc" in figures:
            if figures["val_acc"] >= best:
                best, at = figures["val_acc"], epoch
            yield f"Best Accuracy for Validation :{best:.4f} at epoch {at}"
