"""What a settled learner's predictions cost, over a whole split."""

from __future__ import annotations

import torch

from neurobench.data.dataset import Split
from neurobench.metrics.operations import total
from neurobench.models.learner import Counts, Learner
from neurobench.training.evaluate import BATCH

COUNTED = (
    "parameter_count",
    "footprint_bytes",
    "connection_sparsity",
    "activation_sparsity",
    "effective_macs",
    "effective_acs",
    "dense_operations",
    "membrane_updates",
)


def count(learner: Learner, split: Split) -> tuple[dict[str, float], dict[str, str]]:
    """NeuroBench's figures per sample and per step, and why others are undefined."""
    if not isinstance(learner, Counts):
        return {}, dict.fromkeys(COUNTED, "this model does not tell its operations")
    batches = [learner.operations(split.batch(index).x) for index in torch.arange(len(split)).split(BATCH)]
    return total(batches)
