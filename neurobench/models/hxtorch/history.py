"""What is kept of a training: for figures, for later phases and for the record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from neurobench.models.hxtorch.schedule import Place
from neurobench.models.learner import Step

FRAMES = 48  # of an animation

Weights = dict[str, Tensor]


@dataclass
class History:
    """Grows by one entry an update."""

    phase: str = ""  # of the last update
    steps_done: int = 0
    ended: dict[str, Weights] = field(default_factory=dict)  # phase -> weights at its end
    begun: dict[str, int] = field(default_factory=dict)  # phase -> its first update
    frames: dict[int, dict[str, Any]] = field(default_factory=dict)  # updates done -> phase and weights
    loss: list[float] = field(default_factory=list)  # of each update's batch, before the update
    accuracy: list[float] = field(default_factory=list)

    def note(self, sums: Mapping[str, float], n: int, now: Place, at: Step, weights: Callable[[], Weights]) -> None:
        """After update at.k, which had n samples. `weights` makes copies."""
        self.loss.append(sums["loss"] / n)
        self.accuracy.append(sums["correct"] / n)
        self.phase, self.steps_done = now.name, at.k + 1
        self.begun.setdefault(now.name, at.k)
        if now.last:
            self.ended[now.name] = weights()
        if is_frame(at):
            self.frames[at.k + 1] = {"phase": now.name, "weights": weights()}

    def state_dict(self) -> dict[str, Any]:
        own = {name: dict(value) if isinstance(value, dict) else value for name, value in vars(self).items()}
        return {**own, "loss": _tensor(self.loss), "accuracy": _tensor(self.accuracy)}


def restored_history(state: Mapping[str, Any]) -> History:
    own = {name: dict(value) if isinstance(value, dict) else value for name, value in state.items()}
    return History(**{**own, "loss": state["loss"].tolist(), "accuracy": state["accuracy"].tolist()})


def is_frame(at: Step) -> bool:
    """Frames are denser at first, when more happens: one wherever FRAMES sqrt(updates done / n) passes an integer."""
    before, after = (int(FRAMES * (done / at.n) ** 0.5 + 1e-9) for done in (at.k, at.k + 1))
    return after > before


def _tensor(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
