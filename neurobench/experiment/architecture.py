"""Costs of a trained network by a chip's architecture model: messages, joules and seconds per prediction."""

from __future__ import annotations

import torch

from neurobench.config.targets import load
from neurobench.data.dataset import Split
from neurobench.devices.core.mesh import Mesh, MeshCost, mesh_cost
from neurobench.experiment.build import mesh_of
from neurobench.experiment.plan import Plan
from neurobench.models.learner import Learner
from neurobench.phases import phase

SAMPLES, BATCH = 200, 20  # of the test set, evenly spread over it
NAMES = ("mesh_messages", "mesh_hops", "mesh_joules", "mesh_seconds")


def architecture_figures(plan: Plan, learner: Learner, test: Split) -> tuple[dict[str, float], dict[str, str]]:
    """Mean costs over samples, and why others are undefined; empty for models and devices without such a model."""
    name = mesh_of(plan)
    if name is None or plan.model.activity is None:
        return {}, {}
    mesh: Mesh = load(name)
    chosen = torch.linspace(0, len(test) - 1, min(len(test), SAMPLES)).round().long()
    costs: list[MeshCost] = []
    with phase("following spikes over the chip", len(chosen)) as progress:
        for index in chosen.split(BATCH):
            try:
                costs.append(mesh_cost(mesh, load(plan.model.activity)(learner, test.batch(index).x)))
            except ValueError as reason:
                return {}, dict.fromkeys(NAMES, str(reason))
            progress.advance(len(index))
    messages = sum(cost.messages for cost in costs)
    hops = sum(cost.hops_along_rows + cost.hops_along_columns for cost in costs)
    totals = (messages, hops, sum(cost.joules for cost in costs), sum(cost.seconds for cost in costs))
    return {name: total / len(chosen) for name, total in zip(NAMES, totals, strict=True)}, {}
