"""Figures of a trained restricted Boltzmann machine as data for `drawings`."""

from __future__ import annotations

from collections.abc import Mapping

from neurobench.data.dataset import Split
from neurobench.figures.drawing import Drawing
from neurobench.models.learner import TrainingRecord
from neurobench.models.qrbm.classifier import MachineClassifier

SHOWN = 50  # test images, as in the tutorial
_DRAWINGS = "neurobench.models.qrbm.drawings"


def figures(learner: MachineClassifier, test: Split, record: TrainingRecord) -> Mapping[str, Drawing]:
    shown = test.head(SHOWN)
    v, q = (each.cpu().numpy() for each in (learner.pixels(shown.x), learner.reconstruct(shown.x)))
    predicted, y = learner.predict(shown.x).argmax(1).cpu().numpy(), shown.y.numpy()
    shape, classes = learner.shape, test.classes
    return {
        "test_samples": Drawing(f"{_DRAWINGS}.labelled_samples", (v, y, shape, classes)),
        "filters": Drawing(f"{_DRAWINGS}.filters", (learner.rbm.W.cpu().numpy(), shape)),
        "reconstructions": Drawing(f"{_DRAWINGS}.reconstructions", (v, q, y, predicted, shape, classes)),
    }
