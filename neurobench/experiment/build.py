"""From a plan to the objects that it names, and the device of the machine at hand."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from neurobench.config.errors import UserError
from neurobench.data.dataset import Splits
from neurobench.data.encoders import encoded
from neurobench.experiment.memory import memory_fault
from neurobench.experiment.plan import Plan
from neurobench.metrics.costs import Billed, Energies, Ledger
from neurobench.models.learner import Learner, ModelSpec

if TYPE_CHECKING:
    import torch

    from neurobench.devices.jobs import Jobs


def load_splits(plan: Plan) -> Splits:
    """The data as the model will see them: as much as the scale allows, through the encoders between the two."""
    from neurobench.data.sound import sound  # torch with it

    splits = sound(plan.dataset.load(plan.seeds.data), plan.task.n_classes)
    return encoded(splits.limited(plan.scale.train, plan.scale.test), plan.encoders)


def require_memory(plan: Plan, splits: Splits) -> None:
    """Raises UserError where what the model makes of all samples does not fit: `parse` cannot know how many."""
    if fault := memory_fault(plan.model_name, plan.model, plan.dataset, plan.task, len(splits.train)):
        raise UserError(fault)


def build_learner(plan: Plan, device: torch.device, ledger: Ledger, jobs: Jobs | None = None) -> Learner:
    """The model with its devices, each opened once: two fields that name one device share it. `jobs`: what the run has
    under way at devices that answer later."""
    from neurobench.devices.answers import checked  # torch with it

    pick_kernels(plan.run.kernels)
    specs = {name: plan.devices[field] for field, name in plan.wiring.items()}
    opened = {
        key: Billed(key, spec.open(plan.seeds.device, device, jobs), ledger, checked) for key, spec in specs.items()
    }
    devices = {field: opened[name] for field, name in plan.wiring.items()}
    if device.type != "cpu" and not _gains_by_gpu(plan.model, plan.training.batch_size):
        sizes = f" in batches of less than {plan.model.gpu_from_batch}" if plan.model.gpu_from_batch else ""
        warnings.warn(f"the CPU is faster for this model{sizes}; device=auto takes it", stacklevel=2)
    return plan.model.build(plan.task, plan.seeds, devices, device)


def energies(plan: Plan) -> Energies:
    """What is published of the energy of the devices that the model asks."""
    return {name: plan.devices[field].energy for field, name in plan.wiring.items()}


def mesh_of(plan: Plan) -> str | None:
    """The name of the architecture model of the chip that the model runs on, where there is one."""
    return next((mesh for field in plan.wiring if (mesh := plan.devices[field].mesh)), None)


def pick_kernels(kernels: str) -> None:
    """Exact ones, or those that may round otherwise where this processor has them. Warns where it has not."""
    from neurobench.kernels.host import use_fast

    if not use_fast(kernels == "fast"):
        warnings.warn("kernels=fast: this processor has no matrix unit (AMX); the exact kernels run", stacklevel=2)


def pick_device(name: str, model: ModelSpec, batch_size: int) -> torch.device:
    """`auto` takes a GPU where there is one and the model gains by it. Raises UserError where `cuda` is absent."""
    import torch

    present = torch.cuda.is_available()
    if name == "auto" and not _gains_by_gpu(model, batch_size):
        return torch.device("cpu")
    if name == "cuda" and not present:
        raise UserError("device=cuda: torch finds no CUDA device here. Use device=cpu or device=auto.")
    return torch.device("cuda" if present and name != "cpu" else "cpu")


def _gains_by_gpu(model: ModelSpec, batch_size: int) -> bool:
    return model.gpu_from_batch is not None and batch_size >= model.gpu_from_batch
