"""What a settled learner's predictions cost, over a whole split."""

from __future__ import annotations

import torch

from neurobench.data.dataset import Split
from neurobench.experiment.evaluate import BATCH
from neurobench.metrics import energy
from neurobench.metrics.operations import total
from neurobench.models.learner import Counts, Learner

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


def count(learner: Learner, split: Split, energies: energy.Energies) -> tuple[dict[str, float], dict[str, str]]:
    """NeuroBench's figures per sample and per step, joules per sample, and why others are undefined."""
    if not isinstance(learner, Counts):
        return {}, dict.fromkeys((*COUNTED, "energy_joules"), "this model does not tell its operations")
    batches = [learner.operations(split.batch(index).x) for index in torch.arange(len(split)).split(BATCH)]
    figures, undefined = total(batches)
    joules = energy.of_sample(energies, batches)
    if isinstance(joules, str):
        return figures, {**undefined, "energy_joules": joules}
    return {**figures, "energy_joules": joules}, undefined
