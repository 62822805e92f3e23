"""Recordings of an event camera, kept sparse."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Events:
    """N recordings laid end to end; recording k owns events start[k] to start[k + 1]."""

    t: Tensor  # (E,) int32 time since the recording's start, in microseconds, sorted within a recording
    x: Tensor  # (E,) uint8 column
    y: Tensor  # (E,) uint8 row
    p: Tensor  # (E,) uint8 polarity bit, as stored
    start: Tensor  # (N + 1,) int64
    sensor: tuple[int, int, int]  # polarities, rows, columns

    def __len__(self) -> int:
        return len(self.start) - 1

    def __getitem__(self, index: Tensor | slice) -> Events:
        """The recordings at `index` ((B,) int64 or a slice), in that order."""
        chosen = torch.arange(len(self))[index]
        lengths = self.start[chosen + 1] - self.start[chosen]
        start = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
        offsets = torch.repeat_interleave(self.start[chosen] - start[:-1], lengths)
        where = torch.arange(int(start[-1])) + offsets
        return Events(self.t[where], self.x[where], self.y[where], self.p[where], start, self.sensor)
