"""A learning core, the device: what a model's kernels need to know of it."""

from __future__ import annotations

from neurobench.devices.learning_core.protocol import FixedPoint


class LearningCoreDevice:
    """See `LearningCore` in protocol.py. It holds numbers alone: time loops belong to kernels."""

    def __init__(self, pool: str, fixed_point: FixedPoint | None):
        self.pool, self.fixed_point = pool, fixed_point
