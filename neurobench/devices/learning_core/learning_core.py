"""A learning core in floating point, of any size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from neurobench.config.bounds import enforce

if TYPE_CHECKING:
    import torch

    from neurobench.devices.learning_core.learning_core_device import LearningCoreDevice


@dataclass(frozen=True)
class FloatCore:
    """Double or single precision, as the model's engine has it. Nothing is rounded."""

    pool: Literal["none", "16x16", "11x11x2"] = "none"  # cells into which pixels are pooled, as a small chip needs it

    fixed_point: ClassVar[None] = None

    def __post_init__(self) -> None:
        enforce(self)

    def open(self, seed: int, device: torch.device) -> LearningCoreDevice:
        from neurobench.devices.learning_core.learning_core_device import LearningCoreDevice

        return LearningCoreDevice(self.pool, None)
