"""What the tutorial prints after some of its epochs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from neurobench.models.learner import TrainingRecord

if TYPE_CHECKING:
    from neurobench.data.dataset import Splits
    from neurobench.models.slayer.learner import SlayerLearner


def tutorial_metrics(learner: SlayerLearner, splits: Splits, record: TrainingRecord) -> Mapping[str, float]:
    """Losses as lava-dl prints them, and accuracies, while learning and on the test set. Nothing was chosen by them."""
    metrics = {}
    n = len(splits.test)
    for label, network in record.snapshots.items():
        kind, _, epoch = label.partition("/")
        if kind != "epoch":
            continue
        trained = record.epochs[int(epoch)]
        metrics[f"epoch{epoch}_train_loss"] = trained["train_lava_loss"]
        metrics[f"epoch{epoch}_train_accuracy"] = trained["train_accuracy"]
        tested = learner.measure_on(learner.revived(network), splits.test.batch(slice(None))).named()
        metrics[f"epoch{epoch}_test_loss"] = tested["lava_loss"] / n
        metrics[f"epoch{epoch}_test_accuracy"] = tested["correct"] / n
    return metrics
