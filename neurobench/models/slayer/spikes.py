"""Spikes as lists: for each sample and time step, the neurons that are active."""

import numba
import numpy as np
import torch
from torch import Tensor

from neurobench.data.events import Events
from neurobench.kernels.cuba.spike_lists import Recordings, Spikes, bin_events
from neurobench.kernels.random import uniforms


def motion(n: int, seed: int, shift: tuple[int, ...], angle: float, sensor: tuple[int, ...]) -> np.ndarray:
    """Random motion of n samples, (n, 4) float64: dx, dy (whole pixels), cos and sin of a turn, drawn in that order.

    sensor: polarities, rows, columns. Pixels in a single row or column move along it: all else would empty the sample.
    """
    draws = uniforms(seed, (n, 3)).double().numpy()
    low, high = shift
    rows, columns = (side > 1 for side in sensor[1:])
    moved = (np.floor(draws[:, :2] * (high - low + 1)) + low) * (columns, rows)
    turn = np.deg2rad((2 * draws[:, 2] - 1) * angle) * (columns and rows)
    return np.column_stack([moved, np.cos(turn), np.sin(turn)])


def binned(
    events: Events,
    steps: int,
    sampling_time: float,
    moved: np.ndarray | None = None,
    sheared: bool = False,
    saccades: int = 1,
) -> Spikes:
    """Bin events: input polarity 1156 + row 34 + column is active at step rint(t / sampling_time), in ms.

    Events of one input in one step count once. moved: (N, 4) from `motion`. saccades: parts of a recording, `steps`
    each, presented at once as separate polarities. Source: lava-dl `slayer.io.Event.fill_tensor` on its `nmnist.py`.
    """
    n = len(events)
    polarities, rows, columns = events.sensor
    begin, count = np.empty((n, steps), np.int64), np.empty((n, steps), np.int32)
    width = saccades * polarities * rows * columns
    spikes = Spikes(np.empty(max(1, len(events.t)), np.uint16), begin, count, width)
    recordings = Recordings(*(part.numpy() for part in (events.t, events.x, events.y, events.p, events.start)))
    motion = np.tile([0.0, 0.0, 1.0, 0.0], (n, 1)) if moved is None else moved
    shape, chunks = (polarities, rows, columns), numba.get_num_threads()
    period = 1000.0 * sampling_time
    bin_events(recordings, motion, sheared, period, shape, (saccades, steps * period), chunks, spikes)
    return spikes


def as_dense(spikes: Spikes, device: torch.device | str = "cpu") -> Tensor:
    """Spikes as a dense tensor (T, N, width) float32 in {0, 1}, time on axis 0. Only the lists are copied to a GPU."""
    n, steps = spikes.begin.shape
    by_time = torch.arange(n * steps, device=device).view(steps, n).t().reshape(-1)  # lists are by sample, then by step
    lengths = torch.from_numpy(spikes.counts.reshape(-1)).to(device)
    dense = torch.zeros(steps * n * spikes.width, device=device)
    dense[by_time.repeat_interleave(lengths) * spikes.width + _active(spikes, device)] = 1
    return dense.view(steps, n, spikes.width)


def arrivals(spikes: Spikes) -> np.ndarray:
    """Number of times that each neuron is active, over samples and steps, (width,) int64."""
    return np.bincount(_active(spikes).numpy(), minlength=spikes.width)


def _active(spikes: Spikes, device: torch.device | str = "cpu") -> Tensor:
    """Active neurons of all samples and steps, in that order, int64."""
    neurons = torch.from_numpy(spikes.neurons.view(np.int16)).to(device)
    begin, lengths = (torch.from_numpy(part.reshape(-1)).to(device) for part in (spikes.begin, spikes.counts))
    first = (begin - (lengths.cumsum(0) - lengths)).repeat_interleave(lengths)
    return neurons[first + torch.arange(len(first), device=device)].long() & 0xFFFF


def from_dense(x: Tensor) -> Spikes:
    """Convert x (T, N, width) in {0, 1} to spike lists."""
    across = x.transpose(0, 1).cpu()
    n, steps, width = across.shape
    index = across.nonzero()[:, 2].numpy().astype(np.uint16)
    count = across.sum(2).to(torch.int32).numpy()
    begin = (np.cumsum(count) - count.reshape(-1)).reshape(n, steps).astype(np.int64)
    return Spikes(index, begin, count, width)


def polarities_from_zero(events: Events) -> Events:
    """Subtract each recording's smallest polarity, as lava-dl does: a recording of ON events alone turns OFF."""
    owner = torch.repeat_interleave(torch.arange(len(events)), events.start.diff())
    least = torch.full((len(events),), 255, dtype=torch.uint8).scatter_reduce(0, owner, events.p, "amin")
    return Events(events.t, events.x, events.y, events.p - least[owner], events.start, events.sensor)
