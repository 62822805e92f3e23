"""A learning core, the device: what a model's kernels need to know of it."""

from __future__ import annotations

from neurobench.devices.protocol import FixedPoint


class LearningCoreDevice:
    """See `neurobench.devices.protocol.LearningCore`. It holds numbers alone: time loops belong to kernels."""

    def __init__(self, pool: str, fixed_point: FixedPoint | None):
        self.pool, self.fixed_point = pool, fixed_point
