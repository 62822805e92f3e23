"""Recordings kept in four bytes an event, on disk, and decoded as they are asked for.

70,000 recordings of N-MNIST's size are 290 million events: 2 GB as `Events`, 1.2 GB here, and none of it in memory
before it is used.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from neurobench.data.events import Events


@dataclass(frozen=True)
class StoredEvents:
    """N recordings; number k owns the codes from start[k], length[k] of them. See `neurobench.kernels.camera.put`."""

    codes: np.ndarray  # (all,) uint32, mapped from a file: time << 13 | row << 7 | column << 1 | polarity
    begin: np.ndarray  # (N,) int64
    length: np.ndarray  # (N,) int64
    sensor: tuple[int, int, int]  # polarities, rows, columns

    def __len__(self) -> int:
        return len(self.begin)

    def only(self, index: np.ndarray) -> StoredEvents:
        """The recordings at `index` (B,), still stored."""
        return replace(self, begin=self.begin[index], length=self.length[index])

    def __getitem__(self, index: Tensor | slice) -> Events:
        """The recordings at `index` ((B,) int64 or a slice), decoded."""
        from neurobench.kernels.camera import gather

        chosen = np.arange(len(self))[index if isinstance(index, slice) else index.numpy()]
        start = np.concatenate([[0], self.length[chosen].cumsum()])
        t = np.empty(start[-1], np.int32)
        x, y, p = (np.empty(start[-1], np.uint8) for _ in range(3))
        gather(self.codes, self.begin[chosen], start, t, x, y, p)
        t_, x_, y_, p_, start_ = (torch.from_numpy(field) for field in (t, x, y, p, start))
        return Events(t_, x_, y_, p_, start_, self.sensor)
