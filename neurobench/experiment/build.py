"""Construction of the objects that a plan names, and choice of this machine's device."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from neurobench.config.errors import UserError
from neurobench.data.dataset import Splits
from neurobench.data.encoders import Counts, encoded
from neurobench.devices.spec import Deferred, DeviceSpec
from neurobench.experiment.memory import memory_fault
from neurobench.experiment.plan import Plan
from neurobench.metrics.costs import Billed, Energies, Ledger
from neurobench.models.learner import Learner, ModelSpec

if TYPE_CHECKING:
    import torch

    from neurobench.devices.jobs import Jobs


def load_splits(plan: Plan) -> Splits:
    """Load the data as the model will see them: as many samples as the scale allows, through the plan's encoders."""
    from neurobench.data.checks import load_checked  # imports torch
    from neurobench.models.common.late_events import warn_of_late_events

    splits = load_checked(plan.dataset, plan.seeds.data).limited(plan.scale.train, plan.scale.test)
    for step in plan.encoders:
        if isinstance(step, Counts):
            counted = "the {:g} ms that the encoder counts", "encoder=counts with a longer encoder.length"
            warn_of_late_events(splits.train, step.length, *counted)
    return encoded(splits, plan.encoders)


def require_memory(plan: Plan, splits: Splits) -> None:
    """Check the memory for what the model computes of all samples: `parse` cannot know how many. Raises UserError."""
    if fault := memory_fault(plan.model_name, plan.model, plan.dataset, plan.task, len(splits.train)):
        raise UserError(fault)


def build_learner(
    plan: Plan, device: torch.device, ledger: Ledger, jobs: Jobs | None = None, opens_devices: bool = True
) -> Learner:
    """Build the model with its devices, each opened once: two fields that name one device share it.

    jobs: the run's jobs at devices that answer later. opens_devices: open devices now, so that one that cannot be
    opened is reported before training; if False, each is opened when it is first used.
    """
    from neurobench.devices.answers import checked  # imports torch

    pick_kernels(plan.run.kernels)

    def opened(name: str, spec: DeviceSpec) -> Billed:
        if absent := spec.absent_extras():
            raise UserError("\n".join(f"backend.{name}.{field}{sentence}" for field, sentence in absent))
        return Billed(name, spec.open(plan.seeds.device, device, jobs), ledger, checked)

    specs = {name: plan.devices[field] for field, name in plan.wiring.items()}
    billed = {
        name: opened(name, spec) if opens_devices else Deferred(partial(opened, name, spec))
        for name, spec in specs.items()
    }
    devices = {field: billed[name] for field, name in plan.wiring.items()}
    if device.type != "cpu" and not _gains_by_gpu(plan.model, plan.training.batch_size):
        sizes = f" in batches smaller than {plan.model.gpu_from_batch}" if plan.model.gpu_from_batch else ""
        warnings.warn(f"the CPU is faster for this model{sizes}; device=auto selects it", stacklevel=2)
    still = unapplied_motion(plan)
    model = replace(plan.model, **still) if still else plan.model
    return model.build(plan.task, plan.seeds, devices, device)


def unapplied_motion(plan: Plan) -> dict[str, Any]:
    """Fields by which the model would move training samples whose encoders place the values of a vector on pixels, so
    that a shift would exchange one value for another; with the values of these fields that move none."""
    shape, exchanged = plan.dataset.shape, False
    for step in plan.encoders:
        exchanged |= not step.can_be_moved(shape)
        shape = step.shape(shape)
    moves = plan.model.moves.items() if exchanged else ()
    return {name: still for name, still in moves if getattr(plan.model, name) != still}


def energies(plan: Plan) -> Energies:
    """Published energy of the devices that the model uses."""
    return {name: plan.devices[field].energy for field, name in plan.wiring.items()}


def mesh_of(plan: Plan) -> str | None:
    """Name of the architecture model of the chip that the model runs on, if there is one."""
    return next((mesh for field in plan.wiring if (mesh := plan.devices[field].mesh)), None)


def pick_kernels(kernels: str) -> None:
    """Select exact kernels, or those that may round differently if this processor has them. Warns if it has not."""
    from neurobench.kernels.host import use_fast

    if not use_fast(kernels == "fast"):
        warnings.warn("kernels=fast: this processor has no matrix unit (AMX); the exact kernels are used", stacklevel=2)


def kernels_in_use() -> str:
    """Kernels that the last `pick_kernels` selected, "exact" or "fast"."""
    from neurobench.kernels.host import fast

    return "fast" if fast() else "exact"


def pick_device(name: str, model: ModelSpec, batch_size: int) -> torch.device:
    """Select the device: `auto` is a GPU if there is one and the model gains by it. Raises UserError without `cuda`."""
    import torch

    present = torch.cuda.is_available()
    if name == "auto" and not _gains_by_gpu(model, batch_size):
        return torch.device("cpu")
    if name == "cuda" and not present:
        raise UserError("device=cuda: torch finds no CUDA device here. Use device=cpu or device=auto.")
    return torch.device("cuda" if present and name != "cpu" else "cpu")


def _gains_by_gpu(model: ModelSpec, batch_size: int) -> bool:
    return model.gpu_from_batch is not None and batch_size >= model.gpu_from_batch
