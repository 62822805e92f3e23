"""What is kept of a training: figures by epoch as the tutorial prints them, gradient flow, nets at chosen epochs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from neurobench.models.slayer.parameters import Held

PRINTED = (19, 39, 59, 79, 99)  # epochs, from 0, whose figures the tutorial shows


@dataclass
class History:
    """Grows by one entry an epoch."""

    sums: dict[int, dict[str, float]] = field(default_factory=dict)  # epoch -> samples, and sums over them
    flow: dict[int, list[float]] = field(default_factory=dict)  # epoch -> each layer's gradient, of the last batch
    nets: dict[int, list[dict[str, Any]]] = field(default_factory=dict)  # epoch -> what the core held after it

    def note(self, epoch: int, n: int, figures: Mapping[str, float], flow: list[float]) -> None:
        """After an update on n samples."""
        own = self.sums.setdefault(epoch, {"samples": 0})
        own["samples"] += n
        for name, value in figures.items():
            own[name] = own.get(name, 0.0) + value
        self.flow[epoch] = flow

    def keep(self, epoch: int, layers: list[Held]) -> None:
        """The net as it is after `epoch`, where the tutorial shows figures of it."""
        if epoch in PRINTED:
            self.nets[epoch] = [
                {"W": layer.W.clone(), "cuba": list(layer.cuba), "unit": layer.unit, "delay": layer.delay.clone()}
                for layer in layers
            ]

    def state_dict(self) -> dict[str, Any]:
        return {name: dict(value) for name, value in vars(self).items()}
