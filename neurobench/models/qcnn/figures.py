"""All figures of a run of the hybrid network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from matplotlib.figure import Figure

from neurobench.models.qcnn import draw_circuit, draw_device, draw_training

if TYPE_CHECKING:
    from neurobench.data.dataset import Split
    from neurobench.models.qcnn.learner import HybridQCNNLearner


@torch.no_grad()
def all_figures(learner: HybridQCNNLearner, test: Split) -> dict[str, Figure | bytes]:
    """Of the images, the training, and where there is one, the circuit and its device."""
    found: dict[str, Figure | bytes] = {"samples": draw_training.samples(learner, test)}
    if learner.history.sums:
        found["convergence"] = draw_training.convergence(learner)
    if learner.way is not None:
        found["circuit"] = draw_circuit.diagram(learner.way.program)
        found["shots_and_noise"] = draw_device.shots_and_noise(learner, test)
        if learner.recipe.head == "binary":
            found["landscape"] = draw_device.landscape(learner, test)
    return found
