"""Operations of a model's predictions, counted by the definitions of NeuroBench.

Source: Yik et al., "The NeuroBench framework for benchmarking neuromorphic computing algorithms and systems" (2025),
section on complexity metrics, and its harness, the package `neurobench` 2.3.0 of PyPI, with which
`tests/bench/bench_counts.py` compares these figures, sample by sample. In both, biases are parameters, not synapses.
Differences here:

- Whether a product is an accumulation (AC, its input is a spike) or a multiplication (MAC) is declared by the model,
  not guessed from the values of a batch (all 0, 1 or -1), so that counts do not depend on how samples are batched.
- Every activation function forms a population; the harness knows ReLU, Sigmoid and snnTorch's neurons.
- Connection sparsity is not rounded; the harness gives four decimals.
- A model without synapses, activations or membranes has no such figure; the harness reports 0.
- Two events of an input in one step are two spikes (e-prop); the harness sees one input of value 2, a MAC.
- E-prop's neurons, reset by subtraction, count as updated whenever they fire; the harness compares potentials, which
  is the same unless input exactly compensates for the reset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import conv_transpose2d


@dataclass(frozen=True)
class Connection:
    """Synapses from I inputs, and how often each input arrived, in one batch. Biases are not synapses."""

    name: str
    spikes: bool  # inputs are declared to be 0 or 1 (or -1): their products are ACs, else MACs
    arrived: Tensor  # (I,) int64: how often input i was not 0, over samples and steps
    presented: int  # samples x steps: how often each input could have been
    fanout: Tensor  # (I,) int64: weights other than 0 that input i meets
    dense_fanout: Tensor  # (I,) int64: all weights that it meets
    weights: int  # stored weights, a shared one counted once
    nonzero: int  # stored weights other than 0

    @property
    def effective(self) -> int:
        """Products of an input and a weight, neither of them 0."""
        return int((self.arrived * self.fanout).sum())

    @property
    def dense(self) -> int:
        """Products if nothing were skipped."""
        return self.presented * int(self.dense_fanout.sum())


@dataclass(frozen=True)
class Population:
    """Units with an activation function or a threshold, in one batch."""

    name: str
    active: int  # outputs other than 0, over units, samples and steps
    total: int  # outputs; 0 for units that only have a membrane and so no activations
    updates: int | None = None  # changes of a membrane potential, see `membrane_updates`; None if there is no membrane


@dataclass(frozen=True)
class Operations:
    """Operations of one batch. `steps`: samples x time steps; a model without time takes one step per sample."""

    samples: int
    steps: int
    connections: Sequence[Connection]
    populations: Sequence[Population]
    parameters: Mapping[str, Tensor]  # needed for a prediction, in the type in which they are stored
    buffers: Mapping[str, Tensor] = field(default_factory=dict)  # stored as well, but not learned
    undefined: Mapping[str, str] = field(default_factory=dict)  # figure -> why this model has none


def linear(name: str, weight: Tensor, x: Tensor, *, spikes: bool) -> Connection:
    """All-to-all connection: weight (O, I), x (..., I) with samples and steps in front."""
    rows = x.reshape(-1, x.shape[-1])
    return synapses(name, weight, (rows != 0).sum(0), len(rows), spikes=spikes)


def synapses(name: str, weight: Tensor, arrived: Tensor, presented: int, *, spikes: bool) -> Connection:
    """All-to-all connection whose inputs a kernel has already counted: weight (O, I), arrived (I,)."""
    nonzero = weight != 0
    full = torch.full((weight.shape[1],), weight.shape[0], dtype=torch.int64)
    counted = arrived.detach().cpu().to(torch.int64)
    return Connection(name, spikes, counted, presented, nonzero.sum(0).cpu(), full, weight.numel(), int(nonzero.sum()))


def convolution(name: str, weight: Tensor, x: Tensor, *, spikes: bool, stride: int = 1, padding: int = 0) -> Connection:
    """Convolution: weight (O, C, h, w), x (..., C, H, W). An input meets each weight once for every place where the
    kernel covers it; padding is not an input."""
    images = x.reshape(-1, *x.shape[-3:])
    arrived = (images != 0).sum(0)
    return shared_synapses(name, weight, arrived, len(images), spikes=spikes, stride=stride, padding=padding)


def shared_synapses(
    name: str, weight: Tensor, arrived: Tensor, presented: int, *, spikes: bool, stride: int = 1, padding: int = 0
) -> Connection:
    """Convolution whose inputs a kernel has already counted: arrived (C, H, W)."""
    nonzero = (weight != 0).cpu()
    room = [size + 2 * padding - nonzero.shape[2 + axis] for axis, size in enumerate(arrived.shape[1:])]
    out = [size // stride + 1 for size in room]
    spare = [size % stride for size in room]  # rows at the end that no stride reaches

    def fanout(kernel: Tensor) -> Tensor:
        places = torch.ones(1, len(kernel), *out, dtype=torch.float64)
        cover = conv_transpose2d(places, kernel.double(), stride=stride, padding=padding, output_padding=spare)
        return cover[0].round().long().flatten()

    counted = arrived.detach().flatten().cpu().to(torch.int64)
    fanouts = fanout(nonzero), fanout(torch.ones_like(nonzero))
    return Connection(name, spikes, counted, presented, *fanouts, weight.numel(), int(nonzero.sum()))


def population(name: str, outputs: Tensor, updates: int | None = None) -> Population:
    """Population with outputs of any shape: all units of all samples and steps."""
    return Population(name, int(outputs.count_nonzero()), outputs.numel(), updates)


def membrane_updates(held: Tensor) -> int:
    """Number of changes of a potential from the end of one step to the end of the next.

    held: (T, ...) potentials passed from each step to the next: after the reset, if a neuron is reset in the step in
    which it fires; so a neuron that fires from its resting value and is reset to it is not counted. At t = 0 every unit
    is counted, as in NeuroBench.
    """
    return held[0].numel() + int((held[1:] != held[:-1]).count_nonzero())


def total(batches: Sequence[Operations]) -> tuple[dict[str, float], dict[str, str]]:
    """Figures over all batches, and the reasons why others are undefined."""
    first = batches[0]
    samples, steps = sum(b.samples for b in batches), sum(b.steps for b in batches)
    stored = (*first.parameters.values(), *first.buffers.values())
    figures: dict[str, float] = {
        "parameter_count": sum(p.numel() for p in first.parameters.values()),
        "footprint_bytes": sum(p.numel() * p.element_size() for p in stored),
    }
    undefined: dict[str, str] = {}
    weights = sum(c.weights for c in first.connections)
    if weights:
        figures["connection_sparsity"] = 1 - sum(c.nonzero for c in first.connections) / weights
    else:
        undefined["connection_sparsity"] = "this model has no synapses"
    _sparsity(batches, figures, undefined)
    connections = [c for b in batches for c in b.connections]
    sums: dict[str, float] = {
        "effective_macs": sum(c.effective for c in connections if not c.spikes),
        "effective_acs": sum(c.effective for c in connections if c.spikes),
        "dense_operations": sum(c.dense for c in connections),
    }
    updates = [p.updates for b in batches for p in b.populations if p.updates is not None]
    if updates:
        sums["membrane_updates"] = sum(updates)
    else:
        undefined["membrane_updates"] = "no unit of this model has a membrane"
    for name, value in sums.items():
        figures[name] = value / samples
        figures[f"{name}_per_step"] = value / steps
    undefined |= first.undefined
    unknown = {*undefined, *(f"{name}_per_step" for name in undefined)}
    return {name: value for name, value in figures.items() if name not in unknown}, undefined


def _sparsity(batches: Sequence[Operations], figures: dict[str, float], undefined: dict[str, str]) -> None:
    """Add the share of outputs that are 0, over all populations and of each."""
    active: dict[str, int] = {}
    possible: dict[str, int] = {}
    for p in (p for b in batches for p in b.populations if p.total):
        active[p.name] = active.get(p.name, 0) + p.active
        possible[p.name] = possible.get(p.name, 0) + p.total
    if not active:
        undefined["activation_sparsity"] = "this model has no activations"
        return
    figures["activation_sparsity"] = 1 - sum(active.values()) / sum(possible.values())
    for name in active:
        figures[f"activation_sparsity_{name}"] = 1 - active[name] / possible[name]
