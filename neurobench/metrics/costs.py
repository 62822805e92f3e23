"""What a run asked of its devices: totals over every call, training and tests alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

# What an answer's `info` may report that can be added up over calls; all else (a temperature, a share) cannot.
ADDITIVE = ("reads", "jobs", "programmings", "shots", "circuits", "device_seconds", "device_joules")

Totals = dict[str, dict[str, float]]
Told = Callable[..., Mapping[str, float]]  # of a device, its answer, and what it was asked


class Costs:
    """Totals by device. They go into checkpoints, so that a killed run's record tells of all its sittings."""

    def __init__(self) -> None:
        self.totals: Totals = {}
        self._inside = False  # a call: one that it makes of itself is part of it

    def watch(self, name: str, device: Any) -> None:
        """Count the calls of an opened device. A device without a verb that is known here is not counted."""
        for verb, told in VERBS.items():
            if callable(getattr(device, verb, None)):
                setattr(device, verb, self._counted(name, device, getattr(device, verb), told))

    def _counted(self, name: str, device: Any, call: Callable[..., Any], told: Told) -> Any:
        @wraps(call)
        def counted(*args: Any, **kwargs: Any) -> Any:
            if self._inside:
                return call(*args, **kwargs)
            self._inside = True
            try:
                answer = call(*args, **kwargs)
            finally:
                self._inside = False
            self.add(name, {"calls": 1, **told(device, answer, *args, **kwargs)})
            return answer

        return counted

    def add(self, name: str, entries: Mapping[str, float]) -> None:
        totals = self.totals.setdefault(name, {})
        for key, value in entries.items():
            totals[key] = totals.get(key, 0) + value


def _info(device: Any, answer: Any, *args: Any, **kwargs: Any) -> Mapping[str, float]:
    """What the device itself says. `sweeps` are those of each read."""
    info = answer.info
    told = {key: info[key] for key in ADDITIVE if key in info}
    if "sweeps" in info:
        told["sweeps"] = info["sweeps"] * info.get("reads", 1)
    return told


def _products(
    device: Any, answer: Any, x: Any, w: Any, num_sends: int = 1, *args: Any, **kwargs: Any
) -> Mapping[str, float]:
    """Of an analog array: vectors multiplied, and how often vectors were sent for it."""
    vectors = 1 if x.ndim == 1 else len(x)
    return {"vectors": vectors, "sends": vectors * num_sends}


def _expectations(device: Any, answer: Any, program: Any, angles: Any) -> Mapping[str, float]:
    """Of exact expectations: circuits, one a row of angles. They take no shots, and no time that a device would know;
    a derivative by `autograd` is the host's work."""
    return {"circuits": math.prod(answer.shape[:-1])}


def _shots(device: Any, answer: Any, program: Any, angles: Any, shots: int, seed: int) -> Mapping[str, float]:
    """Of circuits that are read: shots, and the seconds of a processor that says how long they would take."""
    circuits = math.prod(answer.shape[:-1])
    told = {"circuits": circuits, "shots": circuits * shots}
    cost = device.cost(program, circuits, shots)
    return {**told, "device_seconds": cost["qpu_seconds"]} if "qpu_seconds" in cost else told


# A device's verb -> what one call of it cost.
VERBS: dict[str, Told] = {
    "sample_rbm": _info,
    "matmul": _products,
    "expectation": _expectations,
    "counts": _shots,
}
