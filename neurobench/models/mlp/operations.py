"""What a prediction of the plain network costs."""

from __future__ import annotations

from typing import Any

import torch

from neurobench.metrics.operations import Operations, linear, population
from neurobench.models.mlp.learner import MLPLearner


@torch.no_grad()
def operations(learner: MLPLearner, x: Any) -> Operations:
    """Pixels are graded: all products are MACs."""
    hidden, params = learner.hidden(x), learner.params
    connections = [
        linear("hidden", params["hidden.weight"].detach(), learner.images(x).flatten(1), spikes=False),
        linear("out", params["out.weight"].detach(), hidden, spikes=False),
    ]
    return Operations(len(x), len(x), connections, [population("hidden", hidden)], parameters=params)
