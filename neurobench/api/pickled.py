"""The learner of a pickled estimator. Its state is in torch's format: the tensors that pickle itself writes on a GPU
cannot be read on a machine without one."""

from __future__ import annotations

import io

import torch

from neurobench.experiment.build import build_learner, pick_device
from neurobench.experiment.plan import Plan
from neurobench.metrics.costs import Ledger
from neurobench.models.learner import Learner


def state_of(learner: Learner) -> bytes:
    memory = io.BytesIO()
    torch.save(learner.state_dict(), memory)
    return memory.getvalue()


def restored(plan: Plan, state: bytes) -> Learner:
    """The learner of a plan with this state; on the CPU if this machine has no GPU, whatever the plan says."""
    name = plan.run.device if torch.cuda.is_available() else "cpu"
    learner = build_learner(plan, pick_device(name, plan.model, plan.training.batch_size), Ledger())
    # The bytes come from a pickle, which has run whatever code it contains: `weights_only` would protect nobody.
    learner.load_state_dict(torch.load(io.BytesIO(state), map_location="cpu", weights_only=False))
    return learner
