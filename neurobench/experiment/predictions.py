"""Predictions of a finished run: as it recorded them, else recomputed with the run's plan and checkpoint."""

from __future__ import annotations

from neurobench.config.errors import UserError
from neurobench.storage.folder import RunFolder
from neurobench.storage.predictions import Predictions, read_predictions


def predictions_of(folder: RunFolder) -> Predictions:
    """Return a run's predictions. Raises UserError if they are not recorded and cannot be reproduced, and DataError if
    the data cannot be read."""
    stored = read_predictions(folder)
    if stored is not None:
        return stored
    from neurobench.experiment.evaluate import scores_of
    from neurobench.experiment.reload import load_learner

    loaded = load_learner(folder)
    test = loaded.splits().test
    predicted = scores_of(loaded.learner, test.x, loaded.plan.task.n_classes).argmax(1)
    result = folder.result()
    assert result is not None
    accuracy, recorded = int((predicted == test.y).sum()) / len(test), result["metrics"]["test_accuracy"]
    if accuracy != recorded:
        raise UserError(
            f"{folder.label} recorded no predictions, and recomputed ones differ ({accuracy:.2%} correct, "
            f"{recorded:.2%} recorded): its device is not deterministic. Run it again to record them."
        )
    return Predictions(test.ids.numpy(), test.y.numpy(), predicted.numpy())
