"""Sparse recordings of an event camera: in memory, or in a file at four bytes per event.

70,000 recordings of N-MNIST's size are 290 million events: 2 GB as `Events`; 1.2 GB as `StoredEvents`, of which only
the recordings in use are read into memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

EMULATED_NOTE = "EMULATED.txt"  # file next to recordings written by `neurobench data emulate`
MANY_LATE = 0.1  # share of events outside the part that is read, from which on users are warned; N-MNIST has fewer


def are_emulated(folder: Path) -> bool:
    """Whether the recordings in a folder of a training and a test part, or in one of these parts, are emulated."""
    return any((each / EMULATED_NOTE).exists() for each in (folder, folder.parent))


@dataclass(frozen=True)
class Events:
    """N recordings laid end to end; recording k has events start[k] to start[k + 1]."""

    t: Tensor  # (E,) int32 time since the recording's start, in microseconds, sorted within a recording
    x: Tensor  # (E,) uint8 column
    y: Tensor  # (E,) uint8 row
    p: Tensor  # (E,) uint8 polarity bit, as stored
    start: Tensor  # (N + 1,) int64
    sensor: tuple[int, int, int]  # polarities, rows, columns

    def __len__(self) -> int:
        return len(self.start) - 1

    def __getitem__(self, index: Tensor | slice) -> Events:
        """The recordings at `index` ((B,) int64 or a slice), in that order. A slice of step 1 is not copied."""
        if isinstance(index, slice) and index.step in (None, 1):
            first, last, _ = index.indices(len(self))
            start = self.start[first : max(first, last) + 1]
            t, x, y, p = (part[start[0] : start[-1]] for part in (self.t, self.x, self.y, self.p))
            return Events(t, x, y, p, start - start[0], self.sensor)
        chosen = torch.arange(len(self))[index]
        lengths = self.start[chosen + 1] - self.start[chosen]
        start = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
        offsets = torch.repeat_interleave(self.start[chosen] - start[:-1], lengths)
        where = torch.arange(int(start[-1])) + offsets
        return Events(self.t[where], self.x[where], self.y[where], self.p[where], start, self.sensor)

    def recording(self) -> Tensor:
        """Number of the recording that each event belongs to, (E,) int64."""
        return torch.repeat_interleave(torch.arange(len(self)), self.start.diff())


def concatenate(parts: Sequence[Events]) -> Events:
    """Concatenate the recordings of at least one part, in order."""
    t, x, y, p = (torch.cat([getattr(part, key) for part in parts]) for key in ("t", "x", "y", "p"))
    lengths = torch.cat([torch.zeros(1, dtype=torch.int64), *(part.start.diff() for part in parts)])
    return Events(t, x, y, p, lengths.cumsum(0), parts[0].sensor)


@dataclass(frozen=True)
class StoredEvents:
    """N recordings of coded events; recording k has length[k] codes from begin[k]. See `neurobench.kernels.camera`."""

    codes: np.ndarray  # (E,) uint32, possibly mapped from a file: time << 13 | row << 7 | column << 1 | polarity
    begin: np.ndarray  # (N,) int64
    length: np.ndarray  # (N,) int64
    sensor: tuple[int, int, int]  # polarities, rows, columns

    @classmethod
    def contiguous(cls, codes: np.ndarray, length: np.ndarray, sensor: tuple[int, int, int]) -> StoredEvents:
        """Recordings of the given lengths, one after the other."""
        return cls(codes, length.cumsum() - length, length, sensor)

    def __len__(self) -> int:
        return len(self.begin)

    def only(self, index: np.ndarray) -> StoredEvents:
        """The recordings at `index` (B,), not decoded."""
        return replace(self, begin=self.begin[index], length=self.length[index])

    def __getitem__(self, index: Tensor | slice) -> Events:
        """The recordings at `index` ((B,) int64 or a slice), decoded."""
        from neurobench.kernels.coded_events import decode

        chosen = np.arange(len(self))[index if isinstance(index, slice) else index.numpy()]
        start = np.concatenate([[0], self.length[chosen].cumsum()])
        t = np.empty(start[-1], np.int32)
        x, y, p = (np.empty(start[-1], np.uint8) for _ in range(3))
        decode(self.codes, self.begin[chosen], start, t, x, y, p)
        t_, x_, y_, p_, start_ = (torch.from_numpy(field) for field in (t, x, y, p, start))
        return Events(t_, x_, y_, p_, start_, self.sensor)
