"""Cost of a spiking network's events on a chip whose cores send each other messages over a mesh of tiles.

An architecture model: it places neurons on cores, follows every spike to the cores that store its synapses, and adds up
published figures of each event. It simulates no network; it takes the recorded spikes of one.

Source of the model: Boyle et al., "SANA-FE: Simulating Advanced Neuromorphic Architectures for Fast Exploration"
(IEEE TCAD, 2025), with its simple timing; `tests/bench/bench_mesh.py` compares the sums with that program's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


@dataclass(frozen=True)
class Event:
    """Cost of one event."""

    joules: float
    seconds: float


@dataclass(frozen=True)
class Mesh:
    """Chip of cores on a grid of tiles, numbered down its columns; messages follow a row first, then a column."""

    source: str
    columns: int
    rows: int
    cores_of_tile: int
    neurons_of_core: int
    access: Event  # per neuron and step
    update: Event  # per neuron whose state changes
    spike: Event  # per neuron that fires
    message_out: Event  # per spike and core that it is sent to
    message_in: Event
    synapse: Event  # per weight that a spike reaches
    hop_along_row: Event
    hop_along_column: Event
    barrier: tuple[tuple[int, float], ...]  # (least tiles in use, seconds of synchronisation)

    @property
    def cores(self) -> int:
        return self.columns * self.rows * self.cores_of_tile

    def waiting(self, tiles: int) -> float:
        """Seconds of synchronisation at the end of a step."""
        return [seconds for least, seconds in self.barrier if tiles >= least][-1]


# Davies et al., "Loihi: A Neuromorphic Manycore Processor with On-Chip Learning" (IEEE Micro 38(1), 2018) gives the
# costs of the mesh's hops, of an access and of an update; SANA-FE's file arch/loihi.yaml contains these and the others,
# fitted to measurements of a first-generation Loihi. No such figures are published for Loihi 2.
LOIHI = Mesh(
    source=(
        "architecture model of the first Loihi with the figures of SANA-FE (Boyle et al., 2025; arch/loihi.yaml): "
        "synapses, neurons, messages and their hops over the mesh; not host, not leakage. None is published for Loihi 2"
    ),
    columns=8,
    rows=4,
    cores_of_tile=4,
    neurons_of_core=1024,
    access=Event(51.2e-12, 6.0e-9),
    update=Event(21.6e-12, 3.7e-9),
    spike=Event(69.3e-12, 30.0e-9),
    message_out=Event(111.0e-12, 5.1e-9),
    message_in=Event(0.0, 16.0e-9),
    synapse=Event(35.5e-12, 3.8e-9),
    hop_along_row=Event(3.0e-12, 4.1e-9),
    hop_along_column=Event(4.2e-12, 6.5e-9),
    barrier=((1, 0.6e-6), (2, 1.0e-6), (4, 1.4e-6), (29, 1.8e-6)),
)


class Activity(NamedTuple):
    """Activity of a feed-forward network in classification; layer 0 is the inputs, which cost only their messages."""

    weights: Sequence[Tensor]  # (I, O) from layer k to layer k + 1, dense or sparse; a weight of 0 is no synapse
    spikes: Sequence[Tensor]  # (N, T, I) bool of each layer, outputs too
    updates: Sequence[Tensor]  # (N, T, O) bool of each layer but the inputs: whether states have changed


class MeshCost(NamedTuple):
    """Costs, summed over samples and steps."""

    messages: int
    hops_along_rows: int
    hops_along_columns: int
    synaptic_operations: int
    accesses: int
    updates: int
    spikes: int
    joules: float
    seconds: float  # samples run one after the other; a step lasts as long as its slowest core


def placed(mesh: Mesh, widths: Sequence[int]) -> list[Tensor]:
    """Core of each neuron, (I,) int64 per layer: layers one after the other, each on separate cores.

    Raises ValueError if the chip has too few cores.
    """
    cores, first = [], 0
    for width in widths:
        used = -(-width // mesh.neurons_of_core)
        cores.append(first + torch.arange(width) // mesh.neurons_of_core)
        first += used
    if first > mesh.cores:
        raise ValueError(f"layers of {', '.join(map(str, widths))} take {first} cores; the chip has {mesh.cores}")
    return cores


def mesh_cost(mesh: Mesh, activity: Activity) -> MeshCost:
    """Cost of a network's activity. Raises ValueError if the network does not fit."""
    cores = placed(mesh, [spikes.shape[2] for spikes in activity.spikes])
    n, steps, _ = activity.spikes[0].shape
    in_use = int(cores[-1][-1]) + 1
    sends = torch.zeros(n, steps, in_use)  # seconds of each core
    receives = torch.zeros_like(sends)
    sent = [0, 0, 0, 0]
    for k, weights in enumerate(activity.weights):
        ways = _ways(mesh, cores[k], cores[k + 1], weights, in_use)
        spikes = activity.spikes[k].float()
        total = spikes.sum((0, 1)).long()
        sent = [before + int(total @ each) for before, each in zip(sent, ways.of_spike, strict=True)]
        sends += spikes @ (ways.messages_out.float() * mesh.message_out.seconds)
        busy = ways.messages_in * mesh.message_in.seconds + ways.synapses * mesh.synapse.seconds
        receives += spikes @ busy.float()
    accesses = updates = fired = 0
    for core, spikes, changed in zip(cores[1:], activity.spikes[1:], activity.updates, strict=True):
        moved = changed | spikes
        sends.index_add_(2, core, mesh.access.seconds + moved * mesh.update.seconds + spikes * mesh.spike.seconds)
        accesses += moved.numel()
        updates += int(moved.sum())
        fired += int(spikes.sum())
    messages, along_rows, along_columns, operations = sent
    joules = _joules(mesh, (*sent, accesses, updates, fired))
    tiles = len(torch.unique(torch.cat(cores) // mesh.cores_of_tile))
    slowest = torch.maximum(sends.amax(2), receives.amax(2)).double()
    seconds = float(slowest.sum()) + n * steps * mesh.waiting(tiles)
    return MeshCost(messages, along_rows, along_columns, operations, accesses, updates, fired, joules, seconds)


class _Ways(NamedTuple):
    """Routes of one spike of each of I neurons."""

    of_spike: tuple[Tensor, ...]  # (I,) int64 each: messages, hops along rows, along columns, synapses reached
    messages_out: Tensor  # (I, cores in use) int64, of the sending cores
    messages_in: Tensor  # the same shape, of the receiving cores
    synapses: Tensor  # the same shape, of the receiving cores


def _ways(mesh: Mesh, source: Tensor, target: Tensor, weights: Tensor, in_use: int) -> _Ways:
    on_core = torch.zeros(len(target), in_use)
    on_core[torch.arange(len(target)), target] = 1
    fan = (weights.bool().float() @ on_core).long()  # synapses on each core; exact in float32
    reached = (fan > 0).long()  # one message per core, however many synapses it reaches there
    (from_column, from_row), (to_column, to_row) = (_tile(mesh, each) for each in (source, torch.arange(in_use)))
    along_row = (reached * (from_column[:, None] - to_column).abs()).sum(1)
    along_column = (reached * (from_row[:, None] - to_row).abs()).sum(1)
    out = torch.zeros_like(fan)
    out[torch.arange(len(source)), source] = reached.sum(1)
    return _Ways((reached.sum(1), along_row, along_column, fan.sum(1)), out, reached, fan)


def _tile(mesh: Mesh, core: Tensor) -> tuple[Tensor, Tensor]:
    """Column and row of a core's tile."""
    tile = core // mesh.cores_of_tile
    return tile // mesh.rows, tile % mesh.rows


def _joules(mesh: Mesh, counts: Sequence[int]) -> float:
    messages, along_rows, along_columns, operations, accesses, updates, fired = counts
    return (
        messages * (mesh.message_out.joules + mesh.message_in.joules)
        + along_rows * mesh.hop_along_row.joules
        + along_columns * mesh.hop_along_column.joules
        + operations * mesh.synapse.joules
        + accesses * mesh.access.joules
        + updates * mesh.update.joules
        + fired * mesh.spike.joules
    )
