"""What a run asked of its devices, by phase: training is not billed for what only draws a figure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any

Totals = dict[str, dict[str, float]]  # device -> "calls", "reads", "shots", ... -> how many

# Phases that make up the run; what else is asked (a tutorial's own metrics, figures, counts) is not part of it.
RUN = ("training", "validation", "finalize", "test")


class Ledger:
    """Totals by phase and device. It goes into checkpoints, so that a killed run's record covers all its sessions."""

    def __init__(self, phases: Mapping[str, Totals] | None = None) -> None:
        self.phases: dict[str, Totals] = {name: dict(totals) for name, totals in (phases or {}).items()}
        self._phase = RUN[0]

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """What is asked within it is billed to that phase."""
        before, self._phase = self._phase, name
        try:
            yield
        finally:
            self._phase = before

    def add(self, device: str, cost: Mapping[str, float]) -> None:
        entries = self.phases.setdefault(self._phase, {}).setdefault(device, {})
        for key, value in cost.items():
            entries[key] = entries.get(key, 0) + value

    def of_run(self) -> Totals:
        """Totals of the phases that make up the run."""
        together = Ledger()
        for name in RUN:
            for device, entries in self.phases.get(name, {}).items():
                together.add(device, entries)
        return together.phases.get(RUN[0], {})


class Billed:
    """An opened device whose answers are billed: the `cost` of each, and the call itself.

    Answers without a cost (a property of the device, another device) are handed on as they are.
    """

    def __init__(self, name: str, device: Any, ledger: Ledger):
        self._name, self._device, self._ledger = name, device, ledger

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._device, name)
        return self._billed(value) if callable(value) and not name.startswith("_") else value

    def _billed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(call)
        def billed(*args: Any, **kwargs: Any) -> Any:
            answer = call(*args, **kwargs)
            if answer is self._device:  # an ideal device is its own model
                return self
            cost = getattr(answer, "cost", None)
            if isinstance(cost, Mapping):
                self._ledger.add(self._name, {"calls": 1, **cost})
            return answer

        return billed
