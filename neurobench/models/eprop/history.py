"""What is kept of a training: a point a group, and a few weights over time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

KINDS = ("in", "rec", "out")
COURSES = 500  # points of a weight's course: bounds the time and the memory of a long training


@dataclass
class History:
    """Grows by one entry a group of samples (an iteration of the tutorial)."""

    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    rate: float = 0.0  # spikes of a neuron a sample, in the last group
    every: int = 1  # groups from one point of the courses to the next
    courses: dict[str, list[list[float]]] = field(default_factory=dict)  # kind -> point -> weights

    def note(self, sums: Mapping[str, float], n: int, weights: Callable[[], list[list[float]]]) -> None:
        """A group of n samples. `weights`: those that are recorded, of each kind."""
        self.loss.append(sums["loss"] / n)
        self.accuracy.append(sums["correct"] / n)
        self.rate = sums["hidden_spikes"] / n
        if (len(self.loss) - 1) % self.every:
            return
        for kind, found in zip(KINDS, weights(), strict=True):
            course = self.courses.setdefault(kind, [])
            course.append(found)
            if len(course) > COURSES:
                del course[1::2]
        if len(self.courses["in"]) > COURSES // 2 and len(self.loss) > COURSES * self.every:
            self.every *= 2

    def state_dict(self) -> dict[str, Any]:
        return {
            "loss": torch.tensor(self.loss, dtype=torch.float64),
            "accuracy": torch.tensor(self.accuracy, dtype=torch.float64),
            "rate": self.rate,
            "every": self.every,
            "courses": {kind: torch.tensor(course, dtype=torch.float64) for kind, course in self.courses.items()},
        }


def restored_history(state: Mapping[str, Any]) -> History:
    courses = {kind: course.tolist() for kind, course in state["courses"].items()}
    return History(state["loss"].tolist(), state["accuracy"].tolist(), state["rate"], state["every"], courses)
