"""The tutorial's printout while it learns, classifies, saves and loads, with this run's figures."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
from torch import Tensor

from neurobench.data.dataset import Split
from neurobench.models.common.readout import scores
from neurobench.models.learner import Finished
from neurobench.models.qrbm.tutorial import FITTED, TutorialLearner

INSPECTED = 30  # number of targets and predictions printed


def printout(learner: TutorialLearner, finished: Finished) -> Iterator[str]:
    """Lines of the printout; `loaded` is the model as restored from the run's checkpoint."""
    train, test, figures = finished.splits.train, finished.splits.test, finished.metrics
    loaded = copy.copy(learner)
    loaded.load_state_dict(finished.saved)
    epochs = len(finished.record.epochs)
    yield from (f"EPOCH {epoch} of {epochs}" for epoch in range(1, epochs + 1))
    yield f"end of batch, sampling... {len(train)} x {len(learner.rbm.a)}"
    yield f"sampled response: energy = {learner.device_energy}"
    yield f"SME: {figures['sme']:.6f} ACCURACY: {figures['published_accuracy_percent']:.6f}%"
    yield f"FOUND MODEL ACCURACY: {figures['published_accuracy_percent']} %"
    yield f"errors: [{figures['sme']}]"
    yield f"{len(test)} images in total"
    yield from _classified(learner, test, inspected=True)
    yield "testmodel.dnxlayer.weights == model.dnxlayer.weights, of the model that was saved and loaded:"
    equal = (loaded.rbm.W == learner.rbm.W).numpy()
    yield from np.array2string(equal, threshold=0).splitlines()
    yield f"{int(equal.sum()):,} of {equal.size:,} weights are equal"
    yield from _classified(loaded, test, inspected=False)


def _classified(learner: TutorialLearner, test: Split, inspected: bool) -> Iterator[str]:
    """Lines of a logistic regression on the drawn features of FITTED test images, scored on the same images."""
    f, y = learner.drawn_features(test.x)[:FITTED], test.y[:FITTED]
    predicted = scores(learner.fit(f, y, iterations=10_000), f).argmax(1)
    yield f"Accuracy: {100 * float((predicted == y).double().mean())} %"
    if inspected:
        yield f"target   : {_row(y)}"
        yield f"predicted: {_row(predicted)}"


def _row(classes: Tensor) -> str:
    return np.array2string(classes[:INSPECTED].numpy(), max_line_width=200)
