"""From a plan to the objects that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neurobench.data.dataset import Splits
from neurobench.data.encoders import encoded
from neurobench.experiment.callbacks import Callback
from neurobench.experiment.plan import Plan
from neurobench.metrics.costs import Billed, Ledger
from neurobench.metrics.energy import Energies
from neurobench.models.learner import Learner

if TYPE_CHECKING:
    import torch


def load_splits(plan: Plan) -> Splits:
    """The data as the model will see them: as much as the scale allows, through the encoders between the two."""
    splits = plan.dataset.load(plan.seeds.data)
    return encoded(splits.limited(plan.scale.train, plan.scale.test), plan.encoders)


def build_learner(plan: Plan, device: torch.device, ledger: Ledger) -> Learner:
    """The model with its devices, each opened once: two fields that name one device share it."""
    opened = {
        name: Billed(name, spec.open(plan.seeds.device, device), ledger)
        for name, spec in {name: plan.devices[field] for field, name in plan.wiring.items()}.items()
    }
    devices = {field: opened[name] for field, name in plan.wiring.items()}
    return plan.model.build(plan.task, plan.seeds, devices, device)


def energies(plan: Plan) -> Energies:
    """What is published of the energy of the devices that the model asks."""
    return {name: plan.devices[field].energy for field, name in plan.wiring.items()}


def build_trackers(plan: Plan) -> list[Callback]:
    """Those that `logger` switches on."""
    return [tracker.start(plan.run.outputs) for tracker in plan.trackers]
