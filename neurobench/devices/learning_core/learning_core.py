"""A learning core in floating point, of any size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from neurobench.devices.spec import DeviceSpec

if TYPE_CHECKING:
    import torch

    from neurobench.devices.learning_core.learning_core_device import LearningCoreDevice


@dataclass(frozen=True)
class FloatCore(DeviceSpec):
    """Double or single precision, as the model's engine has it. Nothing is rounded."""

    kind: ClassVar[str] = "learning_core"

    pool: Literal["none", "16x16", "11x11x2"] = "none"  # cells into which pixels are pooled, as a small chip needs it

    fixed_point: ClassVar[None] = None

    def open(self, seed: int, device: torch.device) -> LearningCoreDevice:
        from neurobench.devices.learning_core.learning_core_device import LearningCoreDevice

        return LearningCoreDevice(self.pool, None)
