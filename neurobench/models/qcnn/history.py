"""What a run remembers of its training: sums of each epoch, and the first epochs' parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

KEPT = 3  # epochs whose figures are compared with published ones


class History:
    """`sums`: one mapping an epoch, over its samples while they were learned. `ended`: parameters at the end of the
    first epochs."""

    def __init__(self) -> None:
        self.sums: list[dict[str, float]] = []
        self.ended: list[Tensor] = []

    def note(self, epoch: int, before: Tensor, sums: Mapping[str, float], samples: int) -> None:
        """An update in `epoch`; `before`: the parameters that it found."""
        if epoch == len(self.sums):
            if 0 < epoch <= KEPT:
                self.ended.append(before.clone())
            self.sums.append({"samples": 0.0})
        row = self.sums[epoch]
        for name, value in {**sums, "samples": samples}.items():
            row[name] = row.get(name, 0.0) + value

    def close(self, params: Tensor) -> None:
        """Training is over."""
        if len(self.ended) < min(KEPT, len(self.sums)):
            self.ended.append(params.clone())

    def state_dict(self) -> dict[str, Any]:
        return {"sums": [dict(row) for row in self.sums], "ended": [params.clone() for params in self.ended]}

    def load_state_dict(self, state: Mapping[str, Any], device: Any) -> None:
        self.sums = [dict(row) for row in state["sums"]]
        self.ended = [params.to(device, copy=True) for params in state["ended"]]
