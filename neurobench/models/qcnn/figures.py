"""All figures of a run of the hybrid network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from neurobench.data.dataset import Split
    from neurobench.models.qcnn.learner import HybridQCNNLearner


def all_figures(learner: HybridQCNNLearner, test: Split) -> dict[str, Figure | bytes]:
    return {}
